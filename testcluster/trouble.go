package testcluster

import (
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

// A trouble is what stands between a node in this process and its disk, its usage log and its
// clock. The zero trouble is none.
type trouble struct {
	mu       sync.Mutex
	disk     error         // of every step before it is done
	sync     error         // of the next commit after it was done
	usage    error         // of every write to the usage log
	hung     chan struct{} // closed when the disk goes on; nil: it does not hang
	paused   chan struct{} // closed at Resume; nil: not paused
	pausedAt time.Time
	skew     time.Duration
	drift    leaseDrift
	dead     bool
}

// revive ends death alone: what is wrong with a machine goes on being wrong when a process starts
// again.
func (t *trouble) revive() { t.change(func() { t.dead = false }) }

func (t *trouble) change(f func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f()
}

// die lets whoever waits go on, to fail.
func (t *trouble) die() {
	t.change(func() { t.dead = true; t.unhang() })
	t.resume()
}

// unhang lets the disk go on. The caller holds mu.
func (t *trouble) unhang() {
	if t.hung != nil {
		close(t.hung)
		t.hung = nil
	}
}

func (t *trouble) pause() {
	t.change(func() {
		if t.paused == nil {
			t.paused, t.pausedAt = make(chan struct{}), time.Now()
		}
	})
}

func (t *trouble) resume() {
	t.change(func() {
		if t.paused != nil {
			close(t.paused)
			t.paused = nil
		}
	})
}

// wait returns when the node is not paused, with what it finds then.
func (t *trouble) wait(fault func() error) error {
	for {
		t.mu.Lock()
		paused, dead, err := t.paused, t.dead, fault()
		t.mu.Unlock()
		switch {
		case dead:
			return errKilled
		case paused == nil:
			return err
		}
		<-paused
	}
}

// atDisk is node.Config.Disk.
func (t *trouble) atDisk(op, _ string) error {
	if op == "committed" {
		var err error
		t.change(func() { err, t.sync = t.sync, nil })
		return err
	}
	for {
		t.mu.Lock()
		hung := t.hung
		t.mu.Unlock()
		if hung == nil {
			return t.wait(func() error { return t.disk })
		}
		<-hung
	}
}

// now is node.Config.Now. A paused node's clock stands; what it reads after is the time of day
// again, as on a machine.
func (t *trouble) now() time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	if t.paused != nil {
		now = t.pausedAt
	}
	return now.Add(t.skew)
}

// leaseNow is node.Config.Leases.Clock: time since the machine started, which goes on while the
// node is paused. Whoever looks at it then comes to stand right behind the look.
func (t *trouble) leaseNow() time.Duration {
	t.mu.Lock()
	now := t.drift.at(time.Since(boot))
	t.mu.Unlock()
	_ = t.wait(func() error { return nil })
	return now
}

// leaseDrift is a lease clock that may run at another rate than time. The zero one is right.
type leaseDrift struct {
	since, ahead time.Duration
	rate         float64 // beyond 1
}

func (d leaseDrift) at(now time.Duration) time.Duration {
	return now + d.ahead + time.Duration(float64(now-d.since)*d.rate)
}

// change lets it run on at another rate.
func (d *leaseDrift) change(now time.Duration, rate float64) {
	d.ahead, d.since, d.rate = d.at(now)-now, now, rate-1
}

// boot is before any bubble began, whose clocks start in the year 2000.
var boot = time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC)

// A usageLog is a usage log that can fail. It is the file that the program would open.
type usageLog struct {
	*os.File
	trouble *trouble
}

func openUsageLog(path string, t *trouble) (usageLog, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return usageLog{}, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	return usageLog{f, t}, err
}

func (l usageLog) Write(b []byte) (int, error) {
	if err := l.trouble.wait(func() error { return l.trouble.usage }); err != nil {
		return 0, err
	}
	return l.File.Write(b)
}

func (l usageLog) Sync() error {
	if err := l.trouble.wait(func() error { return l.trouble.usage }); err != nil {
		return err
	}
	return l.File.Sync()
}

// What a disk says when it fails.
var (
	errIO   = &os.PathError{Op: "write", Path: "the disk", Err: syscall.EIO}
	errFull = &os.PathError{Op: "write", Path: "the disk", Err: syscall.ENOSPC}
)
