package audit

import (
	"fmt"
	"sync"
	"time"
)

const (
	// hangs is how long a write or sync may take before it counts as one that hangs.
	hangs = time.Second
	// troubled is for how long a failure is told of. Whether the next line could be written is not
	// known before there is one.
	troubled = 30 * time.Second
)

// A watch knows how the writer fares: it is asked by others while the writer may hang.
type watch struct {
	mu    sync.Mutex
	since time.Time // the step under way began; zero: none is
	write fate      // of the newest write
	sync  fate      // of the newest sync
	look  fate      // and of the newest look at the file
}

// A fate is how a step ended. Each kind of step is cured by its own success alone: what is written
// no more can still be synced.
type fate struct {
	at  time.Time
	err error
}

// step runs one of the writer's steps under watch.
func (w *watch) step(kind *fate, what func() error) error {
	w.mu.Lock()
	w.since = time.Now()
	w.mu.Unlock()
	err := what()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.since, *kind = time.Time{}, fate{time.Now(), err}
	return err
}

// reopened forgets what was wrong with another file.
func (w *watch) reopened() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.write, w.sync, w.look = fate{}, fate{}, fate{}
}

// Trouble says why requests can't be recorded now, as far as is known: a write or sync hangs, or
// failed a moment ago and none has succeeded since. It never waits.
func (l *Log) Trouble() error {
	w := &l.watch
	w.mu.Lock()
	defer w.mu.Unlock()
	if took := time.Since(w.since); !w.since.IsZero() && took > hangs {
		return fmt.Errorf("audit: the usage log has not taken a line for %s", took.Round(time.Second))
	}
	for _, f := range []fate{w.write, w.sync, w.look} {
		if f.err != nil && time.Since(f.at) < troubled {
			return f.err
		}
	}
	return nil
}
