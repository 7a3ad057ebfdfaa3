package prove

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
)

// A kind is what one sort of object is asked, over HTTP and in its model.
type kind interface {
	model
	// choose chooses what to ask next. The object is locked.
	choose(o *object, rng *rand.Rand) request
	// call is the request on the wire.
	call(o *object, q request) call
	// decode is what the body of a success says. An error means that it says nothing that can be true.
	decode(o *object, q request, body []byte) (reply, error)
	// readBack is what to ask the node-th of nodes nodes at the end.
	readBack(o *object, node, nodes int) []request
	// cleanUp is what removes the object, whatever its state. What is missing is removed.
	cleanUp(o *object) []call
}

// An object is a thing in the cluster with a history of its own.
type object struct {
	name string
	kind kind
	apps []*application // of access: one, by each of its client secrets

	mu         sync.Mutex
	operations []*operation
	asked      int // operations that were begun
	unsure     int // writes with an unknown outcome
	guess      any // the state after all writes known, in the order of their answers. It only guides choices
	sets       int // of a collection's: begun
	made       []made
	signature  *signature
}

// A worn object gives way to a new one: the longer a history, and the more unknown writes in it,
// the dearer to check.
const (
	maxAsked  = 60
	maxUnsure = 4
)

// next chooses what to ask, and counts it.
func (o *object) next(rng *rand.Rand) request {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.asked++
	return o.kind.choose(o, rng)
}

func (o *object) worn() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.asked >= maxAsked || o.unsure >= maxUnsure
}

func (o *object) record(op *operation) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.operations = append(o.operations, op)
	switch {
	case !op.writes():
	case op.outcome == known:
		_, o.guess = o.kind.answer(o.guess, op.request)
	case op.outcome == unknown:
		o.unsure++
	}
}

// pattern is in which order kinds come into use, again and again.
var pattern = []string{"secret", "name", "key", "access", "secret", "secret"}

// plan makes the objects of a run: enough of them, as objects wear.
func (r *Run) plan(ctx context.Context) error {
	o := r.options
	for i := range o.Objects + 2*o.Operations/maxAsked {
		made, err := r.newObject(ctx, pattern[i%len(pattern)], i)
		if err != nil {
			return err
		}
		r.objects = append(r.objects, made)
	}
	r.window = window{active: slices.Clone(r.objects[:o.Objects]), waiting: r.objects[o.Objects:]}
	return nil
}

func (r *Run) newObject(ctx context.Context, kind string, i int) (*object, error) {
	o := &object{name: fmt.Sprintf("%s%s-%d", r.Prefix(), kind, i)}
	switch kind {
	case "secret":
		o.kind = secrets(r)
	case "key":
		o.kind = keys(r)
	case "name":
		o.kind = names{}
	default:
		var err error
		o.kind = access{r}
		if o.apps, err = r.newApplication(ctx, fmt.Sprintf("%s-%d", kind, i), 1+spares); err != nil {
			return nil, err
		}
	}
	o.guess = o.kind.initial()
	return o, nil
}

// A window is the objects in use.
type window struct {
	mu      sync.Mutex
	active  []*object
	waiting []*object // to take the place of worn ones
}

func (w *window) pick(rng *rand.Rand) *object {
	w.mu.Lock()
	defer w.mu.Unlock()
	i := rng.IntN(len(w.active))
	if w.active[i].worn() && len(w.waiting) > 0 {
		w.active[i], w.waiting = w.waiting[0], w.waiting[1:]
	}
	return w.active[i]
}

// weights are verbs and how often each is chosen.
type weights []struct {
	verb   verb
	weight int
}

func (w weights) pick(rng *rand.Rand) verb {
	total := 0
	for _, x := range w {
		total += x.weight
	}
	n := rng.IntN(total)
	for _, x := range w {
		if n -= x.weight; n < 0 {
			return x.verb
		}
	}
	panic("unreachable")
}
