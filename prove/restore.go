package prove

// A restore of the whole cluster to an earlier snapshot is two operations of every object's
// history: one keeps its state, the other brings that back. Each happens at some moment between its
// call and its return, as any operation does.

// A Span is a call's and its return's place in the order of all events (Run.Now).
type Span struct{ Called, Returned int64 }

// A Restore is one that somebody made while the clients worked.
type Restore struct {
	Saved, Put Span // the snapshot was taken, and given back
	Done       bool // else its outcome is not known
}

// Now is a place in the order of all events of the run, later than all that were given before.
func (r *Run) Now() int64 { return r.events.Add(1) }

// Restored tells of restores, before Check.
func (r *Run) Restored(all ...Restore) {
	for _, one := range all {
		slot := r.ids.Add(2)
		keep := &operation{request: request{verb: saved, id: slot - 1, version: slot},
			node: "cluster", outcome: known, reply: reply{word: done},
			called: one.Saved.Called, returned: one.Saved.Returned}
		back := &operation{request: request{verb: restored, id: slot, version: slot},
			node: "cluster", outcome: known, reply: reply{word: done},
			called: one.Put.Called, returned: one.Put.Returned}
		if !one.Done {
			back.outcome, back.detail = unknown, "no answer that says so"
		}
		r.restores = append(r.restores, keep, back)
	}
}

// A kept is a state that a snapshot has, by its slot, and those that were kept before.
type kept struct {
	slot   int32
	state  any
	before *kept
}

func (k *kept) find(slot int32) (state any, ok bool) {
	for ; k != nil; k = k.before {
		if k.slot == slot {
			return k.state, true
		}
	}
	return nil, false
}

// same says whether two hold the same states.
func (k *kept) same(other *kept, same func(a, b any) bool) bool {
	for ; k != nil && other != nil; k, other = k.before, other.before {
		if k.slot != other.slot || !same(k.state, other.state) {
			return false
		}
	}
	return k == nil && other == nil
}

// restoring is a step of the two operations, if op is one.
func (h history) restoring(m moment, op *operation) (is, possible bool, next moment) {
	switch op.verb {
	case saved:
		return true, true, moment{m.state, false, &kept{op.version, m.state, m.kept}}
	case restored:
		state, ok := m.kept.find(op.version)
		if op.outcome == unknown && ok {
			ok = !h.model.same(m.state, state)
		}
		return true, ok, moment{state, false, m.kept}
	}
	return false, false, m
}
