package seeds

import (
	"context"
	"sync"
	"time"

	"keyquorum/node"
)

// An answered is a place that has given a challenge.
type answered struct {
	there     node.Challenger
	challenge node.Challenge
}

// inTurn asks n places, the next one when one has failed or been silent for a while. So places that
// swallow what is sent there hold up the others for a moment each, and not for a deadline: somebody
// who has given the last share waits. It returns the first answer, when all that was asked has
// ended, or why each place failed.
func inTurn(ctx context.Context, n int, ask func(ctx context.Context, i int) (answered, error)) (
	answered, error,
) {
	ctx, cancel := context.WithCancel(ctx)
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()

	type outcome struct {
		i    int
		from answered
		err  error
	}
	outcomes := make(chan outcome, n)
	failed := make(failures, n)
	for next, ended := 0, 0; ended < n; {
		var turn <-chan time.Time
		if next < n {
			i := next
			asked.Go(func() {
				from, err := ask(ctx, i)
				outcomes <- outcome{i, from, err}
			})
			next++
			turn = time.After(silence)
		}
		select {
		case o := <-outcomes:
			if o.err == nil {
				return o.from, nil
			}
			failed[o.i] = o.err
			ended++
		case <-turn:
		}
	}
	return answered{}, failed.asOne()
}
