package node

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/fxamacker/cbor/v2"

	"keyquorum/cluster"
	"keyquorum/cluster/gossip"
	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/internal/address"
	"keyquorum/internal/release"
	"keyquorum/seal"
	"keyquorum/storage"
	"keyquorum/vault"
)

// InitResult is shown once.
type InitResult struct {
	Shares    []seal.Plaintext // 33 bytes each, or encrypted
	RootToken seal.Plaintext   // or base64 of it, encrypted
}

// InitRecipients are who gets what an init shows, encrypted: a share each, or nobody, and the root
// token, if Token is not nil.
type InitRecipients struct {
	Shares []Recipient
	Token  Recipient
}

// ErrShares: the numbers of shares and threshold do not make a scheme, or there are not as many
// recipients as shares.
var ErrShares = errors.New("node: shares must be 1 to 255, the threshold 1 to shares, and at " +
	"least 2 when there is more than one share; recipients, if any, one for each share")

// checkSplit refuses numbers of shares, of which threshold open, and of recipients that don't go
// together.
func checkSplit(shares, threshold, recipients int) error {
	if seal.CheckSplit(shares, threshold) != nil || recipients != 0 && recipients != shares {
		return ErrShares
	}
	return nil
}

// Init makes a cluster of this node. Concurrent calls: one wins, the others get ErrInitialized. The
// node stays sealed.
func (n *Node) Init(ctx context.Context, shares, threshold int) (InitResult, error) {
	return n.InitFor(ctx, shares, threshold, InitRecipients{})
}

