package cluster

import (
	"errors"

	"keyquorum/cluster/port"
	"keyquorum/fsm"
)

// Who may speak to this member: a certificate of the cluster's authority opens a connection, unless
// its node was removed, or the members that were signed for name another key for it. Raft's
// messages are heard then, from a node that this member has not heard of too: it may have been away
// for long. Calls are served to members only.

var errForeignKey = errors.New("cluster: the certificate's key is not that node's")

// admit says whether a certificate that the authority signed may be heard.
func (c *Cluster) admit(peer port.Peer) error {
	if peer.SpeaksAmong(c.fsm.View().Members()) {
		return nil
	}
	c.accuse(peer.Node, deedKey)
	return errForeignKey
}

// cut closes those connections of which it is so, and waits for none.
func (c *Cluster) cut(is func(port.Link) bool) { c.tasks.begin(func() { c.port.Cut(is) }) }

// noteMembers cuts connections whose key speaks for their node no more.
func (c *Cluster) noteMembers(v fsm.View) {
	members := v.Members()
	if last := c.noted.Swap(&members); last != nil && sameMembers(*last, members) {
		return
	}
	c.cut(func(l port.Link) bool { return !l.SpeaksAmong(members) })
	c.followNow.give()
}

// sameMembers: a list is made anew when it changes, and shared otherwise.
func sameMembers(a, b fsm.Members) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}
