package terminal

import (
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// TestWaitingIsToldAndCleared: whoever waits for a vault for more than a second is told, and in the
// end only the answer stands there.
func TestWaitingIsToldAndCleared(t *testing.T) {
	c := running(t)
	c.does(t, "secret", "set", "waited-for", "--value", "x")
	gate := newGate(t, c.environment["KEYQUORUM_ADDR"])
	vault := "https://demo.vault.localhost:" + gate.port
	s := c.sit(t, "secret list --vault "+vault)
	s.await("waiting for " + vault + " (")
	close(gate.open)
	shown := s.ends(0)
	if shown.has("waiting") || !shown.has("waited-for") {
		t.Errorf("in the end there is\n%s", shown)
	}
}

// TestAnOperatorIsToldWhatIsWaitedFor, and in the end only the answer stands there.
func TestAnOperatorIsToldWhatIsWaitedFor(t *testing.T) {
	c := running(t)
	gate := newGate(t, c.environment["KEYQUORUM_ADDR"])
	node := "https://127.0.0.1:" + gate.port
	s := c.sit(t, "vault list --address "+node)
	s.await("Waiting for " + node + " to answer (")
	close(gate.open)
	if shown := s.ends(0); shown.has("Waiting") || !shown.has("demo") {
		t.Errorf("in the end there is\n%s", shown)
	}
}

// TestProgressIsTold of a proof, and cleared, when it is cut short too.
func TestProgressIsTold(t *testing.T) {
	c := running(t)
	s := c.sit(t, "prove --time 1m")
	s.await("working: ")
	s.types("\x03")
	s.await("interrupted: ")
	if shown := s.finish(); shown.has("working: ") || !shown.has("Proven") {
		t.Errorf("in the end there is\n%s", shown)
	}
}

// TestADevClusterSaysHowToUseIt, and ends by Ctrl-C.
func TestADevClusterSaysHowToUseIt(t *testing.T) {
	s := sit(t, home, environmentOf(nil), program, "dev", "--memory", "--nodes=1", "--port=0")
	s.await("Ready.")
	s.types("\x03")
	shown := s.ends(0)
	for _, next := range []string{"in another terminal", "/env", "bin/keyquorum secret set",
		"All nodes have stopped."} {
		if !shown.has(next) {
			t.Errorf("it does not say %q:\n%s", next, shown)
		}
	}
	for _, hidden := range []string{"CLIENT_SECRET=", "_TOKEN="} {
		if shown.has(hidden) {
			t.Errorf("it shows %s:\n%s", hidden, shown)
		}
	}
}

// A gate is a way to a node that lets nothing through until it is opened.
type gate struct {
	port string
	open chan struct{}
}

func newGate(t *testing.T, node string) *gate {
	t.Helper()
	u, err := url.Parse(node)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{open: make(chan struct{})}
	_, g.port, _ = strings.Cut(listener.Addr().String(), ":")
	ctx, cancel := context.WithCancel(context.Background())
	var carried sync.WaitGroup
	t.Cleanup(func() { listener.Close(); cancel(); carried.Wait() })
	carried.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			carried.Go(func() { g.carry(ctx, from, u.Host) })
		}
	})
	return g
}

// carry joins a connection with one to the node.
func (g *gate) carry(ctx context.Context, from net.Conn, node string) {
	defer from.Close()
	stop := context.AfterFunc(ctx, func() { from.Close() })
	defer stop()
	select {
	case <-g.open:
	case <-ctx.Done():
		return
	}
	to, err := net.Dial("tcp", node)
	if err != nil {
		return
	}
	defer to.Close()
	var back sync.WaitGroup
	back.Go(func() { _, _ = io.Copy(from, to); from.Close() })
	_, _ = io.Copy(to, from)
	to.Close()
	back.Wait()
}
