package prove

import (
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Check holds the history of every object to its model. It is for when Work and ReadBack have
// ended.
//
// How far it searches is bounded by steps of the models, not by time, which stands still in a
// testing/synctest bubble while something is computed. A history that takes more than 300,000 steps
// is undecided. A usual one takes some hundreds.
func (r *Run) Check() *Verdict {
	v := &Verdict{Seed: r.options.Seed, Failures: map[string]int{}}
	for what, n := range r.failures {
		v.Failures[what] = n
	}
	for _, o := range r.used() {
		v.count(o.operations)
		h := history{model: o.kind, operations: append(r.resolved(o), r.restores...)}
		switch h.check(maxSteps) {
		case porcupine.Unknown:
			v.Undecided++
		case porcupine.Illegal:
			v.Violations = append(v.Violations, Violation{Object: o.name, minimal: h.minimal()})
		}
	}
	return v
}

// A history is the operations of one object by their calls, and the model that they are held to.
type history struct {
	model      model
	operations []*operation
}

const maxSteps = 300_000

// check searches for an order of the operations, each somewhere between its call and its return, in
// which the model answers all of them as they were answered. It takes so many steps and no more.
func (h history) check(left int) porcupine.CheckResult {
	result := porcupine.CheckOperationsTimeout(h.porcupine(&left), h.intervals(), 0)
	if result == porcupine.Illegal && left < 0 {
		return porcupine.Unknown
	}
	return result
}

// porcupine is the model as the checker takes it. When no steps are left, none is possible.
func (h history) porcupine(left *int) porcupine.Model {
	unsure := h.unsure()
	step := func(m moment, op *operation) (bool, any) {
		*left--
		switch {
		case *left < 0:
			return false, nil
		case op == end:
			return true, moment{m.state, true, m.kept}
		case m.over:
			return true, m
		}
		if is, possible, next := h.restoring(m, op); is {
			return possible, next
		}
		want, next := h.model.answer(m.state, op.request)
		if op.outcome == unknown {
			return !h.model.same(m.state, next), moment{next, false, m.kept}
		}
		return agree(op.reply, want, unsure), moment{next, false, m.kept}
	}
	return porcupine.Model{
		Init: func() any { return moment{state: h.model.initial()} },
		Step: func(state, input, _ any) (bool, any) { return step(state.(moment), input.(*operation)) },
		Equal: func(a, b any) bool {
			one, other := a.(moment), b.(moment)
			return one.over == other.over && h.model.same(one.state, other.state) &&
				one.kept.same(other.kept, h.model.same)
		},
		Hash: func(m any) uint64 { return h.model.hash(m.(moment).state) },

		DescribeOperation: func(input, _ any) string { return input.(*operation).String() },
		DescribeState:     func(any) string { return "" },
	}
}

// A moment is a state, whether all is over, so that nothing happens any more, and what snapshots
// have.
type moment struct {
	state any
	over  bool
	kept  *kept
}

// end comes after everything that is known. A write with an unknown outcome has changed something
// before it, or comes after it and has never happened. That it happened and changed nothing is no
// third case: fewer to search.
var end = &operation{}

// agree says whether got is what the model answers. Of a version that nobody is known to have made,
// only a write with an unknown outcome can be the maker.
func agree(got, want reply, unsure []int32) bool {
	if got.version == somebody && slices.Contains(unsure, want.version) {
		got.version = want.version
	}
	return got == want
}

// unsure are the writes with an unknown outcome.
func (h history) unsure() (ids []int32) {
	for _, op := range h.operations {
		if op.outcome == unknown {
			ids = append(ids, op.id)
		}
	}
	return ids
}

// never is the return of a write that was not answered and not seen.
const never = math.MaxInt64

// intervals are the operations as the checker takes them, and the end.
func (h history) intervals() []porcupine.Operation {
	intervals := make([]porcupine.Operation, 0, len(h.operations)+1)
	var last int64
	for _, op := range h.operations {
		i := porcupine.Operation{ClientId: op.client, Input: op, Call: op.called, Return: op.returned}
		if op.outcome == unknown {
			i.Return = h.seen(op.id)
		} else {
			last = max(last, op.returned)
		}
		intervals = append(intervals, i)
	}
	return append(intervals, porcupine.Operation{Input: end, Call: last + 1, Return: never - 1})
}

// seen is the first return of an answer that shows what a write wrote. By then it had happened.
func (h history) seen(id int32) int64 {
	first := int64(never)
	for _, op := range h.operations {
		if op.outcome == known && op.reply.shows(id) {
			first = min(first, op.returned)
		}
	}
	return first
}
