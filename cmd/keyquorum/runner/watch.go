package runner

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// watch looks from time to time whether a secret has another version, and gives the environment
// that a command then should have. Without --watch nothing ever comes.
func (r *running) watch(ctx context.Context, variables []variable) <-chan environment {
	changes := make(chan environment)
	if !r.settings.watch {
		return changes
	}
	current := r.environment.versions
	go func() {
		tick := time.NewTicker(r.settings.every)
		defer tick.Stop()
		told := false
		for range tick.C {
			now, err := r.resolve(ctx, variables)
			if err != nil {
				if !told {
					fmt.Fprintf(
						r.people,
						"keyquorum: the command goes on with the secrets that it has: %v\n",
						err,
					)
				}
				told = true
				continue
			}
			told = false
			if !maps.Equal(now.versions, current) {
				current = now.versions
				changes <- now
			}
		}
	}()
	return changes
}
