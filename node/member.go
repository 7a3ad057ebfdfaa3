package node

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"keyquorum/cluster"
	"keyquorum/cluster/gossip"
	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/storage"
)

// A member is a node with data: it takes part in Raft, sealed or not.
type member struct {
	store    *storage.Store
	cluster  *cluster.Cluster
	identity identity.Identity // that it was opened with
	trust    cluster.Trust

	mirror atomic.Pointer[seal.Record] // what the folder has as the seal record; never nil

	// What follows is followNodes' alone once the member is open.
	shown     identity.Identity // of now: ids never change, keys and authorities do
	nextKey   *ecdsa.PrivateKey // that is to come; nil for none
	nodesFrom uint64            // mod index of the record of node keys that was followed

	// And this is followGossip's.
	gossipKeys gossip.Keys // in use
	gossipFrom uint64      // mod index of the record that they were compared with
}

// Files of a member's folder beside storage's own. Key and gossip key lie there in the clear
// (0600): a sealed node must be able to take part.
const (
	fileCA        = "ca.crt"     // DER, newest first
	fileCert      = "node.crt"   // DER
	fileKey       = "node.key"   // SEC 1, DER: one that is to come, and the one in use
	fileGossipKey = "gossip.key" // 32 bytes each, what encrypts first
	fileSeal      = "seal.record"
	fileTrust     = "trust" // cluster.Trust
)

// newMember is what init and join write into a fresh folder.
type newMember struct {
	manifest        storage.Manifest
	ca, certificate []byte
	key             *ecdsa.PrivateKey
	gossipKeys      gossip.Keys
	seal            seal.Record
	trust           []byte // cluster.Trust, encoded
}

// unfinished is where a member's folder is built, before it has its own name.
func unfinished(dir string) string { return dir + ".new" }

// create builds a member's folder under a temporary name, lets prepare fill its empty store, and
// moves it into place: a crash before that is a node without data.
func (m newMember) create(dir string, prepare func(*storage.Store) error) error {
	temporary := unfinished(dir)
	if err := os.RemoveAll(temporary); err != nil {
		return err
	}
	store, err := storage.Create(temporary, m.manifest)
	if err != nil {
		return err
	}
	if err = prepare(store); err == nil { // else somebody else may be making this folder
		err = m.writeFiles(temporary)
	}
	if err = errors.Join(err, store.Close()); err != nil {
		return err
	}
	return storage.RenameDir(temporary, dir)
}

func (m newMember) writeFiles(dir string) error {
	key, err := encodeKeys(m.key)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		fileCA: m.ca, fileCert: m.certificate, fileKey: key, fileGossipKey: bytes.Join(m.gossipKeys, nil),
		fileSeal: m.seal.Encode(), fileTrust: m.trust,
	} {
		if err := storage.WriteFile(filepath.Join(dir, name), content); err != nil {
			return err
		}
	}
	return nil
}

