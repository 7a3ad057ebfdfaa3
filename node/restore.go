package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/internal/release"
	"keyquorum/seal"
	"keyquorum/vault"
)

// A restore goes back to a snapshot while all nodes serve. Its records come into the log first, of
// which nobody sees anything, and one entry then puts them in the place of those of now
// (fsm.Restore). Whoever dies before that has restored nothing. What is left in the state then the
// leader sweeps away (sweepLeftovers).

// ErrForeignSnapshot: the snapshot is no one of this cluster, or this cluster's keyring does not
// open it.
var ErrForeignSnapshot = errors.New("could not verify the snapshot: no unsealed node of this " +
	"cluster wrote it, or terms of the keyring were dropped and the shares changed since. " +
	"`keyquorum operator recover` makes a cluster of it, with the shares of its day")

// ErrRestoreSwept: what was staged is gone, for this node was away for long.
var ErrRestoreSwept = errors.New("this node was away from the others for so long that they took " +
	"the restore for dead and removed what it had staged: nothing was restored; begin again")

// ErrRestoredMeanwhile: another restore came first.
var ErrRestoredMeanwhile = errors.New("another snapshot was restored meanwhile, and this one " +
	"was not: look at what is there now, and begin again if that is not what you want")

// A Restored says what was restored.
type Restored struct {
	Number  uint64 // of the restores of this cluster, from 1
	Index   uint64 // at which it came into force
	Records int
}

// Restore puts the vaults, objects, applications and grants of a snapshot of this cluster in the
// place of those of now, on all nodes at once. Members, shares, keys of the cluster and operators'
// tokens stay. What was written since the snapshot is gone then, and what was purged or revoked
// since is back.
//
// Errors: ErrSealed, ErrForeignSnapshot, ErrRestoredMeanwhile, cluster's; of those only
// cluster.ErrUnknown leaves open whether the snapshot is in force. tell hears how many records are
// staged.
func (n *Node) Restore(
	ctx context.Context, s *SnapshotFile, tell func(records int),
) (Restored, error) {
	m, k := n.member.Load(), n.keys.Load()
	switch {
	case m == nil:
		return Restored{}, n.absent()
	case k == nil:
		return Restored{}, ErrSealed
	}
	if err := k.refresh(m.cluster.View()); err != nil {
		return Restored{}, err
	}
	if err := m.cluster.Awaits(release.Of(uint8(fsm.Restore))); err != nil {
		return Restored{}, err
	}
	then, done, err := s.keyring(m, k)
	if err != nil {
		return Restored{}, err
	}
	defer done()
	last, _ := m.cluster.View().Restored()
	r := &restore{m: m, k: k, then: then, id: fsm.NewID(), from: s.fsm.View(),
		number: last.Number + 1, tell: tell}
	restored, err := r.run(ctx, n.config.Now())
	if err != nil && !errors.Is(err, cluster.ErrUnknown) {
		n.sweepStaged(m, k, fsm.StageDir(r.id))
	}
	return restored, err
}

// keyring is what opens a snapshot of this cluster on an unsealed member: the one that the snapshot
// holds, since it has terms that were dropped meanwhile, or the member's own, where the shares have
// changed. It is closed when the node is sealed, or with done. The error is ErrForeignSnapshot.
func (s *SnapshotFile) keyring(m *member, k *keys) (then *seal.Keyring, done func(), err error) {
	then, done = k.keyring, func() {}
	wrapped, _ := s.fsm.View().Get(pathKeyring)
	if own, err := k.root.UnwrapKeyring(wrapped.Value); err == nil {
		stop := context.AfterFunc(k.working, own.Close)
		then, done = own, func() {
			if stop() {
				own.Close()
			}
		}
	}
	if s.Cluster != m.identity.ClusterID || !s.fsm.View().Line().Agrees(m.cluster.View().Line()) ||
		s.written(then) != nil {
		done()
		return nil, nil, ErrForeignSnapshot
	}
	return then, done, nil
}

// Past opens a snapshot of this cluster, so that single objects can be brought back out of it
// (vault.BringBackObject). done forgets its keys. Errors: ErrSealed, ErrForeignSnapshot.
func (n *Node) Past(s *SnapshotFile) (p vault.Past, done func(), err error) {
	m, k := n.member.Load(), n.keys.Load()
	switch {
	case m == nil:
		return vault.Past{}, nil, n.absent()
	case k == nil:
		return vault.Past{}, nil, ErrSealed
	}
	if err := k.refresh(m.cluster.View()); err != nil {
		return vault.Past{}, nil, err
	}
	then, done, err := s.keyring(m, k)
	return vault.Past{View: s.fsm.View(), Keyring: then}, done, err
}

