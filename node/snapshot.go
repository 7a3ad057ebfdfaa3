package node

import (
	"context"
	"encoding/hex"
	"errors"
	"io"

	"keyquorum/fsm"
	"keyquorum/node/archive"
	"keyquorum/seal"
)

// A Snapshot is the whole state at one moment, to be kept elsewhere. It holds nothing that was not
// sealed before, and is worth nothing without the unseal shares.
type Snapshot struct {
	Meta SnapshotMeta // Version and Size are those of the file
	view fsm.View
	keys *keys
}

// Snapshot takes one that misses nothing that was acknowledged before the call, from this node's
// own copy. The error is ErrSealed, or why the node can't know what was acknowledged.
func (n *Node) Snapshot(ctx context.Context) (Snapshot, error) {
	m, k := n.member.Load(), n.keys.Load()
	switch {
	case m == nil:
		return Snapshot{}, n.absent()
	case k == nil:
		return Snapshot{}, ErrSealed
	}
	s := Snapshot{keys: k}
	if _, err := m.cluster.Read(ctx, false, func(v fsm.View) { s.view = v }); err != nil {
		return Snapshot{}, err
	}
	digest := s.view.Digest()
	s.Meta = SnapshotMeta{
		Cluster: m.identity.ClusterID, Index: s.view.Index(), Generation: s.view.Generation(),
		Digest: hex.EncodeToString(digest[:]), Taken: n.config.Now().UTC(), Program: n.config.Version,
	}
	return s, nil
}

// errKeyringChanged ends a snapshot.
var errKeyringChanged = errors.New("the keyring was changed while the snapshot was taken: take " +
	"another one")

// sumsPath is no record's path.
const sumsPath = "snapshot"

// Write writes the file. Its sums are sealed for its index, so that they fit no other. The error is
// w's, seal.ErrSealed if the node was sealed meanwhile, or says that the keyring was changed.
func (s Snapshot) Write(w io.Writer) error {
	return archive.Write(w, s.Meta, s.view.WriteSnapshot, func(sums []byte) ([]byte, error) {
		sealed, err := s.keys.keyring.Seal(nil, sumsPath, s.Meta.Index, sums)
		if err != nil {
			return nil, err
		}
		// The snapshot's own keyring has to open the sums, and has no newer term than its view.
		if term, err := seal.TermOf(sealed); err != nil || term != s.view.Line().Newest().Term {
			return nil, errKeyringChanged
		}
		return sealed, nil
	})
}
