package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"keyquorum/cluster"
	"keyquorum/cluster/autopilot"
	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/internal/release"
	"keyquorum/seal"
)

// After a change of the keyring the leader seals anew what is sealed under older terms, a few
// records at a time, until nothing is. Nobody sees that: what is in a record stays, and so do its
// times and versions. What changes is the record's mod index. Whoever decides on the record at
// that moment meets a conflict, and decides again, as when any other writer was faster; and what
// somebody else has written meanwhile is not overwritten, for the same reason.
//
// Nothing is remembered but for this node: what is left to do is in the records themselves, so the
// next leader goes on.

const (
	rewrapRate  = 500       // records a second, at most
	rewrapShare = 4         // times as long as a batch took, the pass rests: load slows it down
	rewrapBatch = 16        // records of one transaction
	rewrapBytes = 256 << 10 // of them: the largest secret has some 35 KiB
	rewrapSlice = 4096      // records that are looked at in one go
)

// rewraps counts what this node has done.
type rewraps struct {
	records   atomic.Uint64 // sealed anew since it was opened
	conflicts atomic.Uint64 // batches that somebody else was faster than
	left      atomic.Int64  // when it last looked, as the leader
}

// sealedPart is what of a record is sealed under the keyring, up to its end. Nothing is of the
// records that members read without keys.
func sealedPart(path string, value []byte) (sealed []byte, ok bool, err error) {
	switch {
	case path == fsm.PathKeys, path == fsm.PathMembers, path == pathSeal, path == pathKeyring,
		path == identity.PathNodes, path == fsm.PathRestored, path == autopilot.Path,
		path == release.Path, strings.HasPrefix(path, fsm.RemovedDir):
		return nil, false, nil
	case path == pathGossip:
		g, err := decodeGossip(value)
		return g.Sealed, true, err
	}
	return value, true, nil
}

// sealedUnder says under which term a write is sealed, if it is.
func sealedUnder(w fsm.Write) (term uint32, sealed bool) {
	if w.Delete {
		return 0, false
	}
	return termOf(w.Path, w.Value)
}

// termOf says under which term a record is sealed, if it is.
func termOf(path string, value []byte) (term uint32, sealed bool) {
	b, sealed, err := sealedPart(path, value)
	if !sealed || err != nil {
		return 0, false
	}
	term, err = seal.TermOf(b)
	return term, err == nil
}

// outdated counts the records of a view that are sealed under older terms than its newest. It takes
// some 10 ms for 100,000 records.
func outdated(view fsm.View) (count int) {
	newest := view.Line().Newest().Term
	for path, r := range view.Scan("", "") {
		if term, sealed := termOf(path, r.Value); sealed && term < newest {
			count++
		}
	}
	return count
}

// keepKeyring changes the keyring when that is due, and seals anew what is under older terms,
// while this node leads. It ends with the keys.
func (n *Node) keepKeyring(m *member, k *keys) {
	for done := uint32(0); ; { // nothing is under a term before this one
		select {
		case <-time.After(n.workRest()):
		case <-k.working.Done():
			return
		}
		done = n.keepKeyringOnce(m, k, done)
	}
}

func (n *Node) keepKeyringOnce(m *member, k *keys, done uint32) uint32 {
	ctx, stop, leads := m.cluster.WhileLeading(k.working)
	defer stop()
	if !leads {
		return 0 // another leader's members may have written before they knew of a term
	}
	err := n.rotateWhenDue(ctx, m, k)
	if newest := m.cluster.View().Line().Newest().Term; err == nil && newest != done {
		if err = n.rewrapAll(ctx, m, k); err == nil {
			done = newest
		}
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, cluster.ErrUnavailable) {
		n.logger().Warn("what is sealed under older terms of the keyring is not sealed anew yet; "+
			"trying again", "error", err)
	}
	return done
}

// rewrapAll returns nil when nothing is sealed under an older term than the state's newest.
func (n *Node) rewrapAll(ctx context.Context, m *member, k *keys) error {
	begun, before := time.Now(), n.rewraps.records.Load()
	for {
		left := outdated(m.cluster.View())
		n.rewraps.left.Store(int64(left))
		if left == 0 {
			break
		}
		if err := n.rewrapPass(ctx, m, k); err != nil {
			return err
		}
	}
	if did := n.rewraps.records.Load() - before; did > 0 {
		n.logger().Info("all records are sealed under the newest term of the keyring", "records", did,
			"took", time.Since(begun).Round(time.Millisecond))
	}
	return nil
}

