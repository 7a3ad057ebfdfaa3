package lease

import "time"

// A Read is one request on its way from its question to its answer. Its stage says what it needs
// next, and each stage leads to the next by the method that is named beside it.
type Read struct {
	Must  bool // it asks the leader in any case
	Stage Stage
	Look  time.Duration // when it was made sure that this node may answer
	Need  uint64        // the index that the stage waits for
}

// A Stage is what a read needs next.
type Stage uint8

const (
	Looking  Stage = iota // a look at the clock, and at the term after it: Looked
	Asking                // the leader's word, by a fence that begins after the read: Fenced
	Applying              // that this node's FSM gets to Need: Applied
	Viewing               // one view, taken now, of everything that the answer is drawn from: Viewed
	Showing               // that E gets to Need: Shown
	Leaving               // a last look at the clock: Left
	Gone
)

// Looked comes before any view is taken: what was shown to anyone at this moment is in a view that
// is taken later, and a pause in between makes the read concurrent with what it misses (L3).
func (r *Read) Looked(look time.Duration, term uint64, t Tenure) {
	r.Look, r.Stage = look, Asking
	if !r.Must && t.MayRead(look, term) {
		r.Stage = Viewing
	}
}

// Fenced brings the index of a fence (Fence.Index). look is from before the leader was asked.
func (r *Read) Fenced(look time.Duration, index uint64) {
	r.Look, r.Need, r.Stage = look, index, Applying
}

// Applied says how far this node's FSM is (F3): that of a view that is there already, where readers
// share a fence and wait for their FSM once.
func (r *Read) Applied(index uint64) {
	if index >= r.Need {
		r.Stage = Viewing
	}
}

// Viewed says when anything that was drawn from the view, or that was looked for there in vain, was
// last changed (L9). A fenced read waits for E as well: else the next reader, under a lease, misses
// what this one saw (L10).
func (r *Read) Viewed(lastChange uint64) { r.Need, r.Stage = lastChange, Showing }

// Shown says how far E is.
func (r *Read) Shown(e uint64) {
	if e >= r.Need {
		r.Stage = Leaving
	}
}

// Left says whether the answer may leave. One that took too long is drawn anew.
func (r *Read) Left(now, life time.Duration) bool {
	if !Fresh(r.Look, now, life) {
		r.Stage = Looking
		return false
	}
	r.Stage = Gone
	return true
}

// Fresh bounds how long an answer lives that was right when it was drawn (L3): less than a lease.
func Fresh(look, now, life time.Duration) bool { return now-look < life }
