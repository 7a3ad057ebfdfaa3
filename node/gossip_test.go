package node_test

import (
	"fmt"
	"net"
	"testing"
	"time"

	"keyquorum/node"
)

// With gossip blocked everything works but the columns of status. The nodes gossip on loopback, and
// tell each other addresses at which nobody listens; the rest of their network is in memory, so no
// bubble: memberlist has sockets.
func TestGossipBlocked(t *testing.T) {
	s := newSite(t)
	for i := range 3 {
		s.openWith(i, func(c *node.Config) {
			c.Gossip = node.GossipConfig{Bind: freePort(t), Advertise: fmt.Sprintf("127.0.0.%d:1", 100+i)}
			c.Timing = node.Timing{Heartbeat: 200 * time.Millisecond, Election: 200 * time.Millisecond,
				LeaderLease: 100 * time.Millisecond}
		})
	}
	s.startOpened(3)
	v, o := s.operator(1)
	_, err := v.CreateVault(t.Context(), o, "demo", 90, false)
	must(t, err)
	peers, _, err := s.nodes[0].Peers()
	must(t, err)
	for _, p := range peers {
		if self := p.Status.About.Label == "host0"; !self && p.Known {
			t.Errorf("gossip was not blocked: %+v", p)
		}
	}
	leader := s.leader()
	if l := s.nodes[(leader+1)%3].Leader(t.Context()); !l.Known || l.APIAddr == "" ||
		l.ClusterAddr == "" {
		t.Errorf("the leader's addresses are not known: %+v", l)
	}
	s.await("the leader steps down",
		func() bool { return s.nodes[(leader+1)%3].StepDown(t.Context()) == nil })
	s.await("a leader", func() bool { return s.leader() >= 0 }) // the same again, on a busy machine

	dead := s.leader()
	s.stop(dead)
	for i := range 3 {
		if i != dead {
			v, o := s.operator(i)
			if _, err := v.GetVault(t.Context(), o, "demo"); err != nil {
				t.Errorf("node %d reads: %v", i, err)
			}
			if _, err := v.CreateVault(t.Context(), o, fmt.Sprint("more", i), 90, false); err != nil {
				t.Errorf("node %d writes: %v", i, err)
			}
		}
	}
	asked := s.nodes[(dead+1)%3]
	peers, _, err = asked.Peers()
	must(t, err)
	for _, p := range peers {
		if p.Address == fmt.Sprintf("host%d:8201", dead) {
			must(t, asked.RemovePeer(t.Context(), p.ID, false))
		}
	}
	if peers, _, _ = asked.Peers(); len(peers) != 2 {
		t.Errorf("%d peers after a dead one of three was removed", len(peers))
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// leader is the node that leads, -1 for none.
func (s *site) leader() int {
	for i, n := range s.nodes {
		if n != nil && n.Health().Leader {
			return i
		}
	}
	return -1
}