// errNothingSealed: a pass found what it could not seal anew.
var errNothingSealed = errors.New("node: none of the records that are under older terms opens")

// rewrapPass goes over all records once. The error tells of the first that does not open, if
// nothing else was done.
func (n *Node) rewrapPass(ctx context.Context, m *member, k *keys) error {
	var trouble error
	did := 0
	for after, more := "", true; more; {
		if err := m.cluster.NoRoom(); err != nil {
			return err
		}
		begun := time.Now()
		view := m.cluster.View()
		if err := k.refresh(view); err != nil {
			return err
		}
		b, err := k.batchAfter(view, after)
		if trouble == nil {
			trouble = err
		}
		if len(b.txn.Writes) > 0 {
			if err := n.commitBatch(ctx, m, b.txn); err != nil {
				return err
			}
			did += len(b.txn.Writes)
		}
		after, more = b.last, b.last != ""
		rest := max(rewrapShare*time.Since(begun),
			time.Duration(len(b.txn.Writes))*time.Second/rewrapRate)
		if err := pauseFor(ctx, rest); err != nil {
			return err
		}
	}
	if did == 0 {
		return errors.Join(errNothingSealed, trouble)
	}
	return nil
}

// commitBatch writes what was sealed anew, if nobody has written there meanwhile. Who has, has
// sealed it under the newest term: the next pass looks again.
func (n *Node) commitBatch(ctx context.Context, m *member, txn fsm.Txn) error {
	outcome, err := m.cluster.Commit(ctx, txn)
	switch {
	case err != nil:
		return err
	case outcome.Kind == fsm.Applied:
		n.rewraps.records.Add(uint64(len(txn.Writes)))
		n.rewraps.left.Add(-int64(len(txn.Writes)))
	default:
		n.rewraps.conflicts.Add(1)
	}
	return nil
}

// A batch is a few records, sealed anew.
type batch struct {
	txn  fsm.Txn
	size int
	last string // path to go on after; "": there is nothing behind
}

// batchAfter seals anew the next records of a view that are under older terms. What does not open
// is passed over; the error tells of the first.
func (k *keys) batchAfter(view fsm.View, after string) (b batch, trouble error) {
	newest, looked := view.Line().Newest().Term, 0
	b.txn = view.Begin(fsm.Ordinary)
	for path, r := range view.Scan("", after) {
		if len(b.txn.Writes) == rewrapBatch || b.size >= rewrapBytes || looked == rewrapSlice {
			return b, trouble
		}
		looked, b.last = looked+1, path
		if term, sealed := termOf(path, r.Value); !sealed || term >= newest {
			continue
		}
		value, err := k.reseal(path, r)
		if err != nil {
			if trouble == nil {
				trouble = fmt.Errorf("the record %s: %w", path, err)
			}
			continue
		}
		cluster.Put(&b.txn, view, path, value)
		b.size += len(value)
	}
	b.last = ""
	return b, trouble
}

// reseal seals a record under the newest term, for a write in its place.
func (k *keys) reseal(path string, r fsm.Record) ([]byte, error) {
	sealed, _, err := sealedPart(path, r.Value)
	if err != nil {
		return nil, err
	}
	again, err := k.keyring.Reseal(fsm.RecordPlace(path), r.Logical, r.Mod, sealed)
	if err != nil {
		return nil, err
	}
	clear := r.Value[:len(r.Value)-len(sealed)]
	return append(bytes.Clone(clear), again...), nil
}

func pauseFor(ctx context.Context, d time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An OlderTermsError: what is sealed under older terms still needs them.
type OlderTermsError struct{ Records int }

func (e *OlderTermsError) Error() string {
	return fmt.Sprintf("%d records are still sealed under older terms: the leader seals them anew, "+
		"and sys/key-status says how many are left; then drop the terms", e.Records)
}

// DropTerms changes the keyring, and drops the data keys of all terms that nothing in the state is
// sealed under any more. While there is such a record it does nothing (OlderTermsError). Backups of
// keys and secrets that were taken under a dropped term open nowhere any more.
func (n *Node) DropTerms(ctx context.Context) (term uint32, err error) {
	return n.changeKeyring(ctx, func(view fsm.View) (change, error) {
		if left := outdated(view); left > 0 {
			return change{}, &OlderTermsError{left}
		}
		return change{due: true, drop: true}, nil
	})
}
