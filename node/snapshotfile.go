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

// A SnapshotFile is a snapshot that was read back, without a node.
type SnapshotFile struct {
	Meta              SnapshotMeta
	Census            vault.Census
	Members           int
	Shares, Threshold int    // of the seal that it needs
	TransactionKey    string // the cluster's first, 64 hex digits: it is in none of another cluster

	view         fsm.View
	sums, sealed []byte
	ceremony     *seal.Ceremony
}

// maxSnapshot bounds the state of a snapshot, in bytes: it is read into memory.
const maxSnapshot = 64 << 30

// ReadSnapshot reads a snapshot to its last byte and checks what can be checked without a share:
// checksums, the digest of the state, the signatures of the entries in it, and that its parts are of
// one cluster and one moment.
func ReadSnapshot(r io.Reader) (*SnapshotFile, error) {
	s := &SnapshotFile{}
	a, err := archive.Read(r, maxSnapshot, func(_ archive.Meta, state io.Reader) (err error) {
		f, err := fsm.ReadSnapshot(state)
		s.view = f.View()
		return err
	})
	if err != nil {
		return nil, err
	}
	s.Meta, s.sums, s.sealed = a.Meta, a.Sums, a.Sealed
	if err := s.fits(); err != nil {
		return nil, err
	}
	s.Census, s.Members = vault.Count(s.view), len(s.view.Members())
	s.TransactionKey = hex.EncodeToString(s.view.Line()[0].Public)
	return s, nil
}

// fits holds what the file says of its state against the state.
func (s *SnapshotFile) fits() error {
	r, ok := s.view.Get(pathSeal)
	if !ok || len(s.view.Line()) == 0 {
		return errors.New("the snapshot holds no seal record: it is of no cluster")
	}
	record, err := seal.DecodeRecord(r.Value)
	if err != nil {
		return err
	}
	digest := s.view.Digest()
	cluster := record.ClusterID
	switch {
	case s.Meta.Index != s.view.Index() || s.Meta.Generation != s.view.Generation() ||
		s.Meta.Digest != hex.EncodeToString(digest[:]):
		return errors.New("the snapshot says of itself what its state is not: it was altered")
	case s.Meta.Cluster != hex.EncodeToString(cluster[:]):
		return fmt.Errorf("the snapshot says that it is of cluster %.32s, and its seal is cluster %x's",
			s.Meta.Cluster, cluster)
	}
	s.Shares, s.Threshold, s.ceremony = record.Shares, record.Threshold, seal.NewCeremony(record)
	return nil
}

// CheckSnapshot reads a snapshot to its last byte and checks its checksums alone: whether it is what
// a node has sent, as a whole.
func CheckSnapshot(r io.Reader) (SnapshotMeta, error) {
	a, err := archive.Read(r, maxSnapshot, func(_ archive.Meta, state io.Reader) error {
		_, err := io.Copy(io.Discard, state)
		return err
	})
	return a.Meta, err
}

// Share takes an unseal share and says how many are good by now. A wrong one is refused by name, as
// at Unseal, and the progress stays. The share stays the caller's to erase.
func (s *SnapshotFile) Share(share seal.Plaintext) (progress int, err error) {
	return s.ceremony.Add(share)
}

// Progress is how many shares are good by now.
func (s *SnapshotFile) Progress() int { return s.ceremony.Progress() }

// OpenAll opens everything that is sealed in the snapshot, its sums too, with the shares that were
// given, and says how many records that was. It shows nothing of them. tell is called now and then
// with how many records it has looked at. The error names the first that does not open.
func (s *SnapshotFile) OpenAll(ctx context.Context, tell func(records int)) (opened int, err error) {
	root, err := s.ceremony.Open()
	if err != nil {
		return 0, err
	}
	wrapped, _ := s.view.Get(pathKeyring)
	keyring, err := root.UnwrapKeyring(wrapped.Value)
	if err != nil {
		root.Close()
		return 0, fmt.Errorf("the keyring in the snapshot does not open: %w", err)
	}
	k := &keys{root: root, keyring: keyring}
	defer seal.CloseBoth(root, keyring)
	if err := k.rightful(s.view); err != nil {
		return 0, errors.New("the keyring in the snapshot does not hold the transaction key that its state goes by")
	}
	sums, err := keyring.Open(nil, sumsPath, s.Meta.Index, s.sealed)
	if err != nil || !bytes.Equal(sums, s.sums) {
		return 0, errors.New("no unsealed node of the cluster wrote this file: its sealed checksums are wrong")
	}
	looked := 0
	for path, r := range s.view.Scan("", "") {
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
