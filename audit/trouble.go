package audit

import (
	"fmt"
	"sync"
	"time"
)

const (
	// hangs is how long a write or sync may take before it counts as one that hangs.
	hangs = time.Second
	// troubled is for how long a failure is told of. Whether the next line could be written is not known before there is one.
	troubled = 30 * time.Second
)

// A watch knows how the writer fares: it is asked by others while the writer may hang.
type watch struct {
	mu     sync.Mutex
	since  time.Time // the step under way began; zero: none is
	failed time.Time // a step last did
	err    error     // with this
}

// step runs one of the writer's steps under watch.
func (w *watch) step(what func() error) error {
	w.mu.Lock()
	w.since = time.Now()
	w.mu.Unlock()
	err := what()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, w.err = time.Time{}, err
	if err != nil {
		w.failed = time.Now()
	}
	return err
}

// Trouble says why requests can't be recorded now, as far as is known: a write or sync hangs, or failed a moment ago and none has
// succeeded since. It never waits.
func (l *Log) Trouble() error {
	w := &l.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if took := time.Since(w.since); !w.since.IsZero() && took > hangs {
		return fmt.Errorf("audit: the usage log has not taken a line for %s", took.Round(time.Second))
	}
	if w.err != nil && time.Since(w.failed) < troubled {
		return w.err
	}
	return nil
}
