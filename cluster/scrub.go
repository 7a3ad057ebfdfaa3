package cluster

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// What was deleted is gone from the state at once, and from this member's folder some minutes
// later: until then log, free pages and snapshots hold what shares and keyring can open. The seal
// record and the keyring of before a rekey are deleted in this sense: older shares open them. Each
// member sees to its own folder, sealed or not: it takes a snapshot of a state from after the
// deletion, cuts the log behind everything that was deleted, and has the folder rewritten
// (storage.Scrub). That costs as much as a snapshot, however much was deleted, so it is done once
// for all that was deleted in a while.
//
// Before it serves, a member that comes back does it for what was deleted while it was away.

// scrubAfter is how long after a deletion a member begins, and scrubSpread by how much later some
// do: they needn't all write at once.
const (
	scrubAfter  = 4 * time.Minute
	scrubSpread = time.Minute
	scrubLook   = time.Second
)

// scrubbing is what a member knows of its folder's leftovers.
type scrubbing struct {
	busy  chan struct{} // full while the folder is scrubbed
	since sync.Mutex    // guards the following
	due   time.Time     // when the first deletion was seen that the folder may still hold; zero: none
	took  time.Duration
	runs  uint64
}

// read is for figures.
func (s *scrubbing) read() (leftover time.Duration, runs uint64, took time.Duration) {
	s.since.Lock()
	defer s.since.Unlock()
	if !s.due.IsZero() {
		leftover = time.Since(s.due)
	}
	return leftover, s.runs, s.took
}

// leftovers says whether the folder may hold what the state of a view has deleted.
func (c *Cluster) leftovers(v fsm.View) bool { return v.Erased() > c.Store.Scrubbed() }

// scrubs ends with the member.
func (c *Cluster) scrubs() {
	every := time.NewTicker(scrubLook)
	defer every.Stop()
	for {
		select {
		case <-every.C:
		case <-c.ctx.Done():
			return
		}
		if since := c.noteLeftovers(); since.IsZero() || time.Since(since) < c.scrubDelay() {
			continue
		}
		if err := c.scrub(c.ctx); err != nil && c.ctx.Err() == nil && !errors.Is(err, errUnvouched) {
			c.logger.Error("what was deleted is still in this member's folder; trying again", "error", err)
		}
	}
}

// noteLeftovers returns since when this process knows of leftovers; zero: there are none.
func (c *Cluster) noteLeftovers() time.Time {
	s := &c.scrubbing
	s.since.Lock()
	defer s.since.Unlock()
	switch left := c.leftovers(c.View()); {
	case !left:
		s.due = time.Time{}
	case s.due.IsZero():
		s.due = time.Now()
	}
	return s.due
}

// scrubDelay differs from member to member.
func (c *Cluster) scrubDelay() time.Duration {
	after := or(c.Compact.Scrub, scrubAfter)
	h := fnv.New32a()
	h.Write([]byte(c.id))
	return after + time.Duration(uint64(min(scrubSpread, after))*uint64(h.Sum32())>>32)
}

// errUnvouched: the next checkpoint comes soon.
var errUnvouched = errors.New("cluster: no state from after the deletion is vouched for yet")

// scrub does it now, up to the state that is vouched for.
func (c *Cluster) scrub(ctx context.Context) error {
	select {
	case c.scrubbing.busy <- struct{}{}:
		defer func() { <-c.scrubbing.busy }()
	case <-ctx.Done():
		return ctx.Err()
	}
	view, begun := c.View(), time.Now()
	switch vouched := view.Backing().Vouched; {
	case !c.leftovers(view):
		return nil
	case vouched < view.Erased():
		return errUnvouched
	default:
		if err := c.cutBehind(ctx, view); err != nil {
			return err
		}
		if err := c.Store.Scrub(vouched); err != nil {
			return err
		}
	}
	s := &c.scrubbing
	s.since.Lock()
	defer s.since.Unlock()
	s.took, s.runs, s.due = time.Since(begun), s.runs+1, time.Time{}
	if c.leftovers(c.View()) {
		s.due = begun // what was deleted meanwhile, at the earliest then
	}
	return nil
}

// cutBehind takes a snapshot, and cuts the log up to the last entry that holds something deleted.
// What comes after stays, for followers that are a little late.
func (c *Cluster) cutBehind(ctx context.Context, view fsm.View) error {
	last, err := c.lastDeleted(view)
	if err != nil {
		return err
	}
	kept := min(c.raft.LastIndex()-min(last, c.raft.LastIndex()),
		or(c.Compact.Entries, compactEntries))
	if err := c.snapshot(ctx, kept); err != nil {
		return fmt.Errorf("the snapshot: %w", err)
	}
	first, err := c.Store.Logs().FirstIndex()
	if err == nil && first != 0 && first <= last {
		err = errors.New("the log could not be cut")
	}
	return err
}

// lastDeleted is the newest entry of the log that holds something deleted.
func (c *Cluster) lastDeleted(view fsm.View) (uint64, error) {
	first, err := c.Store.Logs().FirstIndex()
	if err != nil || first == 0 {
		return 0, err
	}
	for index := min(view.Index(), c.raft.LastIndex()); index >= first; index-- {
		var entry raft.Log
		if err := c.Store.Logs().GetLog(index, &entry); err != nil {
			if errors.Is(err, raft.ErrLogNotFound) {
				return index, nil
			}
			return 0, err
		}
		if entry.Type == raft.LogCommand && holdsDeleted(view, &entry) {
			return index, nil
		}
	}
	return 0, nil
}

// holdsDeleted says whether an entry wrote something that a view does not have any more. It takes
// one that can't be read for such.
func holdsDeleted(view fsm.View, entry *raft.Log) bool {
	txn, err := fsm.DecodeTxn(entry.Data)
	if err != nil {
		return true
	}
	for _, w := range txn.Writes {
		if !w.Delete && gone(view, w.Path, entry.Index) {
			return true
		}
	}
	return false
}

// gone says whether what the entry at index wrote to a path is deleted. A path that has a value is
// never used again, but by a restore, which brings the value back. Two paths are: with seal record
// and keyring what stood there before is gone, or the shares of before a rekey would open it.
func gone(view fsm.View, path string, index uint64) bool {
	r, there := view.Get(path)
	if path == fsm.PathSeal || path == fsm.PathKeyring {
		return r.Mod != index
	}
	return !there
}

// Cleanse returns when this member's folder holds nothing of what was deleted before the call,
// anywhere. It is for a member that comes back, before it serves; it must be unsealed.
func (c *Cluster) Cleanse(ctx context.Context) error {
	if _, err := c.fence(ctx); err != nil {
		return err
	}
	for try := 0; ; try++ {
		view := c.View()
		if !c.leftovers(view) {
			return nil
		}
		if view.Backing().Vouched < view.Erased() {
			c.checkpoint(view)
		}
		err := c.scrub(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, errUnvouched) {
			return err
		}
		if pause(ctx, try) != nil {
			return fmt.Errorf("%w: %w", ErrUnavailable, err)
		}
	}
}
