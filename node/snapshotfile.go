package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/node/archive"
	"keyquorum/seal"
	"keyquorum/vault"
)

// SnapshotMeta says of what a file is a snapshot.
type SnapshotMeta = archive.Meta

// Census counts what a state holds.
type Census = vault.Census

// A SnapshotFile is a snapshot that was read back, without a node.
type SnapshotFile struct {
	LockedState
	Meta           SnapshotMeta
	Census         vault.Census
	Members        int
	TransactionKey string // the cluster's first, 64 hex digits: it is in none of another cluster

	sums, sealed []byte
}

// maxSnapshot bounds the state of a snapshot, in bytes: it is read into memory.
const maxSnapshot = 64 << 30

// ReadSnapshot reads a snapshot to its last byte and checks what can be checked without a share:
// checksums, the digest of the state, the signatures of the entries in it, and that its parts are
// of one cluster and one moment.
func ReadSnapshot(r io.Reader) (*SnapshotFile, error) {
	s := &SnapshotFile{}
	var f *fsm.FSM
	a, err := archive.Read(r, maxSnapshot, func(_ archive.Meta, state io.Reader) (err error) {
		f, err = fsm.ReadSnapshot(state)
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.LockedState, err = lockedState(f); err != nil {
		return nil, fmt.Errorf("the snapshot is of no cluster: %w", err)
	}
	s.Meta, s.sums, s.sealed = a.Meta, a.Sums, a.Sealed
	view := f.View()
	if err := s.fits(view); err != nil {
		return nil, err
	}
	s.Census, s.Members = vault.Count(view), len(view.Members())
	s.TransactionKey = hex.EncodeToString(view.Line()[0].Public)
	return s, nil
}

// fits holds what the file says of its state against the state.
func (s *SnapshotFile) fits(view fsm.View) error {
	digest := view.Digest()
	switch {
	case s.Meta.Index != view.Index() || s.Meta.Generation != view.Generation() ||
		s.Meta.Digest != hex.EncodeToString(digest[:]):
		return errors.New("the snapshot says of itself what its state is not: it was altered")
	case s.Meta.Cluster != s.Cluster:
		return fmt.Errorf("the snapshot says that it is of cluster %.32s, and its seal is of cluster %s",
			s.Meta.Cluster, s.Cluster)
	}
	return nil
}

// CheckSnapshot reads a snapshot to its last byte and checks its checksums alone: whether it is
// what a node has sent, as a whole.
func CheckSnapshot(r io.Reader) (SnapshotMeta, error) {
	a, err := archive.Read(r, maxSnapshot, func(_ archive.Meta, state io.Reader) error {
		_, err := io.Copy(io.Discard, state)
		return err
	})
	return a.Meta, err
}

// OpenAll opens everything that is sealed in the snapshot, its sums too, with the shares that were
// given, and says how many records that was. It shows nothing of them. tell is called now and then
// with how many records it has looked at. The error names the first that does not open.
func (s *SnapshotFile) OpenAll(ctx context.Context, tell func(records int)) (opened int,
	err error) {
	k, err := s.unlock()
	if err != nil {
		return 0, err
	}
	defer seal.CloseBoth(k.root, k.keyring)
	sums, err := k.keyring.Open(nil, sumsPath, s.Meta.Index, s.sealed)
	if err != nil || !bytes.Equal(sums, s.sums) {
		return 0, errors.New("no unsealed node of the cluster wrote this file: its sealed checksums are wrong")
	}
	looked := 0
	for path, r := range s.fsm.View().Scan("", "") {
		if looked++; looked%tellEvery == 0 {
			tell(looked)
		}
		if err := ctx.Err(); err != nil {
			return opened, err
		}
		did, err := k.opens(path, r)
		if err != nil {
			return opened, fmt.Errorf("the record %s does not open: %w", path, err)
		}
		if did {
			opened++
		}
	}
	return opened, nil
}

const tellEvery = 10_000

// opens opens a record, if it is sealed under the keyring, and erases what was in it.
func (k *keys) opens(path string, r fsm.Record) (sealed bool, err error) {
	value := r.Value
	switch {
	case path == fsm.PathKeys, path == fsm.PathMembers, path == pathSeal, path == pathKeyring,
		path == identity.PathNodes, strings.HasPrefix(path, fsm.RemovedDir):
		return false, nil
	case path == pathGossip:
		g, err := decodeGossip(r.Value)
		if err != nil {
			return true, err
		}
		value = g.Sealed
	}
	plain, err := k.keyring.Open(nil, path, r.Logical, value)
	plain.Zero()
	return true, err
}
