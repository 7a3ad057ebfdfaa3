package raftfix

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// Questions are those that wait for Raft's answer. A Raft that is shut down forgets whatever stands
// in one of its queues, so whoever shuts it down calls End first.
type Questions struct {
	mu     sync.Mutex
	ended  bool
	wg     sync.WaitGroup
	waits  context.Context // is over when nobody waits any more
	giveUp context.CancelFunc
}

var (
	// ErrNotPut: the question came after End, and Raft was not asked.
	ErrNotPut = errors.New("raftfix: the question was not put")
	// ErrNoAnswer: the context, or the time that End gives, was over before Raft answered.
	ErrNoAnswer = errors.New("raftfix: no answer")
)

// answersWait is how long End waits for Raft's answers: Raft has them within the time of an
// election, or it hangs.
const answersWait = 2 * time.Second

// NewQuestions returns Questions of which none is asked yet.
func NewQuestions() *Questions {
	waits, giveUp := context.WithCancel(context.Background())
	return &Questions{waits: waits, giveUp: giveUp}
}

// Ask waits for the answer to a question. Errors: Raft's own, ErrNotPut, ErrNoAnswer.
func (q *Questions) Ask(ctx context.Context, question func() raft.Future) error {
	if !q.begin() {
		return ErrNotPut
	}
	done := make(chan error, 1)
	go func() {
		defer q.wg.Done()
		done <- question().Error()
	}()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	case <-q.waits.Done():
	}
	return ErrNoAnswer
}

func (q *Questions) begin() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if !q.ended {
		q.wg.Add(1)
	}
	return !q.ended
}

// End lets no more questions in, gives the answers under way their time, and waits no longer for
// the rest.
func (q *Questions) End() {
	q.mu.Lock()
	q.ended = true
	q.mu.Unlock()
	answered := make(chan struct{})
	go func() { q.wg.Wait(); close(answered) }() // ends with the last answer
	select {
	case <-answered:
	case <-time.After(answersWait):
	}
	q.giveUp()
}
