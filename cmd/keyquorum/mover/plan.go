package mover

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"keyquorum/cmd/keyquorum/reference"
)

// A state is what becomes of a thing. The first five stand in a plan; moved, failed and untouched
// in what is said after it was done.
type state string

const (
	toMove    state = "to move"     // versions are to be added, the first one perhaps
	there     state = "there"       // all that can be moved is there
	differs   state = "differs"     // it is there, and something of it is not as at the source
	taken     state = "taken"       // the destination has another of that name
	stays     state = "stays"       // the source does not give it, or no vault would take it
	moved     state = "moved"       // all that was to be moved has been
	failed    state = "failed"      // something was refused
	untouched state = "not reached" // the end came before
)

// A row is what is to be done with one thing, or has been.
type row struct {
	Kind     string   `json:"kind"` // secret or key
	Name     string   `json:"name"` // at the destination
	From     string   `json:"from"`
	State    state    `json:"state"`
	Versions int      `json:"versions"` // that are to be added, or have been
	There    int      `json:"versions_there"`
	Why      string   `json:"why,omitempty"`
	Left     []string `json:"left_out,omitempty"` // what of it stays behind
	Advice   string   `json:"to_do,omitempty"`

	thing *thing
	add   []version // what is to be added, the oldest first
}

// A plan is all rows, by name.
type plan struct {
	rows []*row
}

// makePlan compares what there is with what the destination holds. With addTo, versions may be
// added to names that the destination has used for something else.
func makePlan(
	ctx context.Context, t *target, things []*thing, addTo bool, p *progress,
) (plan, error) {
	if len(things) > maxThings {
		return plan{}, fmt.Errorf("%d names are more than %d: move them in parts, by --path or by "+
			"mount", len(things), maxThings)
	}
	checkNames(things)
	holds := map[reference.Kind]map[string]*held{}
	for _, kind := range kindsOf(things) {
		var err error
		if holds[kind], err = t.holds(ctx, kind); err != nil {
			return plan{}, err
		}
	}
	rows := make([]*row, len(things))
	p.begin("comparing", len(things))
	err := each(ctx, len(things), t.parallel, func(ctx context.Context, i int) error {
		defer p.step(things[i].name)
		h := holds[things[i].kind][strings.ToLower(things[i].name)]
		if h != nil && !h.deleted && things[i].obstacle == nil {
			if err := t.versionsOf(ctx, h); err != nil {
				return err
			}
		}
		var err error
		rows[i], err = judge(ctx, t, things[i], h, addTo)
		return err
	})
	if err != nil {
		return plan{}, err
	}
	slices.SortFunc(rows, func(a, b *row) int {
		return strings.Compare(a.Kind+"/"+a.Name+"/"+a.From, b.Kind+"/"+b.Name+"/"+b.From)
	})
	return plan{rows}, nil
}

func kindsOf(things []*thing) (kinds []reference.Kind) {
	for _, t := range things {
		if t.obstacle == nil && !slices.Contains(kinds, t.kind) {
			kinds = append(kinds, t.kind)
		}
	}
	return kinds
}

// judge says what is to be done with a thing, of which the destination holds h; nil: nothing.
func judge(ctx context.Context, at *target, t *thing, h *held, addTo bool) (*row, error) {
	r := &row{Kind: t.kind.Word(), Name: t.name, From: shown(t.from), Left: t.left, thing: t}
	switch {
	case t.obstacle != nil:
		r.become(stays, t.obstacle.why, t.obstacle.advice)
	case h == nil:
		r.toAdd(t.versions)
	case h.deleted:
		r.become(taken, "one of that name is deleted here", adviceDeleted)
	default:
		return r, r.against(ctx, at, h, addTo)
	}
	return r, nil
}

func (r *row) become(s state, why, advice string) { r.State, r.Why, r.Advice = s, why, advice }

func (r *row) toAdd(versions []version) {
	r.State, r.add, r.Versions = toMove, versions, len(versions)
}

// against judges what is there already by the origins of its versions.
func (r *row) against(ctx context.Context, at *target, h *held, addTo bool) error {
	t := r.thing
	known, twice := h.known(t.from)
	if r.There = len(known); twice > 0 {
		r.Left = append(slices.Clip(r.Left), count(twice, "version")+" of it there twice")
	}
	last := r.lastOf(known)
	switch {
	case len(known) == 0 && !addTo:
		r.become(taken, "the name is taken here, by something else", adviceTaken)
		return nil
	case len(known) > 0 && !isOf(h.newest, t.from) && !addTo:
		r.become(differs, "it has a newer version of its own here", adviceDiffers)
		return nil
	}
	missing, err := r.missing(ctx, at, h, known, last)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		r.toAdd(missing)
		return nil
	}
	r.State = there
	if t.policy != nil {
		if set, err := at.hasPolicy(ctx, h.name); err != nil || !set {
			r.toAdd(nil)
			return err
		}
	}
	if names := r.changed(h); len(names) > 0 {
		r.become(differs, "not the same: "+strings.Join(names, ", "), adviceDiffers)
	} else if !h.enabled {
		r.become(differs, "it is disabled here", adviceDiffers)
	}
	return nil
}

// changed names what of the newest version here is not as at the source.
func (r *row) changed(h *held) []string {
	for _, v := range r.thing.versions {
		if v.origin == h.newest {
			return h.attributes.differences(v.attributes)
		}
	}
	return nil
}

// lastOf is the moment of the newest version that is there; before all others where none is.
func (r *row) lastOf(known map[string]bool) int64 {
	last := int64(-1 << 63)
	for _, v := range r.thing.versions {
		if known[v.origin] {
			last = max(last, v.moment)
		}
	}
	return last
}

// missing are the versions that follow what is there. One that is older must not be added: it would
// be the newest here.
func (r *row) missing(
	ctx context.Context, at *target, h *held, known map[string]bool, last int64,
) (versions []version, err error) {
	tied, err := r.tied(ctx, known, last)
	if err != nil {
		return nil, err
	}
	passed := 0
	for _, v := range r.thing.versions {
		switch {
		case known[v.origin] && v.unnumbered:
			same, err := at.same(ctx, h, v)
			if err != nil {
				return nil, err
			}
			if !same {
				versions = append(versions, v)
			}
		case known[v.origin]:
		case v.moment > last, v.moment == last && tied:
			versions = append(versions, v)
		default:
			passed++
		}
	}
	if passed > 0 {
		r.Left = append(slices.Clip(r.Left), count(passed, "version")+" older than what is there")
	}
	return versions, nil
}

// tied says whether versions of the same moment as the newest one that is there may follow it: not
// where that is the newest of all.
func (r *row) tied(ctx context.Context, known map[string]bool, last int64) (bool, error) {
	if r.thing.newest == nil || !slices.ContainsFunc(r.thing.versions, func(v version) bool {
		return v.moment == last && !known[v.origin]
	}) {
		return true, nil
	}
	newest, err := r.thing.newest(ctx)
	return !known[newest], err
}
