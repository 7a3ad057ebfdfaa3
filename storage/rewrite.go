package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"path/filepath"

	"github.com/hashicorp/raft"
)

const (
	// rewriteBatch bounds the bytes of entries that are copied in one transaction.
	rewriteBatch = 1 << 20
	// maxRewritePasses bounds how often a copy runs after a log that grows faster than it.
	maxRewritePasses = 20
)

var errOutgrown = errors.New("the log grows faster than it is copied")

// A rewriting is a new file that is to take the place of raft.db. Bolt never clears a page that it
// frees; a file in which nothing was ever deleted has nothing of it.
type rewriting struct {
	*Store
	live *liveBolt
	copy *boltFile
	path string    // of the copy, until it has raft.db's name
	old  *boltFile // that had it, once the copy has
}

// rewriteBolt writes raft.db anew, without what it holds in free pages.
func (s *Store) rewriteBolt() error {
	live, d := s.commits.db, s.snapshots.disk
	r := &rewriting{Store: s, live: live, path: live.path + temporary}
	err := r.begin()
	if err == nil {
		err = guard(r.fill)
	}
	if err == nil {
		err = s.commits.alone(func() error { return guard(r.replace) })
	}
	switch {
	case r.old != nil:
		err = errors.Join(err, r.old.Close()) // only now: it held the folder's lock
	case r.copy != nil:
		err = errors.Join(err, r.copy.Close(), d.removeAll(r.path))
	}
	if err != nil {
		return fmt.Errorf("writing %s anew: %w", live.path, err)
	}
	return nil
}

// begin makes an empty copy. It is locked from the start, so that raft.db is locked whatever file
// has the name.
func (r *rewriting) begin() (err error) {
	d := r.snapshots.disk
	if err := d.removeAll(r.path); err != nil { // of one that failed
		return err
	}
	if err := d.before("create", r.path); err != nil {
		return err
	}
	if r.copy, err = openBoltAs(r.path, r.live.path); err != nil {
		return errors.Join(err, d.removeAll(r.path))
	}
	return nil
}

// fill copies while others write, and ends when there was next to nothing to do.
func (r *rewriting) fill() error {
	var values []confValue
	err := r.commits.alone(func() (err error) {
		values, err = readConf(r.live.file.file)
		return err
	})
	if err != nil {
		return err
	}
	if err := r.setValues(values); err != nil {
		return err
	}
	for range maxRewritePasses {
		if steps, err := r.catchUp(); err != nil || steps <= 1 {
			return err
		}
	}
	return errOutgrown
}

// replace puts the copy in the place of raft.db. Commits wait for it, and find the new file in use.
// It takes as long as a few of them: what is left to copy is what was stored while one batch was
// copied, and values that changed; then come one fsync, one rename and the sync of a folder. How
// large the log is does not matter.
//
// The copy is on disk before it has the name. From then on it is in use, because a process that is
// started now takes what has the name; and when the name can't be made durable nothing more may be
// stored, for it would be gone with the name.
func (r *rewriting) replace() error {
	values, err := readConf(r.live.file.file)
	if err != nil {
		return err
	}
	if err := r.setValues(values); err != nil {
		return err
	}
	if _, err := r.catchUp(); err != nil {
		return err
	}
	d := r.snapshots.disk
	if err := d.sync(r.path, r.copy.file); err != nil {
		return err
	}
	if err := d.rename(r.path, r.live.path); err != nil {
		return err
	}
	r.old = r.live.swap(r.copy)
	if err := d.syncDir(filepath.Dir(r.live.path)); err != nil {
		return r.commits.fail("replacing all pages", err)
	}
	return nil
}

// setValues stores those stable values that the copy does not hold as they are.
func (r *rewriting) setValues(values []confValue) error {
	for _, v := range values {
		if had, err := r.copy.Get(v.key); err == nil && bytes.Equal(had, v.value) {
			continue
		}
		if err := r.step(); err != nil {
			return err
		}
		if err := r.copy.Set(v.key, v.value); err != nil {
			return err
		}
	}
	return nil
}

// catchUp makes the copy's log what the log is, unless that changes meanwhile: then the next time
// does. It says how many transactions it took.
func (r *rewriting) catchUp() (steps int, err error) {
	changed := r.logs.changed.Swap(noChange) // before anything is read
	first, err1 := r.logs.FirstIndex()
	last, err2 := r.logs.LastIndex()
	if err := errors.Join(err1, err2); err != nil {
		return 0, err
	}
	if first == 0 || first > last {
		return r.cut(0, math.MaxUint64)
	}
	tail, err1 := r.cut(min(changed, last+1), math.MaxUint64)
	head, err2 := r.cut(0, first-1)
	copied, err3 := r.copy.LastIndex()
	if err := errors.Join(err1, err2, err3); err != nil {
		return 0, err
	}
	batches, err := r.copyLogs(max(first, copied+1), last)
	return tail + head + batches, err
}

// cut deletes entries from the copy, in steps as the log does.
func (r *rewriting) cut(low, high uint64) (steps int, err error) {
	first, err1 := r.copy.FirstIndex()
	last, err2 := r.copy.LastIndex()
	if err := errors.Join(err1, err2); err != nil || first == 0 {
		return 0, err
	}
	for low, high = max(low, first), min(high, last); low <= high; low += deleteStep {
		if err := r.step(); err != nil {
			return steps, err
		}
		if err := r.copy.DeleteRange(low, min(low+deleteStep-1, high)); err != nil {
			return steps, err
		}
		steps++
	}
	return steps, nil
}

// copyLogs appends entries to the copy, in batches.
func (r *rewriting) copyLogs(low, high uint64) (steps int, err error) {
	for low <= high {
		if err := r.step(); err != nil {
			return steps, err
		}
		var batch []*raft.Log
		if batch, low, err = r.batch(low, high); err != nil {
			return steps, err
		}
		if err := r.copy.StoreLogs(batch); err != nil {
			return steps, err
		}
		steps++
	}
	return steps, nil
}

// batch reads entries from low on, and says where the next one begins. Their checksums are looked
// at and stay as they are: what goes wrong between two disks is found by whoever reads the second.
// An entry that is not there was deleted meanwhile.
func (r *rewriting) batch(low, high uint64) (entries []*raft.Log, next uint64, err error) {
	for size := 0; low <= high && size < rewriteBatch && len(entries) < deleteStep; low++ {
		l, err := r.logs.fetch(low)
		if errors.Is(err, raft.ErrLogNotFound) {
			continue
		}
		if err != nil {
			return nil, low, err
		}
		checked := l
		if err := withoutCRC(&checked, low); err != nil {
			return nil, low, err
		}
		entries, size = append(entries, &l), size+entryWeight(&l)
	}
	return entries, low, nil
}

// step is asked before each transaction of the copy.
func (r *rewriting) step() error {
	if err := r.usable(); err != nil {
		return err
	}
	return r.snapshots.disk.before("write", r.path)
}
