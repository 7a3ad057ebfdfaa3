package port_test

import (
	"context"
	"fmt"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/identity"
	"keyquorum/cluster/lives"
	"keyquorum/cluster/port"
	"keyquorum/internal/fakenet"
)

const clusterID = "00112233445566778899aabbccddeeff"

func id(i int) string      { return fmt.Sprintf("%032x", i) }
func host(i int) string    { return fmt.Sprintf("host%d", i) }
func address(i int) string { return host(i) + ":8201" }

// A world is a network and an authority, and where each port looks for a node.
type world struct {
	t         *testing.T
	network   *fakenet.Network
	authority *identity.Authority
	at        map[string][]string
}

func newWorld(t *testing.T) *world {
	authority, err := identity.NewAuthority(clusterID, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return &world{t, fakenet.New(), authority, map[string][]string{}}
}

func (w *world) open(i int, by *identity.Authority, admits func(port.Peer) error) *port.Port {
	w.t.Helper()
	key, csr, err := identity.NewRequest()
	if err != nil {
		w.t.Fatal(err)
	}
	certificate, err := by.Sign(csr, clusterID, id(i), time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	shown, err := identity.New(clusterID, id(i), key, certificate, by.Certificate.Raw)
	if err != nil {
		w.t.Fatal(err)
	}
	p := port.New(port.Config{
		Listener: w.network.Listen(host(i), address(i)), Identity: shown,
		Life: lives.ID{Count: uint64(i)}, Dial: w.network.Dialer(host(i)),
		Addresses: func(node string) []string { return w.at[node] },
		Admits:    admits, Logger: hclog.NewNullLogger(),
	})
	w.t.Cleanup(p.Close)
	return p
}

func anybody(port.Peer) error { return nil }

// Both ends know whose a connection is, whatever stood before it among the addresses; and each can
// cut it.
func TestBothEndsKnowWhoseAConnectionIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, second := w.open(1, w.authority, anybody), w.open(2, w.authority, anybody)
		w.open(3, w.authority, anybody)
		w.at[id(2)] = []string{address(3), "nowhere:1", address(2)}
		ours, err := first.Dial(context.Background(), id(2), port.Calls)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := second.Calls().Accept()
		if err != nil {
			t.Fatal(err)
		}
		if to, from := port.PeerOf(ours), port.PeerOf(theirs); to.Node != id(2) || from.Node != id(1) {
			t.Errorf("a connection from 1 to 2 is from %s to %s", from.Node, to.Node)
		}
		life := port.PeerOf(theirs).Life
		if life.Count != 1 || !second.Alive(id(1), life, time.Second) {
			t.Errorf("life %v is not heard", life)
		}
		time.Sleep(2 * time.Second)
		if second.Alive(id(1), life, time.Second) {
			t.Error("who has said nothing for two seconds was heard within one")
		}
		second.Cut(func(l port.Link) bool { return l.Node == id(1) && !l.Dialled })
		if _, err := ours.Read(make([]byte, 1)); err == nil {
			t.Error("a connection that was cut is read from")
		}
	})
}

// However many sockets say nothing, a member's handshake waits for none of them.
func TestSilentSocketsKeepNoMemberOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, second := w.open(1, w.authority, anybody), w.open(2, w.authority, anybody)
		w.at[id(2)] = []string{address(2)}
		for i := range 1000 {
			from := fmt.Sprintf("stranger%d", i%300)
			silent, err := w.network.Dialer(from)(context.Background(), address(2))
			if err != nil {
				t.Fatal(err)
			}
			defer silent.Close()
		}
		synctest.Wait()
		began := time.Now()
		for range 3 {
			if _, err := first.Dial(context.Background(), id(2), port.Calls); err != nil {
				t.Error(err)
			}
		}
		if took := time.Since(began); took > time.Second {
			t.Errorf("three dials took %v", took)
		}
		synctest.Wait() // whoever made room is counted once its handshake has ended
		if c := second.Counts(); c.Crowded < 744 || c.Refused < c.Crowded {
			t.Errorf("%+v: 1,000 came, and 256 have a place at most", c)
		}
	})
}

func TestStrangersGetNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		second := w.open(2, w.authority, func(p port.Peer) error {
			if p.Node == id(3) {
				return io.EOF
			}
			return nil
		})
		w.at[id(2)] = []string{address(2)}
		foreign, err := identity.NewAuthority(clusterID, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		stranger := w.open(1, foreign, anybody)
		if _, err := stranger.Dial(context.Background(), id(2), port.Calls); err == nil {
			t.Error("a connection under another authority is opened")
		}
		refused := w.open(3, w.authority, anybody)
		if conn, err := refused.Dial(context.Background(), id(2), port.Raft); err == nil {
			if _, err := conn.Read(make([]byte, 1)); err == nil {
				t.Error("a peer that is not admitted has a connection")
			}
		}
		if second.Alive(id(3), lives.ID{Count: 3}, time.Minute) {
			t.Error("a peer that is not admitted is heard")
		}
	})
}
