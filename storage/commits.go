package storage

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	bolterrors "go.etcd.io/bbolt/errors"

	"keyquorum/internal/latch"
)

// A commits is the one way to write to raft.db, and the latch: the first commit that fails is the
// last that is tried.
//
// An fsync that failed once may report success the next time although the pages are gone (Linux
// drops them), so nothing that is asked of this process's view of the file afterwards proves
// anything. A new process reads what is really there.
type commits struct {
	db     *liveBolt
	failed chan struct{} // closed after poison is set

	gate func(op, path string) error // see Store.Gate; nil in a node

	// writing is held over each commit, so that none begins before it is known how the last ended.
	writing latch.Latch
	poison  atomic.Pointer[error]

	counting sync.Mutex // guards the fields below; never held over I/O
	weight   weight
	syncs    int64
	slowest  time.Duration
	underWay []time.Time // when the commits began that have not ended; never more than a few
}

// The steps of a commit that Store.Gate is asked about. The others are those of the small file
// layer (disk).
const (
	opCommit    = "commit"    // before anything is written
	opCommitted = "committed" // it is on disk: an error here is that of an fsync that did its work and failed
)

// errClosed is told apart from a failing disk: it poisons nothing.
var errClosed = errors.New("storage: the folder was closed")

func newCommits(db *liveBolt) *commits {
	return &commits{db: db, failed: make(chan struct{}), writing: latch.New()}
}

func (c *commits) err() error {
	if p := c.poison.Load(); p != nil {
		return *p
	}
	return nil
}

// commit runs one bolt transaction that writes; after calls it when it is safely on disk, under the
// same lock.
func (c *commits) commit(what string, write func() error, after func()) error {
	begun := c.begin()
	defer c.end(begun)
	refused := c.ask(opCommit) // before the lock: whoever is held back holds back nobody else
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.err(); err != nil {
		return err
	}
	size, start := c.db.size(), time.Now()
	err := refused
	if err == nil {
		err = errors.Join(write(), c.ask(opCommitted))
	}
	if errors.Is(err, bolterrors.ErrDatabaseNotOpen) {
		return errClosed
	}
	if err != nil {
		return c.fail(what, err)
	}
	c.count(time.Since(start), c.db.size() > size)
	if after != nil {
		after()
	}
	return nil
}

// alone runs f while no commit is under way, and not when one has failed. Commits wait for it.
func (c *commits) alone(f func() error) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	if err := c.err(); err != nil {
		return err
	}
	return f()
}

// begin notes a commit that is under way.
func (c *commits) begin() time.Time {
	c.counting.Lock()
	defer c.counting.Unlock()
	now := time.Now()
	c.underWay = append(c.underWay, now)
	return now
}

func (c *commits) end(begun time.Time) {
	c.counting.Lock()
	defer c.counting.Unlock()
	i := slices.Index(c.underWay, begun)
	c.underWay = slices.Delete(c.underWay, i, i+1)
}

// waiting is for how long the oldest commit under way has been, 0 for none.
func (c *commits) waiting() time.Duration {
	c.counting.Lock()
	defer c.counting.Unlock()
	if len(c.underWay) == 0 {
		return 0
	}
	return time.Since(slices.MinFunc(c.underWay, time.Time.Compare))
}

// ask puts a step to the gate, if there is one.
func (c *commits) ask(op string) error {
	if c.gate == nil {
		return nil
	}
	return c.gate(op, c.db.path)
}

// fail closes the latch. The caller holds writing.
func (c *commits) fail(what string, err error) error {
	err = fmt.Errorf("storage: %s in %s failed, and nothing more is written: %w", what, c.db.path, err)
	c.poison.Store(&err)
	close(c.failed)
	return err
}

// count adds what bolt does for a commit: one fdatasync after the data pages, one after the meta
// page, and an fsync before both when the file had to grow.
func (c *commits) count(took time.Duration, grew bool) {
	c.counting.Lock()
	defer c.counting.Unlock()
	c.syncs += 2
	if grew {
		c.syncs++
	}
	c.slowest = max(c.slowest, took)
}

func (c *commits) added(index uint64, bytes int) {
	c.counting.Lock()
	defer c.counting.Unlock()
	c.weight.add(index, int64(bytes))
}

func (c *commits) snapshotFinished(index uint64) {
	c.counting.Lock()
	defer c.counting.Unlock()
	c.weight.snapshot(index)
}

func (c *commits) stats() Stats {
	c.counting.Lock()
	defer c.counting.Unlock()
	return Stats{LogBytesSinceSnapshot: c.weight.since(), Syncs: c.syncs, SlowestSync: c.slowest}
}
