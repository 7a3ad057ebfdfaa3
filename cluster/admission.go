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
func (c *Cluster) admit(nodeID string, cert *x509.Certificate) error {
	if keySpeaksFor(c.fsm.View().Members(), nodeID, keyHash(cert)) {
		return nil
	}
	c.accuse(nodeID, deedKey)
	return errForeignKey
}

// keySpeaksFor is true of a node that nobody has signed for yet, too.
func keySpeaksFor(members fsm.Members, nodeID string, hash []byte) bool {
	m, ok := members.Find(nodeID)
	if !ok || len(m.Keys) == 0 {
		return true
	}
	return slices.ContainsFunc(m.Keys, func(k []byte) bool { return string(k) == string(hash) })
}

// noteMembers cuts connections whose key speaks for their node no more.
func (c *Cluster) noteMembers(v fsm.View) {
	members := v.Members()
	if last := c.noted.Swap(&members); last != nil && sameMembers(*last, members) {
		return
	}
	go c.port.cutWhere(func(peer string, hash []byte) bool { return !keySpeaksFor(members, peer, hash) })
	c.nudgeFollow()
}

// sameMembers: a list is made anew when it changes, and shared otherwise.
func sameMembers(a, b fsm.Members) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
