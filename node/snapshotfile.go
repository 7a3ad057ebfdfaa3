package node

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

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
	Meta    SnapshotMeta
	Census  vault.Census
	Members int

	sums, sealed []byte
}

// A state is read into memory. So that no small file becomes a large one, it has at most so many
// bytes for each of the file's, and some more: what is sealed is not compressed.
const (
	maxExpansion = 16
	smallState   = 64 << 20
)

// ReadSnapshotFile is ReadSnapshot of a file.
func ReadSnapshotFile(f *os.File) (*SnapshotFile, error) {
	most, err := mostOf(f)
	if err != nil {
		return nil, err
	}
	return ReadSnapshot(f, most)
}

func mostOf(f *os.File) (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return smallState + maxExpansion*info.Size(), nil
}

// ReadSnapshot reads a snapshot to its last byte and checks what can be checked without a share:
// checksums, the digest of the state, the signatures of the entries in it, and that its parts are
// of one cluster and one moment. Its state has at most maxState bytes.
func ReadSnapshot(r io.Reader, maxState int64) (*SnapshotFile, error) {
	s := &SnapshotFile{}
	var f *fsm.FSM
	a, err := archive.Read(r, maxState, func(_ archive.Meta, state io.Reader) (err error) {
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
func CheckSnapshot(f *os.File) (SnapshotMeta, error) {
	most, err := mostOf(f)
	if err != nil {
		return SnapshotMeta{}, err
	}
	a, err := archive.Read(f, most, func(_ archive.Meta, state io.Reader) error {
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
	if err := s.written(k.keyring); err != nil {
		return 0, err
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

// written says whether an unsealed node of the cluster wrote the file.
func (s *SnapshotFile) written(k *seal.Keyring) error {
	sums, err := k.Open(nil, sumsPath, s.Meta.Index, s.sealed)
	if err != nil || !bytes.Equal(sums, s.sums) {
		return errors.New(
			"no unsealed node of the cluster wrote this file: its sealed checksums are wrong")
	}
	return nil
}

// opens opens a record, if it is sealed under the keyring, and erases what was in it.
func (k *keys) opens(path string, r fsm.Record) (sealed bool, err error) {
	value, sealed, err := sealedPart(path, r.Value)
	if err != nil || !sealed {
		return sealed, err
	}
	plain, err := k.keyring.Open(nil, fsm.RecordPlace(path), r.Logical, value)
	plain.Zero()
	return true, err
}
