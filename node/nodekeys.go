package node

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strconv"

	"keyquorum/cluster"
	"keyquorum/cluster/identity"
	"keyquorum/fsm"
	"keyquorum/storage"
)

// Each member changes its own key when a later generation is wanted (cluster/nodekeys.go). The
// folder holds a key that is to come in front of the one in use, from before it is certified until
// the one in use is gone, so that no crash leaves a certificate without its key.

// encodeKeys is what fileKey holds: a key that is to come, and the one in use.
func encodeKeys(keys ...*ecdsa.PrivateKey) (b []byte, err error) {
	for _, k := range keys {
		if k == nil {
			continue
		}
		der, err := x509.MarshalECPrivateKey(k)
		if err != nil {
			return nil, err
		}
		b = append(b, der...)
	}
	return b, nil
}

// decodeKeys finds the key of a certificate, and one that is to come: what stands behind it was in
// use before.
func decodeKeys(b, certificate []byte) (next, current *ecdsa.PrivateKey, err error) {
	leaf, err := x509.ParseCertificate(certificate)
	if err != nil {
		return nil, nil, err
	}
	for len(b) > 0 {
		var one asn1.RawValue
		if b, err = asn1.Unmarshal(b, &one); err != nil {
			return nil, nil, errNodeKey
		}
		key, err := x509.ParseECPrivateKey(one.FullBytes)
		if err != nil {
			return nil, nil, errNodeKey // the cause could quote key bytes
		}
		if key.PublicKey.Equal(leaf.PublicKey) {
			return next, key, nil
		}
		next = key
	}
	return nil, nil, errNodeKey
}

var errNodeKey = errors.New("not a private key, or not that of the certificate")

// followNodes has this member trust the authorities that the state names, and get a key of the
// generation that is wanted.
func (n *Node) followNodes(ctx context.Context, m *member) error {
	view := m.cluster.View()
	r, ok := view.Get(identity.PathNodes)
	own, member := view.Members().Find(m.identity.NodeID)
	if !ok || !member {
		return nil
	}
	if r.Mod == m.nodesFrom && own.Generation == m.shown.Generation() &&
		m.shown.SpeaksAmong(view.Members()) {
		return nil
	}
	wanted, err := identity.NodeKeysOf(view)
	if err == nil {
		err = n.trustAuthorities(m, bytes.Join(wanted.Authorities, nil))
	}
	if err == nil && m.shown.Generation() < wanted.Generation {
		err = n.renewKey(ctx, m)
	}
	if err == nil && own.Generation < m.shown.Generation() {
		err = m.cluster.Renewed(ctx)
	}
	if err == nil {
		m.nodesFrom = r.Mod
	}
	if err == nil && own.Generation >= m.shown.Generation() && !m.shown.SpeaksAmong(view.Members()) {
		err = errReplaced
	}
	return err
}

var errReplaced = errors.New("node: another key than this node's was certified in its name: " +
	"whoever has that has a copy of its folder; remove this node and join anew")

func (n *Node) trustAuthorities(m *member, ca []byte) error {
	if bytes.Equal(ca, m.shown.CA()) {
		return nil
	}
	id := m.shown
	key := id.Certificate.PrivateKey.(*ecdsa.PrivateKey)
	next, err := identity.New(id.ClusterID, id.NodeID, key, id.Certificate.Certificate[0], ca)
	if err != nil {
		return err
	}
	if err := storage.WriteFile(filepath.Join(n.memberDir(), fileCA), ca); err != nil {
		return err
	}
	m.shown = next
	m.cluster.UseIdentity(next)
	return nil
}

// renewKey gets a key of the wanted generation, and uses it.
func (n *Node) renewKey(ctx context.Context, m *member) error {
	id, dir := m.shown, n.memberDir()
	key, request, err := identity.NewRequestFor(m.nextKey)
	if err != nil {
		return err
	}
	both, err := encodeKeys(key, id.Certificate.PrivateKey.(*ecdsa.PrivateKey))
	if err != nil {
		return err
	}
	if err := storage.WriteFile(filepath.Join(dir, fileKey), both); err != nil {
		return err
	}
	m.nextKey = key
	certificate, err := m.cluster.Certify(ctx, request)
	if err != nil {
		return err
	}
	next, err := identity.New(id.ClusterID, id.NodeID, key, certificate, id.CA())
	if err != nil {
		return err
	}
	if err := storage.WriteFile(filepath.Join(dir, fileCert),
		certificate); err != nil { // from here on it is the key in use
		return err
	}
	m.shown, m.nextKey = next, nil
	m.cluster.UseIdentity(next)
	n.logger().Info("this node has a new key", "generation", next.Generation())
	return n.forgetKeys(key)
}

// forgetKeys leaves one key in the folder.
func (n *Node) forgetKeys(but *ecdsa.PrivateKey) error {
	one, err := encodeKeys(but)
	if err != nil {
		return err
	}
	return storage.WriteFile(filepath.Join(n.memberDir(), fileKey), one)
}

// certifyFor makes a certificate of the wanted generation for a node's key.
func (n *Node) certifyFor(view fsm.View, nodeID string, request []byte) ([]byte, error) {
	k := n.keys.Load()
	if k == nil {
		return nil, ErrSealed
	}
	authority, err := k.authority(view)
	if err != nil {
		return nil, err
	}
	return authority.Sign(request, n.member.Load().identity.ClusterID, nodeID, n.config.Now())
}