// InitFor is Init for people who get encrypted what is shown.
func (n *Node) InitFor(
	_ context.Context, shares, threshold int, to InitRecipients,
) (InitResult, error) {
	if err := checkSplit(shares, threshold, len(to.Shares)); err != nil {
		return InitResult{}, err
	}
	if err := errors.Join(n.reachable(), n.short()); err != nil {
		return InitResult{}, err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ctx.Err() != nil {
		return InitResult{}, errClosed
	}
	if n.member.Load() != nil || n.joining != nil {
		return InitResult{}, ErrInitialized
	}
	g, err := n.found(shares, threshold)
	if err == nil {
		err = g.encryptFor(to)
	}
	if err != nil {
		return InitResult{}, err
	}
	if err := g.member.create(n.memberDir(), g.firstEntries); err != nil {
		return InitResult{}, fmt.Errorf("node: init: %w", err)
	}
	if err := n.openMember(); err != nil {
		err = errors.Join(fmt.Errorf("node: init: %w", err), n.discard())
		n.fail(err) // the cluster port is closed by now
		return InitResult{}, err
	}
	return InitResult{Shares: g.shares, RootToken: g.token}, nil
}

// reachable refuses a cluster address of this node at which no other finds it, before it is
// signed for.
func (n *Node) reachable() error {
	if err := address.Reachable(n.config.ClusterAddr); err != nil {
		return &PeerError{"this node's cluster address: " + err.Error()}
	}
	return nil
}

// discard takes away a cluster whose shares nobody has seen.
func (n *Node) discard() error {
	gone := unfinished(n.memberDir()) // what is left of it after a crash is removed by the next init
	if err := storage.RenameDir(n.memberDir(), gone); err != nil {
		return err
	}
	return os.RemoveAll(gone)
}

// A genesis is a cluster before it exists.
type genesis struct {
	member   newMember
	address  string
	shares   []seal.Plaintext
	token    seal.Plaintext
	founding []byte // the first transaction, signed
}

// found makes every key of a new cluster. All but the shares and the root token go into the first
// transaction, wrapped.
func (n *Node) found(shares, threshold int) (*genesis, error) {
	clusterID, nodeID := newClusterID(), newNodeID()
	record, parts, root, err := seal.Init(clusterID, shares, threshold)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	keyring, err := root.NewKeyring()
	if err != nil {
		return nil, err
	}
	defer keyring.Close()
	g := &genesis{shares: parts, address: n.config.ClusterAddr}
	g.member = newMember{
		manifest: storage.Manifest{ClusterID: hex.EncodeToString(clusterID[:]), NodeID: nodeID,
			Voter: true},
		gossipKeys: gossip.Keys{make([]byte, gossipKeySize)},
		seal:       record,
	}
	rand.Read(g.member.gossipKeys[0])
	authority, err := g.certify(n)
	if err != nil {
		return nil, err
	}
	return g, g.write(n, root, keyring, authority)
}

// encryptFor has nobody but the recipients read what is shown. If it fails, nothing is left to show.
func (g *genesis) encryptFor(to InitRecipients) error {
	err := encryptFor(to.Shares, g.shares)
	if err == nil && to.Token != nil {
		var message []byte
		message, err = encryptedFor(to.Token, g.token)
		g.token = base64.StdEncoding.AppendEncode(nil, message)
	}
	if err != nil {
		zeroAll(g.shares)
		g.token.Zero()
	}
	return err
}

// certify makes the cluster's CA and this node's certificate.
func (g *genesis) certify(n *Node) (*identity.Authority, error) {
	id := g.member.manifest
	authority, err := identity.NewAuthority(id.ClusterID, n.config.Now())
	if err != nil {
		return nil, err
	}
	key, csr, err := identity.NewRequest()
	if err != nil {
		return nil, err
	}
	g.member.key = key
	g.member.ca = authority.Certificate.Raw
	g.member.certificate, err = authority.Sign(csr, id.ClusterID, id.NodeID, n.config.Now())
	return authority, err
}

// write composes the first transaction: seal record, keyring, CA, and the domain's own.
func (g *genesis) write(n *Node, root *seal.Root, keyring *seal.Keyring,
	authority *identity.Authority) error {
	wrapped, err := root.WrapKeyring(keyring)
	if err != nil {
		return err
	}
	ca, err := sealCA(keyring, authority)
	if err != nil {
		return err
	}
	line, members, err := g.authority(keyring)
	if err != nil {
		return err
	}
	gossip, err := sealGossip(keyring, gossipSteady, g.member.gossipKeys, 0)
	if err != nil {
		return err
	}
	nodes, err := (identity.NodeKeys{Authorities: [][]byte{authority.Certificate.Raw}}).Encode()
	if err != nil {
		return err
	}
	since, err := cbor.Marshal(keyringSince{Term: keyring.Term(), Time: n.config.Now().Unix()})
	if err != nil {
		return err
	}
	if since, err = keyring.Seal(nil, pathSince, 0, since); err != nil {
		return err
	}
	domain, token, err := vault.Bootstrap(keyring, n.config.Now())
	if err != nil {
		return err
	}
	g.token = token
	txn := fsm.New(fsm.Options{}).View().Begin(fsm.Found)
	txn.Writes = append([]fsm.Write{
		{Path: pathSeal, Value: g.member.seal.Encode()},
		{Path: pathKeyring, Value: wrapped},
		{Path: pathCA, Value: ca},
		{Path: pathSince, Value: since},
		{Path: pathGossip, Value: gossip},
		{Path: identity.PathNodes, Value: nodes},
		{Path: fsm.PathKeys, Value: line},
		{Path: fsm.PathMembers, Value: members},
		{Path: release.Path, Value: release.EncodeRecord(n.config.Release.Newest)},
	}, domain...)
	for _, w := range txn.Writes {
		txn.Conditions = append(txn.Conditions, fsm.Condition{Kind: fsm.Absent, Path: w.Path})
	}
	g.founding, err = txn.Sign(keyring)
	return err
}

// authority is by whose word the cluster goes: the transaction key, and this node as its one
// member.
func (g *genesis) authority(keyring *seal.Keyring) (line, members []byte, err error) {
	public, ok := keyring.Public(keyring.Term())
	if !ok {
		return nil, nil, seal.ErrSealed
	}
	keys := fsm.NewLine(keyring.Term(), public)
	if g.member.trust, err = (cluster.Trust{Line: keys}).Encode(); err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(g.member.certificate)
	if err != nil {
		return nil, nil, err
	}
	first := identity.NewMember(g.member.manifest.NodeID, g.address, certificate)
	first.Voter = true
	if members, err = (fsm.Members{first}).Encode(); err != nil {
		return nil, nil, err
	}
	line, err = keys.Encode()
	return line, members, err
}

// firstEntries stores the founding transaction, and the configuration that follows from it
// (decision 16).
func (g *genesis) firstEntries(s *storage.Store) error { return cluster.Found(s, g.founding) }

// caRecord is what pathCA holds, sealed.
type caRecord struct {
	_                struct{} `cbor:",toarray"`
	Certificate, Key []byte
}

// authorityRecord is an authority's. The key in it is the caller's to clear.
func authorityRecord(a *identity.Authority) (caRecord, error) {
	certificate, key, err := a.Marshal()
	return caRecord{Certificate: certificate, Key: key}, err
}

func sealCA(k *seal.Keyring, a *identity.Authority) ([]byte, error) {
	record, err := authorityRecord(a)
	if err != nil {
		return nil, err
	}
	defer clear(record.Key)
	plain, err := cbor.Marshal(record)
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	return k.Seal(nil, pathCA, 0, plain)
}

func openCA(k *seal.Keyring, r fsm.Record) (*identity.Authority, error) {
	plain, err := k.Open(nil, pathCA, r.Logical, r.Value)
	if err != nil {
		return nil, err
	}
	defer plain.Zero()
	var record caRecord
	if err := cbor.Unmarshal(plain, &record); err != nil {
		return nil, errors.New("node: the record of the cluster's CA is not readable")
	}
	defer clear(record.Key)
	return identity.ParseAuthority(record.Certificate, record.Key)
}

func newClusterID() (id [16]byte) {
	rand.Read(id[:])
	return id
}

func newNodeID() string {
	id := newClusterID()
	return hex.EncodeToString(id[:])
}
