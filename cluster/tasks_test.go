package cluster_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/cluster"
)

// A member's end waits for what its goroutines have begun, and after it nothing begins.
func TestNothingBeginsAfterTheEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var tasks cluster.Tasks
		var late, after bool
		gate := make(chan struct{})
		tasks.Begin(func() {
			<-gate
			late = tasks.Begin(func() { after = true })
		})
		ended := make(chan struct{})
		go func() { tasks.End(); close(ended) }()
		synctest.Wait()
		select {
		case <-ended:
			t.Fatal("the end did not wait")
		default:
		}
		close(gate)
		<-ended
		synctest.Wait()
		if late || after || tasks.Begin(func() { after = true }) {
			t.Error("something begins when the member ends")
		}
	})
}

// Raft's goroutines run before Open has it from the library.
func TestRaftMayConnectBeforeItHasStarted(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := cluster.ConnectUnstarted(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("it hears %v", err)
		}
	})
}
