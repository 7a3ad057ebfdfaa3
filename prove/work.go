package prove

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Work lets the clients work: each chooses node, object and request from a random source of its
// own, seeded, and asks one thing at a time. Nothing is tried again. A client that was told that
// its write was made goes on with the same object half of the time, at once and at whichever node:
// every node must know by then. Work returns when all operations are done or ctx ends.
func (r *Run) Work(ctx context.Context) {
	var clients sync.WaitGroup
	for c := range r.options.Clients {
		clients.Go(func() { r.work(ctx, c) })
	}
	clients.Wait()
}

func (r *Run) work(ctx context.Context, client int) {
	rng := rand.New(rand.NewPCG(r.options.Seed, uint64(client)))
	var written *object // just now
	for r.left.Add(-1) >= 0 {
		o := written
		if o == nil {
			if pause(ctx, think(rng, r.options.Think)) != nil {
				return
			}
			o = r.window.pick(rng)
		}
		written = nil
		op := r.perform(ctx, client, rng.IntN(len(r.target.Nodes)), o, o.next(rng))
		if op != nil && op.acknowledged() && rng.IntN(2) == 0 {
			written = o
		}
	}
}

// think is a pause of the given mean.
func think(rng *rand.Rand, mean time.Duration) time.Duration {
	if mean <= 0 {
		return 0
	}
	return time.Duration(rng.Int64N(2 * int64(mean)))
}

// ReadBack reads every object from every node, again and again until it is answered or ctx ends,
// and so completes the history: what was acknowledged must be there. What is deleted is recovered
// first, for its versions cannot be listed, and an application that is off is switched on, for it
// is given no token else. It is for when Work has ended and all nodes serve.
func (r *Run) ReadBack(ctx context.Context) error {
	used := r.used()
	for i, o := range used {
		first := request{verb: undelete}
		switch o.kind.(type) {
		case *collection:
		case access:
			first = request{verb: enable, on: true}
		default:
			continue
		}
		if err := r.readUntilAnswered(ctx, i%len(r.target.Nodes), o, first); err != nil {
			return err
		}
	}
	failures := make([]error, len(r.target.Nodes))
	var readers sync.WaitGroup
	for node := range r.target.Nodes {
		readers.Go(func() { failures[node] = r.readAll(ctx, node, used) })
	}
	readers.Wait()
	return errors.Join(failures...)
}

func (r *Run) readAll(ctx context.Context, node int, objects []*object) error {
	for _, o := range objects {
		for _, q := range o.kind.readBack(o, node, len(r.target.Nodes)) {
			if err := r.readUntilAnswered(ctx, node, o, q); err != nil {
				return err
			}
		}
	}
	return nil
}

// readUntilAnswered asks as a client of its own for each node.
func (r *Run) readUntilAnswered(ctx context.Context, node int, o *object, q request) error {
	for try := 0; ; try++ {
		op := r.perform(ctx, r.options.Clients+node, node, o, q)
		if op != nil && op.outcome == known {
			return nil
		}
		if err := pause(ctx, backoff(try)); err != nil {
			last := "it could not be asked"
			if op != nil {
				last = op.detail
			}
			return fmt.Errorf("prove: %s: %s from %s: %w; last: %s", o.name, q, r.target.Nodes[node].Name,
				err, last)
		}
	}
}

// CleanUp removes what the run made, but for the vault.
func (r *Run) CleanUp(ctx context.Context) error {
	for _, o := range r.objects {
		if err := r.remove(ctx, o.kind.cleanUp(o)...); err != nil {
			return fmt.Errorf("prove: %w", err)
		}
	}
	if err := r.remove(ctx,
		operatorCall(http.MethodDelete, "/v1/keyquorum/apps/"+r.worker.name, "")); err != nil {
		return fmt.Errorf("prove: %w", err)
	}
	return nil
}

// used are the objects that came into use.
func (r *Run) used() []*object {
	return slices.DeleteFunc(slices.Clone(r.objects), func(o *object) bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.operations) == 0
	})
}

// history returns the operations of an object that say something, by their calls: what surely did
// not happen does not, and reads without an answer do not.
func (o *object) history() []*operation {
	o.mu.Lock()
	defer o.mu.Unlock()
	told := slices.DeleteFunc(slices.Clone(o.operations), func(op *operation) bool {
		return op.outcome == failed || op.outcome == unknown && !op.writes()
	})
	slices.SortFunc(told, byCall)
	return told
}