// Restoring says whether a restore is under way in the cluster, as far as this node has heard: its
// records wait in the state. One that has died counts until the leader has cleaned up.
func (n *Node) Restoring() bool {
	if m := n.member.Load(); m != nil {
		for range m.cluster.View().Staged {
			return true
		}
	}
	return false
}

// A restore is one under way on this node.
type restore struct {
	m      *member
	k      *keys
	then   *seal.Keyring // that opens what the snapshot holds
	id     fsm.ID
	from   fsm.View
	number uint64
	tell   func(records int)
}

func (r *restore) run(ctx context.Context, now time.Time) (Restored, error) {
	staged, err := r.stage(ctx)
	if err != nil {
		return Restored{}, err
	}
	at := uint64(0)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), forceWait)
	defer cancel()
	err = r.insist(ctx, fsm.Restore, func(view fsm.View, txn *fsm.Txn) error {
		last, index := view.Restored()
		switch {
		case last.ID == r.id:
			at = index
			return nil // by an earlier attempt
		case last.Number >= r.number:
			return ErrRestoredMeanwhile
		}
		if stagedAt(view, r.id) != staged {
			return ErrRestoreSwept
		}
		digest := r.from.Digest()
		value, err := fsm.Restoration{
			Number: r.number, ID: r.id, Records: uint64(staged), Dirs: vault.RestorableDirs,
			From: fsm.Place{Index: r.from.Index(), Digest: digest}, Time: now.Unix(),
		}.Encode()
		if err == nil {
			cluster.Put(txn, view, fsm.PathRestored, value)
		}
		return err
	})
	if _, index := r.m.cluster.View().Restored(); at == 0 {
		at = index
	}
	return Restored{Number: r.number, Index: at, Records: staged}, err
}

// stagedAt counts what waits in a view.
func stagedAt(view fsm.View, id fsm.ID) (n int) {
	for range view.Scan(fsm.StageDir(id), "") {
		n++
	}
	return n
}

// forceWait bounds how long the last step of a restore is tried, whoever has stopped waiting for it:
// the usage record is to say what became of it.
const forceWait = time.Minute

// insist makes a change that is good to make twice, whoever leads meanwhile, until the context ends.
func (r *restore) insist(ctx context.Context, verb fsm.Verb,
	decide func(fsm.View, *fsm.Txn) error) error {
	for unknown := error(nil); ; {
		err := r.m.change(ctx, verb, decide)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, cluster.ErrUnknown):
			unknown = err // an earlier attempt may yet be applied, whatever becomes of the next
		case !errors.Is(err, cluster.ErrUnavailable):
			return errors.Join(unknown, err)
		}
		select {
		case <-time.After(followRest):
		case <-ctx.Done():
			return errors.Join(unknown, err)
		case <-r.k.working.Done():
			return errors.Join(unknown, ErrSealed)
		}
	}
}

const (
	// stageBytes is how much of records one transaction stages, in bytes: far below what one may
	// have, with what sealing them anew adds.
	stageBytes = 256 << 10
	// stagers is how many transactions are under way at a time: so they share the disks' syncs.
	stagers = 8
)

// stage has all records that are to be restored wait in the state, and counts them.
func (r *restore) stage(ctx context.Context) (staged int, err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	batches := make(chan []string)
	var workers sync.WaitGroup
	for range stagers {
		workers.Go(func() {
			for batch := range batches {
				if err := r.stageBatch(ctx, batch); err != nil {
					stop(err)
				}
			}
		})
	}
	var batch []string
	bytes := 0
	send := func() {
		select {
		case batches <- batch:
			staged += len(batch)
			r.tell(staged)
		case <-ctx.Done():
		}
		batch, bytes = nil, 0
	}
	for path, record := range r.from.Scan("", "") {
		if !restorable(path) || ctx.Err() != nil {
			continue
		}
		if bytes += len(path) + len(record.Value); len(batch) > 0 &&
			(bytes > stageBytes || len(batch) == fsm.MaxWrites) {
			send()
			bytes = len(path) + len(record.Value)
		}
		batch = append(batch, path)
	}
	send()
	close(batches)
	workers.Wait()
	return staged, context.Cause(ctx)
}

