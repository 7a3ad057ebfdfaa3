package raftfix

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"
)

// A late answer is a future of Raft's that is answered when told to, or never.
type lateAnswer struct {
	raft.Future
	told chan error
}

func (l lateAnswer) Error() error { return <-l.told }

// Whoever asked is told in any case: the answer while there is time for one, else that there is
// none. What comes later is not put.
func TestQuestionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQuestions()
		answered, forgotten := lateAnswer{told: make(chan error)}, lateAnswer{told: make(chan error)}
		type said struct {
			err error
			at  time.Time
		}
		ask := func(a lateAnswer) chan said {
			heard := make(chan said, 1)
			go func() {
				err := q.Ask(t.Context(), func() raft.Future { return a })
				heard <- said{err, time.Now()}
			}()
			return heard
		}
		first, second := ask(answered), ask(forgotten)
		synctest.Wait()
		begun := time.Now()
		go func() {
			time.Sleep(time.Second)
			answered.told <- raft.ErrNotLeader
		}()
		q.End()
		if s := <-first; !errors.Is(s.err, raft.ErrNotLeader) || s.at.Sub(begun) != time.Second {
			t.Errorf("after %s: %v", s.at.Sub(begun), s.err)
		}
		if s := <-second; !errors.Is(s.err, ErrNoAnswer) || s.at.Sub(begun) != answersWait {
			t.Errorf("after %s what Raft forgot is %v", s.at.Sub(begun), s.err)
		}
		put := func() raft.Future { t.Error("Raft is asked after the end"); return answered }
		if err := q.Ask(t.Context(), put); !errors.Is(err, ErrNotPut) {
			t.Errorf("a question after the end: %v", err)
		}
		forgotten.told <- nil // so that its goroutine ends
	})
}

// A caller waits for no longer than his context.
func TestQuestionsObeyTheirContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQuestions()
		never := lateAnswer{told: make(chan error)}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := q.Ask(ctx, func() raft.Future { return never }); !errors.Is(err, ErrNoAnswer) {
			t.Error(err)
		}
		never.told <- nil
	})
}
