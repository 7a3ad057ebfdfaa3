package prove

import (
	"math"
	"slices"

	"github.com/anishathalye/porcupine"
)

// Check holds the history of every object to its model. It is for when Work and ReadBack have ended.
//
// How far it searches is bounded by steps of the models, not by time, which stands still in a testing/synctest bubble while
// something is computed. A history that takes more than half a million steps is undecided. A usual one takes some hundreds.
func (r *Run) Check() *Verdict {
	v := &Verdict{Seed: r.options.Seed, Failures: map[string]int{}}
	for what, n := range r.failures {
		v.Failures[what] = n
	}
	for _, o := range r.objects {
		if len(o.operations) == 0 {
			continue
		}
		v.count(o.operations)
		h := history{model: o.kind, operations: r.resolved(o.history())}
		switch h.check() {
		case porcupine.Unknown:
			v.Undecided++
		case porcupine.Illegal:
			v.Violations = append(v.Violations, Violation{Object: o.name, minimal: h.minimal()})
		}
	}
	return v
}

// resolved fills in which writes made the versions that signatures were of, as far as any answer has shown that.
func (r *Run) resolved(ops []*operation) []*operation {
	for i, op := range ops {
		if op.reply.version != somebody {
			continue
		}
		better := *op
		if write := r.writeOf(op.reply.note); write != 0 {
			better.reply.version = write
		}
		better.reply.note = ""
		ops[i] = &better
	}
	return ops
}

// A history is the operations of one object by their calls, and the model that they are held to.
type history struct {
	model      model
	operations []*operation
}

const maxSteps = 500_000

// check searches for an order of the operations, each somewhere between its call and its return, in which the model answers
// all of them as they were answered.
func (h history) check() porcupine.CheckResult {
	left := maxSteps
	result := porcupine.CheckOperationsTimeout(h.porcupine(&left), h.intervals(), 0)
	if result == porcupine.Illegal && left < 0 {
		return porcupine.Unknown
	}
	return result
}

// porcupine is the model as the checker takes it. When no steps are left, none is possible.
func (h history) porcupine(left *int) porcupine.Model {
	unsure := h.unsure()
	return porcupine.Model{
		Init: h.model.initial,
		Step: func(state, input, _ any) (bool, any) {
			*left--
			if *left < 0 {
				return false, nil
			}
			op := input.(*operation)
			want, next := h.model.answer(state, op.request)
			return op.outcome == unknown || agree(op.reply, want, unsure), next
		},
		Equal:             h.model.same,
		DescribeOperation: func(input, _ any) string { return input.(*operation).String() },
	}
}

// agree says whether got is what the model answers. Of a version that nobody is known to have made, only a write with an
// unknown outcome can be the maker.
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

// intervals are the operations as the checker takes them. A write with an unknown outcome may happen until after all that
// is known: last of all it has happened never.
func (h history) intervals() []porcupine.Operation {
	intervals := make([]porcupine.Operation, len(h.operations))
	for i, op := range h.operations {
		intervals[i] = porcupine.Operation{ClientId: op.client, Input: op, Call: op.called, Return: op.returned}
		if op.outcome == unknown {
			intervals[i].Return = math.MaxInt64
		}
	}
	return intervals
}