// openMember opens the folder and takes part. The node is sealed after it.
func (n *Node) openMember() error {
	if err := n.dropPending(); err != nil {
		return err
	}
	store, err := storage.Open(n.memberDir())
	if err != nil {
		return err
	}
	if n.config.Disk != nil {
		store.Gate(n.config.Disk)
	}
	m, err := n.readMember(store)
	if err != nil {
		return errors.Join(err, store.Close())
	}
	m.cluster, err = cluster.Open(cluster.Config{
		Store:    store,
		Identity: m.identity,
		Listener: n.config.ClusterListener,
		Dial:     n.config.Dial,
		Address:  n.config.ClusterAddr,
		Gossip: gossip.Config{Bind: n.config.Gossip.Bind, Advertise: n.config.Gossip.Advertise,
			Keys: m.gossipKeys},
		About: cluster.About{Label: n.config.Label, Region: n.config.Region, API: n.config.APIAddr,
			Version: n.config.Version},
		Release:    n.config.Release,
		Timing:     n.config.Timing.cluster(),
		Leases:     n.config.Leases,
		Compact:    n.config.Compact,
		Logger:     n.config.Logger,
		Now:        n.config.Now,
		Trouble:    n.audit.Trouble,
		Short:      n.short,
		Trust:      m.trust,
		Remember:   n.remember,
		CertifyFor: n.certifyFor, HandRootKey: n.handRootKey,
		SealedUnder: sealedUnder,
		Relays:      cluster.Relays{Fetch: n.fetchShare, Hand: n.handShare},
		Diverged:    func(error) { n.wg.Go(func() { n.sealNow() }) },
	})
	if err != nil {
		return errors.Join(err, store.Close())
	}
	n.member.Store(m)
	n.ceremony = seal.NewCeremony(m.sealRecord())
	n.readHeld()
	n.wg.Go(func() { n.openUnattended(m) })
	n.wg.Go(func() { n.watch(m) })
	n.wg.Go(func() { n.placeLeader(m) })
	n.wg.Go(func() { n.followKeys(m, n.followGossip) })
	n.wg.Go(func() { n.followKeys(m, n.followNodes) })
	n.wg.Go(func() { n.followKeys(m, n.followSeal) })
	return nil
}

func (n *Node) readMember(store *storage.Store) (*member, error) {
	files := map[string][]byte{}
	for _, name := range []string{fileCA, fileCert, fileKey, fileGossipKey, fileSeal, fileTrust} {
		content, err := storage.ReadFile(filepath.Join(n.memberDir(), name))
		if err != nil {
			return nil, err
		}
		files[name] = content
	}
	next, key, err := decodeKeys(files[fileKey], files[fileCert])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(n.memberDir(), fileKey), err)
	}
	manifest := store.Manifest()
	shown, err := identity.New(manifest.ClusterID, manifest.NodeID, key, files[fileCert],
		files[fileCA])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", n.memberDir(), err)
	}
	record, err := seal.DecodeRecord(files[fileSeal])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(n.memberDir(), fileSeal), err)
	}
	gossipKeys, err := splitGossip(files[fileGossipKey])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(n.memberDir(), fileGossipKey), err)
	}
	trust, err := cluster.DecodeTrust(files[fileTrust])
	if err != nil {
		return nil, fmt.Errorf("%s: %w", filepath.Join(n.memberDir(), fileTrust), err)
	}
	m := &member{store: store, identity: shown, shown: shown, nextKey: next, gossipKeys: gossipKeys,
		trust: trust}
	m.mirror.Store(&record)
	return m, nil
}

// remember keeps what the member must not forget in its folder.
func (n *Node) remember(t cluster.Trust) error {
	b, err := t.Encode()
	if err != nil {
		return err
	}
	return storage.WriteFile(filepath.Join(n.memberDir(), fileTrust), b)
}

// watch ends the node when its disk or its state machine can't go on.
func (n *Node) watch(m *member) {
	select {
	case <-m.store.Failed():
		n.fail(fmt.Errorf("the disk under %s failed, so nothing more can be promised: %w", n.config.Dir,
			m.store.Err()))
	case <-m.cluster.Failed():
		n.fail(m.cluster.Err())
	case <-n.ctx.Done():
	}
}

// Records of the state that node owns.
const (
	pathSeal    = fsm.PathSeal
	pathKeyring = fsm.PathKeyring
	pathCA      = "sys/ca"            // the CA's certificate and key, sealed
	pathGossip  = "sys/gossip"        // gossipRecord
	pathSince   = "sys/keyring-since" // keyringSince, sealed

	pathSchedule = "sys/keyring-schedule" // scheduleRecord, sealed
)

// sealRecord is the state's seal record, or the folder's while that is newer: after a start the
// state is an old one, or none, until there is a leader.
func (m *member) sealRecord() seal.Record {
	mirror := *m.mirror.Load()
	if r, err := sealRecordIn(m.cluster.View()); err == nil && !mirror.Newer(r) {
		return r
	}
	return mirror
}
