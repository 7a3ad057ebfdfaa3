package cluster_test

import (
	"crypto/tls"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"
)

// dialRaft opens a connection for Raft's messages to member i in the name of member gone, which
// does not run. The handshake is still to come.
func (g *group) dialRaft(gone, i int) *tls.Conn {
	raw, err := g.network.Dialer(host(gone))(g.t.Context(), address(i))
	must(g.t, err)
	return tls.Client(raw, &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{"keyquorum-raft/1"}, InsecureSkipVerify: true,
		Certificates: []tls.Certificate{g.configs[gone].Identity.Certificate},
	})
}

// ended says whether the other end closes a connection within ten seconds.
func ended(conn *tls.Conn) bool {
	conn.SetReadDeadline(time.Now().Add(10 * time.Second)) // fails where it has
	_, err := conn.Read(make([]byte, 1))
	return !errors.Is(err, os.ErrDeadlineExceeded)
}

// No connection of a removed node outlives its removal: neither one that stood, nor one whose
// handshake was under way, nor one that is opened after.
func TestRemovedNodeIsCutOff(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		const leader, gone = 0, 2
		g.lead(leader)
		g.stop(gone)
		stood, between := g.dialRaft(gone, leader), g.dialRaft(gone, leader)
		must(t, stood.Handshake())
		synctest.Wait() // the other end is through, too
		g.network.Hold(host(gone), host(leader))
		shaken := make(chan struct{})
		go func() { between.Handshake(); close(shaken) }() // it may take the end for an answer
		must(t, g.members[1].Remove(t.Context(), g.ids[gone], nil))
		g.network.Release(host(gone), host(leader))
		<-shaken
		after := g.dialRaft(gone, leader)
		after.Handshake()
		for when, conn := range map[string]*tls.Conn{"before": stood, "during": between, "after": after} {
			if !ended(conn) {
				t.Errorf("a connection that a removed node opened %s its removal stands", when)
			}
			conn.Close()
		}
	})
}

// One other's word that this member was removed could be a thief's: it takes most of them.
func TestOneWordRemovesNobody(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		member := g.members[(leader+1)%3]
		for range 3 {
			member.HearRemoved(g.ids[(leader+2)%3])
			member.HearRemoved("0000000000000000000000000000abcd") // is no member
		}
		must(t, g.put(leader, "x", "1"))
		if got, err := g.get((leader+1)%3, "x", time.Second); got != "1" || member.Removed() {
			t.Errorf("read %q, %v; removed: %v", got, err, member.Removed())
		}
		member.HearRemoved(g.ids[leader])
		if !member.Removed() {
			t.Error("all others say that it was removed, and it goes on")
		}
	})
}
