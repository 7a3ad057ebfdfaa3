package cluster

import (
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"slices"

	"keyquorum/fsm"
)

// Who may speak to this member: a certificate of the cluster's authority opens a connection, unless
// its node was removed, or the members that were signed for name another key for it. Raft's
// messages are heard then, from a node that this member has not heard of too: it may have been away
// for long. Calls are served to members only.

var errForeignKey = errors.New("cluster: the certificate's key is not that node's")

// keyHash is what members are known by.
func keyHash(cert *x509.Certificate) []byte {
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	return sum[:]
}

// admit says whether a certificate that the authority signed may be heard.
func (c *Cluster) admit(peer speaker) error {
	if peer.speaksAmong(c.fsm.View().Members()) {
		return nil
	}
	c.accuse(peer.node, deedKey)
	return errForeignKey
}

// speaksAmong is true of a node that nobody has signed for yet, too. A certificate of a later
// generation than the member's is of a key that came after those that this member knows: an
// unsealed member made it, so this one's state is behind, or soon will be.
func (s speaker) speaksAmong(members fsm.Members) bool {
	m, ok := members.Find(s.node)
	if !ok || len(m.Keys) == 0 || s.generation > m.Generation {
		return true
	}
	return slices.ContainsFunc(m.Keys, func(k []byte) bool { return string(k) == string(s.key) })
}

// SpeaksAmong says whether this identity's key is one that members know as its own.
func (id Identity) SpeaksAmong(members fsm.Members) bool { return id.self().speaksAmong(members) }

// noteMembers cuts connections whose key speaks for their node no more.
func (c *Cluster) noteMembers(v fsm.View) {
	members := v.Members()
	if last := c.noted.Swap(&members); last != nil && sameMembers(*last, members) {
		return
	}
	go c.port.cutWhere(func(peer speaker) bool { return !peer.speaksAmong(members) })
	c.nudgeFollow()
}

// sameMembers: a list is made anew when it changes, and shared otherwise.
func sameMembers(a, b fsm.Members) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