// authority is the one that certifies now, at the generation that is wanted.
func (k *keys) authority(view fsm.View) (*identity.Authority, error) {
	record, ok := view.Get(pathCA)
	if !ok {
		return nil, errors.New("node: the cluster's CA is not in this node's state yet")
	}
	if err := k.refresh(view); err != nil {
		return nil, err
	}
	wanted, err := identity.NodeKeysOf(view)
	if err != nil {
		return nil, err
	}
	authority, err := openCA(k.keyring, record)
	if err == nil {
		authority.Generation = wanted.Generation
	}
	return authority, err
}

// RotateNodeKeys has every member get a new key, unless some are still about to.
func (n *Node) RotateNodeKeys(ctx context.Context) (Rotation, error) {
	err := n.changeNodes(ctx,
		func(view fsm.View, _ *keys, wanted *identity.NodeKeys, _ *fsm.Txn) (bool, error) {
			underWay := len(wanted.Behind(view.Members())) > 0
			wanted.Generation++
			return !underWay, nil
		})
	if err != nil {
		return Rotation{}, err
	}
	return n.NodeKeysRotation(ctx)
}

// RotateAuthority has the authority replaced, and with it the key of every member, unless that is
// under way.
func (n *Node) RotateAuthority(ctx context.Context) (Rotation, error) {
	err := n.changeNodes(ctx,
		func(view fsm.View, k *keys, wanted *identity.NodeKeys, txn *fsm.Txn) (bool, error) {
			if len(wanted.Authorities) > 1 {
				return false, nil
			}
			old, err := k.authority(view)
			if err != nil {
				return false, err
			}
			next, err := old.Successor(n.member.Load().identity.ClusterID, n.config.Now())
			if err != nil {
				return false, err
			}
			wanted.Generation++
			wanted.Authorities = slices.Insert(wanted.Authorities, 0, next.Certificate.Raw)
			record, err := authorityRecord(next)
			if err != nil {
				return false, err
			}
			defer clear(record.Key)
			return true, putSealed(txn, view, k.keyring, pathCA, record)
		})
	if err != nil {
		return Rotation{}, err
	}
	return n.AuthorityRotation(ctx)
}

// driveNodes has an older authority go when every member has a key of the wanted generation. The
// leader does it.
func (n *Node) driveNodes(ctx context.Context, m *member) error {
	wanted, err := identity.NodeKeysOf(m.cluster.View())
	if err != nil || len(wanted.Authorities) == 1 {
		return err
	}
	return n.changeNodes(ctx,
		func(view fsm.View, _ *keys, wanted *identity.NodeKeys, _ *fsm.Txn) (bool, error) {
			if len(wanted.Authorities) == 1 || len(wanted.Behind(view.Members())) > 0 {
				return false, nil
			}
			wanted.Authorities = wanted.Authorities[:1]
			return true, nil
		})
}

// changeNodes writes the record of node keys anew, where change says so, and what change adds.
func (n *Node) changeNodes(
	ctx context.Context, change func(fsm.View, *keys, *identity.NodeKeys, *fsm.Txn) (bool, error),
) error {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return ErrSealed
	}
	return m.change(ctx, fsm.Ordinary, func(view fsm.View, txn *fsm.Txn) error {
		wanted, err := identity.NodeKeysOf(view)
		if err != nil {
			return err
		}
		if change, err := change(view, k, &wanted, txn); err != nil || !change {
			return err
		}
		value, err := wanted.Encode()
		cluster.Put(txn, view, identity.PathNodes, value)
		return err
	})
}

// NodeKeysRotation says where the change of the members' keys stands.
func (n *Node) NodeKeysRotation(ctx context.Context) (Rotation, error) {
	wanted, waiting, err := n.nodesBehind(ctx)
	if err != nil {
		return Rotation{}, err
	}
	r := Rotation{ID: strconv.FormatUint(wanted.Generation, 10), Waiting: waiting}
	if len(waiting) > 0 {
		r.Step = "each member gets a new key, and the others forget the old one"
	}
	return r, nil
}

// AuthorityRotation says where the change of the authority stands.
func (n *Node) AuthorityRotation(ctx context.Context) (Rotation, error) {
	wanted, waiting, err := n.nodesBehind(ctx)
	if err != nil {
		return Rotation{}, err
	}
	hash := sha256.Sum256(wanted.Authorities[0])
	r := Rotation{ID: hex.EncodeToString(hash[:8]), Older: len(wanted.Authorities) - 1}
	if r.Older > 0 {
		r.Step = "each member gets a key that the new authority has certified; then the old one is trusted no more"
		r.Waiting = waiting
	}
	return r, nil
}

// nodesBehind are the members that have yet to get a key.
func (n *Node) nodesBehind(ctx context.Context) (identity.NodeKeys, []Laggard, error) {
	m := n.member.Load()
	if m == nil {
		return identity.NodeKeys{}, nil, n.absent()
	}
	view := m.cluster.View()
	wanted, err := identity.NodeKeysOf(view)
	behind := wanted.Behind(view.Members())
	if err != nil || len(behind) == 0 {
		return wanted, nil, err
	}
	var waiting []Laggard
	for _, p := range m.cluster.Survey(ctx).Members {
		if slices.Contains(behind, p.ID) {
			waiting = append(waiting, laggard(p))
		}
	}
	return wanted, waiting, nil
}
