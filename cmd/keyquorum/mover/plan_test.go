package mover

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhatIsDoneOfAThing judges things by what the destination holds.
func TestWhatIsDoneOfAThing(t *testing.T) {
	const from = "https://old/secrets/n"
	of := func(version string) string { return originOf(from, version) }
	source := &thing{kind: "secrets", name: "n", from: from, versions: []version{
		{origin: of("1"), moment: 10}, {origin: of("2"), moment: 20}, {origin: of("3"), moment: 30}}}
	for name, c := range map[string]struct {
		held  *held
		addTo bool
		state state
		add   []string
		left  string
	}{
		"nothing": {state: toMove, add: []string{"1", "2", "3"}},
		"deleted": {held: &held{deleted: true}, state: taken},
		"another": {held: &held{origins: []string{""}}, state: taken},
		"another, added to": {held: &held{origins: []string{""}},
			addTo: true, state: toMove, add: []string{"1", "2", "3"}},
		"the first": {held: &held{origins: []string{of("1")},
			newest: of("1")}, state: toMove, add: []string{"2", "3"}},
		"all": {held: &held{origins: []string{of("3"), of("1"), of("2")},
			newest: of("3"), enabled: true}, state: there},
		"all, disabled": {held: &held{origins: []string{of("1"), of("2"), of("3")},
			newest: of("3")}, state: differs},
		"newer than the first": {held: &held{origins: []string{of("1"), ""}}, state: differs},
		"the newest alone": {held: &held{origins: []string{of("3")},
			newest: of("3"), enabled: true}, state: there, left: "2 versions older"},
		"one that is gone": {held: &held{origins: []string{of("0")},
			newest: of("0")}, state: toMove, add: []string{"1", "2", "3"}},
		"one of them twice": {held: &held{origins: []string{of("1"), of("1")},
			newest: of("1")}, state: toMove, add: []string{"2", "3"}, left: "1 version of it there twice"},
	} {
		r, err := judge(t.Context(), nil, source, c.held, c.addTo)
		if err != nil {
			t.Fatal(err)
		}
		var add []string
		for _, v := range r.add {
			add = append(add, v.origin[strings.LastIndex(v.origin, "/")+1:])
		}
		if r.State != c.state || !slices.Equal(add, c.add) ||
			!strings.Contains(strings.Join(r.Left, ";"), c.left) {
			t.Errorf("%s: it is %s and adds %q, leaving %q; want %s and %q", name, r.State, add, r.Left,
				c.state, c.add)
		}
	}
}

// TestVersionsOfOneSecond: what was made in the same second as the newest one does not follow it.
func TestVersionsOfOneSecond(t *testing.T) {
	const from = "https://old/secrets/n"
	of := func(version string) string { return originOf(from, version) }
	source := &thing{kind: "secrets", name: "n", from: from, versions: []version{
		{origin: of("1"), moment: 10}, {origin: of("2"), moment: 10}}}
	for newest, state := range map[string]state{"1": there, "2": toMove} {
		source.newest = func(context.Context) (string, error) { return of(newest), nil }
		r, err := judge(t.Context(), nil, source,
			&held{origins: []string{of("1")}, newest: of("1"), enabled: true}, false)
		if err != nil || r.State != state {
			t.Errorf("where %s is the newest it is %s (%v), want %s", newest, r.State, err, state)
		}
	}
}

// TestTheNewestComesLast also where the source does not tell the order of the newest ones.
func TestTheNewestComesLast(t *testing.T) {
	versions := []version{{origin: "a", moment: 1}, {origin: "b", moment: 2}, {origin: "c", moment: 2},
		{origin: "d", moment: 2}}
	r := row{add: versions, thing: &thing{newest: func(context.Context) (string, error) {
		return "b", nil
	}}}
	ordered, err := r.ordered(t.Context())
	if err != nil || len(ordered) != 4 || ordered[0].origin != "a" || ordered[3].origin != "b" {
		t.Errorf("%+v (%v)", ordered, err)
	}
}

// TestEachEndsWithTheFirstError begins nothing after it.
func TestEachEndsWithTheFirstError(t *testing.T) {
	broken := errors.New("broken")
	var begun atomic.Int32
	err := each(t.Context(), 1000, 4, func(ctx context.Context, i int) error {
		begun.Add(1)
		if i == 10 {
			return broken
		}
		if i > 10 {
			<-ctx.Done()
		}
		return nil
	})
	if !errors.Is(err, broken) || begun.Load() > 20 {
		t.Errorf("%v after %d of 1000", err, begun.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := each(ctx, 10, 4, func(context.Context, int) error { return nil }); !errors.Is(err,
		context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if err := each(t.Context(), 0, 4, nil); err != nil {
		t.Error(err)
	}
}

// TestProgressIsToldAfterAWhile, and not of what is done at once.
func TestProgressIsToldAfterAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := newProgress(&out)
		end := p.tell()
		p.begin("moving versions", 3)
		p.step("a")
		time.Sleep(lineEvery + time.Second)
		end()
		if got := out.String(); got != "moving versions: 1 of 3 (10 s)\n" {
			t.Errorf("it says %q", got)
		}
	})
}
