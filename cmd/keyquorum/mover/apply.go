package mover

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"

	"keyquorum/cmd/keyquorum/console"
)

// apply adds what the plan says, and notes in its rows what came of it. The error is why it ended
// before all rows were reached; nil: they were.
func (pl plan) apply(ctx context.Context, t *target, p *progress) error {
	var rows []*row
	versions := 0
	for _, r := range pl.rows {
		if r.State == toMove {
			rows = append(rows, r)
			versions += len(r.add)
			r.State, r.Versions = untouched, 0
		}
	}
	p.begin("moving versions", versions)
	var once sync.Once
	var cause error
	err := each(ctx, len(rows), t.parallel, func(ctx context.Context, i int) error {
		err := rows[i].move(ctx, t, p)
		if err != nil && endsAll(err) {
			once.Do(func() { cause = err })
			return err
		}
		return nil
	})
	if cause != nil {
		return cause
	}
	return err
}

// move adds the versions of one thing, the oldest first. It stops at the first that is refused: one
// that came after it would be in its place.
func (r *row) move(ctx context.Context, t *target, p *progress) error {
	versions, err := r.ordered(ctx)
	for _, v := range versions {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		if err == nil {
			err = t.write(ctx, r.thing.kind, r.thing.name, v)
		}
		if err != nil {
			break
		}
		r.Versions++
		p.step(r.Name)
	}
	if err == nil && r.thing.policy != nil {
		err = t.setPolicy(context.WithoutCancel(ctx), r.thing.name, *r.thing.policy)
	}
	switch {
	case err == nil:
		r.State = moved
	case errors.Is(err, context.Canceled) && r.Versions == 0: // it stays not reached
	default:
		r.State, r.Why, r.Advice = failed, strings.TrimPrefix(console.Complaint(err), "keyquorum: "), ""
		if errors.Is(err, context.Canceled) {
			r.Why = "ended after " + count(r.Versions, "version")
		}
	}
	return err
}

// ordered are the versions to add, the oldest first, where the source does not tell the order of
// some that are the newest: at least the newest of all comes last.
func (r *row) ordered(ctx context.Context) ([]version, error) {
	n := len(r.add)
	if r.thing.newest == nil || n < 2 || r.add[n-1].moment != r.add[n-2].moment {
		return r.add, nil
	}
	newest, err := r.thing.newest(ctx)
	if err != nil {
		return r.add, err
	}
	versions := slices.Clone(r.add)
	if i := slices.IndexFunc(versions, func(v version) bool { return v.origin == newest }); i >= 0 {
		v := versions[i]
		versions = append(slices.Delete(versions, i, i+1), v)
	}
	return versions, nil
}

// endsAll says whether an error would meet every other thing too.
func endsAll(err error) bool {
	var fatal fatalError
	return errors.Is(err, context.Canceled) || errors.As(err, &fatal)
}

// A fatalError is one that would meet every other thing too.
type fatalError struct{ error }

func (e fatalError) Unwrap() error { return e.error }
