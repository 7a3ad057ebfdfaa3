package prove

import (
	"slices"
	"sort"

	"github.com/anishathalye/porcupine"
)

// minimal returns a part of a history that is not linearizable, which is not either: its shortest
// such prefix, without the operations that it does not take. Only what has changed nothing can be
// left out: without a write, a sound answer may look wrong. Many are tried at once at first, then
// fewer.
func (h history) minimal() history {
	h = h.shortest()
	for size := len(h.operations); size > 0; size /= 2 {
		for i := 0; i < len(h.operations); {
			fewer := h.without(i, min(i+size, len(h.operations)))
			if len(fewer.operations) < len(h.operations) && fewer.fails() {
				h = fewer
			} else {
				i += size
			}
		}
	}
	return h
}

// fails looks for a proof less long than Check does: there are many to be found.
func (h history) fails() bool { return h.check(maxSteps/10) == porcupine.Illegal }

// without is the history without those of the operations from i to j that have changed nothing.
func (h history) without(i, j int) history {
	left := slices.Clone(h.operations[:i])
	for _, op := range h.operations[i:j] {
		if !op.changedNothing() {
			left = append(left, op)
		}
	}
	return history{h.model, append(left, h.operations[j:]...)}
}

// shortest is the shortest prefix that is not linearizable. A prefix of one that is, is too: so it
// is found by halving.
func (h history) shortest() history {
	var returns []int64
	for _, op := range h.operations {
		if op.outcome == known {
			returns = append(returns, op.returned)
		}
	}
	slices.Sort(returns)
	n := sort.Search(len(returns)-1,
		func(i int) bool { return h.until(returns[i]).check(maxSteps) == porcupine.Illegal })
	return h.until(returns[n])
}

// until is what was known when an event had happened: of the writes that were not answered then,
// nothing.
func (h history) until(event int64) history {
	var before []*operation
	for _, op := range h.operations {
		switch {
		case op.called > event:
		case op.returned <= event || op.outcome == unknown:
			before = append(before, op)
		case op.writes():
			pending := *op
			pending.outcome, pending.detail = unknown, "not answered yet"
			before = append(before, &pending)
		}
	}
	return history{h.model, before}
}

// changedNothing says so of reads, and of writes that were refused.
func (op *operation) changedNothing() bool {
	return !op.writes() || op.outcome == known && op.reply.word != done && op.reply.word != strange
}
