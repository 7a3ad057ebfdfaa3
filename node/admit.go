package node

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/x509"
	"fmt"
	"time"

	"keyquorum/cluster"
	"keyquorum/cluster/identity"
	"keyquorum/internal/address"
)

// AdmitAnswer serves the second: it checks the proof, signs the certificate and has the leader add
// the node as a non-voter. Who was admitted and never comes is removed again (lapse.go).
func (n *Node) AdmitAnswer(ctx context.Context, a Answer) (Admission, error) {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return Admission{}, ErrSealed
	}
	proof, err := n.proven(m, k, a)
	if err != nil {
		return Admission{}, err
	}
	if err := address.Reachable(a.ClusterAddr); err != nil {
		return Admission{}, &PeerError{"the cluster address of the new node: " + err.Error()}
	}
	if err := m.nameIsFree(ctx, a); err != nil {
		return Admission{}, err
	}
	leaf, authorities, err := n.certified(m, k, a)
	if err != nil {
		return Admission{}, err
	}
	if err := n.expect(ctx, m, k, a.ServerID); err != nil {
		return Admission{}, err
	}
	if err := m.cluster.Add(ctx, a.ServerID, a.ClusterAddr, leaf); err != nil {
		return Admission{}, err
	}
	trust, err := m.cluster.Trusted().Encode()
	if err != nil {
		return Admission{}, err
	}
	admission := Admission{
		Certificate: leaf.Raw, CA: bytes.Join(authorities, nil),
		SealRecord: m.sealRecord().Encode(), Trust: trust,
	}
	if admission.GossipKey, err = proof.mask(bytes.Join(m.cluster.GossipKeys(), nil)); err != nil {
		return Admission{}, err
	}
	admission.Proof, err = proof.admission(admission)
	return admission, err
}

// proven checks that the answer's node was given this cluster's shares, in answer to a challenge of
// this process that is not old.
func (n *Node) proven(m *member, k *keys, a Answer) (joinProof, error) {
	if !isNodeID(a.ServerID) || !n.nonces.valid(a.ServerID, a.Nonce, time.Now()) {
		return joinProof{}, ErrInvalidAnswer
	}
	if k.root.Generation() != m.sealRecord().Generation {
		return joinProof{}, errNoRoot // it can't tell who was given the shares of now
	}
	proof := joinProof{k.root, m.identity.ClusterID, a.ServerID, a.Nonce}
	mac, err := proof.answer(a.CSR, a.ClusterAddr)
	if err != nil {
		return joinProof{}, ErrSealed
	}
	if !hmac.Equal(mac, a.MAC) {
		return joinProof{}, ErrInvalidAnswer
	}
	return proof, nil
}

// certified is the new node's certificate, and the authorities that it is to trust.
func (n *Node) certified(m *member, k *keys, a Answer) (
	leaf *x509.Certificate, authorities [][]byte, err error,
) {
	view := m.cluster.View()
	wanted, err := identity.NodeKeysOf(view)
	if err != nil {
		return nil, nil, err
	}
	authority, err := k.authority(view)
	if err != nil {
		return nil, nil, err
	}
	signed, err := authority.Sign(a.CSR, m.identity.ClusterID, a.ServerID, n.config.Now())
	if err != nil {
		return nil, nil, err
	}
	leaf, err = x509.ParseCertificate(signed)
	return leaf, wanted.Authorities, err
}

// nameIsFree refuses a new node with the label of a member that answers: people call members by it,
// to remove one for instance. That of a member that is gone is free for its successor.
func (m *member) nameIsFree(ctx context.Context, a Answer) error {
	if a.Label == "" {
		return nil
	}
	for _, p := range m.cluster.Survey(ctx).Members {
		if p.ID == a.ServerID || p.Status.About.Label != a.Label || !p.Answers {
			continue
		}
		return &PeerError{fmt.Sprintf("a member that runs is called %s: give the new node a name "+
			"of its own (--label, or node_id in storage \"raft\") and start it again; if it is to "+
			"take that member's place, stop that one first", cluster.Named(a.Label, p.ID))}
	}
	return nil
}
