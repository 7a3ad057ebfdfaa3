package node

import (
	"bytes"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"keyquorum/cluster"
	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/internal/address"
	"keyquorum/seal"
	"keyquorum/storage"
)

// A Remnant is what is left of a cluster in one place: the data folder of a member, or the file of
// a snapshot.
type Remnant struct {
	LockedState
	Path       string
	NodeID     string    // of the member whose folder it is; "" for a file
	Index      uint64    // of the newest entry
	Term       uint64    // of that entry; 0 for a file
	Generation uint64    // of restores
	Newest     time.Time // when the newest entry was written, or the snapshot taken; zero: not known
	Voters     []string  // node ids
	Digest     string    // of the state, 64 hex digits

	term      uint64            // that its member was in
	committed uint64            // up to here the log is known to be committed; all of a file is
	heard     map[string]uint64 // by node id: how far others had told its member that they had applied
	file      *SnapshotFile     // nil for a folder
}

// ReadRemnant reads a data folder whose node does not run, or the file of a snapshot, and checks it
// as a node does when it starts. Like a start it locks the folder, and has to be able to write to
// it; nothing that counts changes there.
func ReadRemnant(path string) (*Remnant, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	r := &Remnant{Path: path}
	if info.IsDir() {
		err = r.readFolder()
	} else {
		err = r.readFile()
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	view := r.fsm.View()
	digest := view.Digest()
	r.Generation, r.Digest = view.Generation(), hex.EncodeToString(digest[:])
	for _, m := range view.Members() {
		if m.Voter {
			r.Voters = append(r.Voters, m.ID)
		}
	}
	return r, nil
}

func (r *Remnant) readFile() error {
	f, err := os.Open(r.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	if r.file, err = ReadSnapshotFile(f); err != nil {
		return err
	}
	meta := r.file.Meta
	r.LockedState, r.Index, r.Newest = r.file.LockedState, meta.Index, meta.Taken
	r.committed = meta.Index
	return nil
}

func (r *Remnant) readFolder() error {
	dir := memberDir(r.Path)
	if _, err := os.Stat(dir); err != nil {
		return fmt.Errorf("it is no data folder of a member: %w", err)
	}
	b, err := storage.ReadFile(filepath.Join(dir, fileTrust))
	if err != nil {
		return err
	}
	trust, err := cluster.DecodeTrust(b)
	if err != nil {
		return err
	}
	store, err := storage.Open(dir)
	if err != nil {
		return err
	}
	defer store.Close()
	left, err := cluster.Replay(store, trust)
	if err != nil {
		return err
	}
	r.NodeID, r.term = store.Manifest().NodeID, left.CurrentTerm
	r.Index, r.Term, r.Newest = left.Index, left.Term, left.Appended
	r.committed, r.heard = left.Committed, left.Heard
	r.LockedState, err = lockedState(left.FSM)
	return err
}

// A Recovery says what cluster is made of a remnant.
type Recovery struct {
	Dir         string // the new node's data folder, without a member
	ClusterAddr string // at which others will reach it, host:port
	Now         time.Time
}

// Recover makes a cluster of one new member that goes on from a remnant, for which enough shares
// were given. All members before are removed for ever. The keyring and the transaction key get
// successors, so that nothing which members before still sign counts. The folder is there as a
// whole or not at all; the remnant is as it was.
func (r *Remnant) Recover(to Recovery) (nodeID string, err error) {
	if err := r.May(to); err != nil {
		return "", err
	}
	k, err := r.unlock()
	if err != nil {
		return "", err
	}
	defer seal.CloseBoth(k.root, k.keyring)
	if r.file != nil {
		if err := r.file.written(k.keyring); err != nil {
			return "", err
		}
	}
	m, self, err := r.newMember(k, to)
	if err != nil {
		return "", err
	}
	if err := r.goOn(k, self); err != nil {
		return "", err
	}
	view := r.fsm.View()
	trust := cluster.Trust{Line: view.Line(),
		Place: fsm.Place{Index: view.Index(), Digest: view.Digest()}}
	for path := range view.Scan(fsm.RemovedDir, "") {
		trust.Removed = append(trust.Removed, path[len(fsm.RemovedDir):])
	}
	if m.trust, err = trust.Encode(); err != nil {
		return "", err
	}
	return self.ID, m.create(memberDir(to.Dir), func(store *storage.Store) error {
		return cluster.FoundFrom(store, r.fsm, r.term+1)
	})
}

// May says whether Recover would be stopped by what is known before any share is given. It makes
// the data folder, if it is not there.
func (r *Remnant) May(to Recovery) error {
	if err := address.Reachable(to.ClusterAddr); err != nil {
		return fmt.Errorf("the new node's cluster address: %w", err)
	}
	if n := len(r.fsm.View().Members()); n > maxRecovered {
		return fmt.Errorf("the cluster has %d members, and one of at most %d can be recovered", n,
			maxRecovered)
	}
	if err := os.MkdirAll(to.Dir, 0o700); err != nil {
		return err
	}
	switch _, err := os.Stat(memberDir(to.Dir)); {
	case err == nil:
		return fmt.Errorf("%s holds a member already: name a folder without one", to.Dir)
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	return nil
}

// maxRecovered is how many members one transaction can remove, beside its other three writes.
const maxRecovered = fsm.MaxWrites - 3

// newMember makes the node that goes on: its id, its key, and the certificate of the authority.
func (r *Remnant) newMember(k *keys, to Recovery) (m newMember, self fsm.Member, err error) {
	view := r.fsm.View()
	authority, err := k.authority(view)
	if err != nil {
		return m, self, err
	}
	wanted, err := identity.NodeKeysOf(view)
	if err != nil {
		return m, self, err
	}
	m = newMember{
		manifest: storage.Manifest{ClusterID: r.Cluster, NodeID: newNodeID(), Voter: true},
		ca:       bytes.Join(wanted.Authorities, nil), seal: r.record,
	}
	key, csr, err := identity.NewRequest()
	if err != nil {
		return m, self, err
	}
	m.key = key
	if m.certificate, err = authority.Sign(csr, r.Cluster, m.manifest.NodeID, to.Now); err != nil {
		return m, self, err
	}
	leaf, err := x509.ParseCertificate(m.certificate)
	if err != nil {
		return m, self, err
	}
	self = identity.NewMember(m.manifest.NodeID, to.ClusterAddr, leaf)
	self.Voter = true
	record, ok := view.Get(pathGossip)
	if !ok {
		return m, self, errGossipRecord
	}
	g, err := decodeGossip(record.Value)
	if err == nil {
		m.gossipKeys, err = k.openGossip(view, record, g)
	}
	return m, self, err
}

// goOn applies the recovery to the state.
func (r *Remnant) goOn(k *keys, self fsm.Member) error {
	view := r.fsm.View()
	txn, err := k.rotation(view, fsm.Recover, false)
	if err != nil {
		return err
	}
	members, err := fsm.Members{self}.Encode()
	if err != nil {
		return err
	}
	cluster.Put(&txn, view, fsm.PathMembers, members)
	for _, m := range view.Members() {
		cluster.Put(&txn, view, fsm.RemovedDir+m.ID, []byte{1})
	}
	signed, err := txn.Sign(k.keyring)
	if err != nil {
		return err
	}
	return r.fsm.Recover(signed, func(view fsm.View) ([]byte, error) {
		if err := k.refresh(view); err != nil {
			return nil, err
		}
		return view.Begin(fsm.Checkpoint).Sign(k.keyring)
	})
}