func restorable(path string) bool {
	return slices.ContainsFunc(vault.RestorableDirs, func(dir string) bool {
		return strings.HasPrefix(path, dir)
	})
}

// stageBatch has the records at some paths wait. Each is sealed anew for the place that it is to
// have, under the newest key: the older one may be dropped, or the shares of then known.
func (r *restore) stageBatch(ctx context.Context, paths []string) error {
	return r.insist(ctx, fsm.Ordinary, func(view fsm.View, txn *fsm.Txn) error {
		if last, _ := view.Restored(); last.Number >= r.number {
			return ErrRestoredMeanwhile
		}
		if err := r.m.cluster.NoRoom(); err != nil {
			return err
		}
		if err := r.k.refresh(view); err != nil {
			return err
		}
		for _, path := range paths {
			at := fsm.StagePath(r.id, path)
			if _, ok := view.Get(at); ok {
				continue // by an earlier attempt
			}
			value, err := r.resealed(path, view.Index())
			if err != nil {
				return fmt.Errorf("the record %s of the snapshot: %w", path, err)
			}
			cluster.Put(txn, view, at, value)
		}
		return nil
	})
}

// resealed is a record of the snapshot, sealed for its path and another logical version.
func (r *restore) resealed(path string, logical uint64) ([]byte, error) {
	record, _ := r.from.Get(path)
	plain, err := r.then.Open(nil, path, record.Logical, record.Value)
	if err != nil {
		return nil, err
	}
	defer plain.Zero()
	if !seal.InParts(record.Value) {
		return r.k.keyring.Seal(nil, path, logical, plain)
	}
	first, err := r.then.OpenFirst(nil, path, record.Logical, record.Value)
	if err != nil {
		return nil, err
	}
	defer first.Zero()
	return r.k.keyring.SealApart(nil, path, logical, plain[:len(first)], plain[len(first):])
}

// stagedRests is for how many passes of background work staged records lie untouched before the
// leader takes them for those of a restore that has died: ten minutes.
const stagedRests = 10

// leftovers are the staged records that a leader has seen: the newest change under each directory,
// and since when it is that.
type leftovers map[string]leftover

type leftover struct {
	newest uint64
	since  time.Time
}

// sweepLeftovers removes what restores have left that did not end. The leader does it.
func (n *Node) sweepLeftovers(m *member, k *keys, seen leftovers) {
	now := stagedIn(m.cluster.View())
	for dir := range seen {
		if _, there := now[dir]; !there {
			delete(seen, dir)
		}
	}
	for dir, newest := range now {
		before, known := seen[dir]
		switch {
		case !known || before.newest != newest:
			seen[dir] = leftover{newest, time.Now()}
		case time.Since(before.since) > stagedRests*n.workRest():
			n.logger().Warn("a restore did not end; removing what it has staged")
			n.sweepStaged(m, k, dir)
		}
	}
}

// stagedIn is the newest change in each directory of staged records.
func stagedIn(view fsm.View) map[string]uint64 {
	newest := make(map[string]uint64)
	for path, r := range view.Staged {
		dir := path[:len(fsm.StageDir(fsm.ID{}))]
		newest[dir] = max(newest[dir], r.Mod)
	}
	return newest
}

// sweepWait bounds how long a restore that has failed takes to clean up. What it does not get done
// the leader does.
const sweepWait = time.Minute

// sweepStaged removes staged records.
func (n *Node) sweepStaged(m *member, k *keys, dir string) {
	ctx, cancel := context.WithTimeout(k.working, sweepWait)
	defer cancel()
	for {
		view := m.cluster.View()
		txn := view.Begin(fsm.Ordinary)
		for path, r := range view.Scan(dir, "") {
			if len(txn.Writes) == fsm.MaxWrites {
				break
			}
			txn.Conditions = append(txn.Conditions,
				fsm.Condition{Kind: fsm.Unchanged, Path: path, Index: r.Mod})
			txn.Writes = append(txn.Writes, fsm.Write{Path: path, Delete: true})
		}
		if len(txn.Writes) == 0 {
			return
		}
		outcome, err := m.cluster.Commit(ctx, txn)
		if err == nil {
			err = m.cluster.Wait(ctx, max(outcome.Index, outcome.At))
		}
		if err != nil {
			n.logger().Warn("what a failed restore has staged is still there", "error", err)
			return
		}
	}
}
