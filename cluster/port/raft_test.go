package port_test

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/port"
)

const mostUnanswered = 2 << 20

// serveRaft has a port take Raft's connections in, until the test ends.
func (w *world) serveRaft(p *port.Port, take func(string, raft.RPC)) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		p.ServeRaft(ctx, port.Handler{
			Admit: func(port.Peer) bool { return true }, Take: take, Heartbeat: take,
			Timeout: 3 * time.Second, MaxUnanswered: mostUnanswered,
		})
	}()
	w.t.Cleanup(func() { cancel(); p.Close(); <-ended })
}

func (w *world) dialRaft(from *port.Port, to int) net.Conn {
	w.t.Helper()
	conn, err := from.Dial(context.Background(), id(to), port.Raft)
	if err != nil {
		w.t.Fatal(err)
	}
	return conn
}

// A message that says that 4 GiB follow is read no further than any message of a leader's goes.
func TestNoMessageIsLongerThanAnyLeaders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, second := w.open(1, w.authority, anybody), w.open(2, w.authority, anybody)
		w.at[id(2)] = []string{address(2)}
		w.serveRaft(second, func(string, raft.RPC) {})
		conn := w.dialRaft(first, 2)
		defer conn.Close()
		head := []byte{0, 0x81, 0xa1, 'X', 0xc6, 0xff, 0xff, 0xff, 0xff} // MessagePack: {X: 4 GiB}
		if _, err := conn.Write(head); err != nil {
			t.Fatal(err)
		}
		sent := 0
		conn.SetWriteDeadline(time.Now().Add(time.Minute))
		for piece := make([]byte, 64<<10); sent < 64<<20; sent += len(piece) {
			if _, err := conn.Write(piece); err != nil {
				break
			}
		}
		if sent > 16<<20 { // what the network itself keeps included
			t.Errorf("%d bytes of one message were taken", sent)
		}
	})
}

// A node has some of Raft's connections, and when some have gone new ones.
func TestNodeHasSomeOfRaftsConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		first, second := w.open(1, w.authority, anybody), w.open(2, w.authority, anybody)
		w.at[id(2)] = []string{address(2)}
		w.serveRaft(second, func(string, raft.RPC) {})
		closed := func(conn net.Conn) bool {
			conn.SetReadDeadline(time.Now().Add(time.Second))
			_, err := conn.Read(make([]byte, 1))
			timeout, ok := err.(net.Error)
			return !ok || !timeout.Timeout()
		}
		var open []net.Conn
		for range 100 {
			if conn := w.dialRaft(first, 2); closed(conn) {
				conn.Close()
			} else {
				open = append(open, conn)
			}
		}
		if len(open) < 16 || len(open) > 32 {
			t.Errorf("a node has %d connections", len(open))
		}
		for _, conn := range open {
			conn.Close()
		}
		time.Sleep(time.Second)
		if conn := w.dialRaft(first, 2); closed(conn) {
			t.Error("afterwards it has none")
		}
	})
}
