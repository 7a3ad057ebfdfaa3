package session

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// A stand is a node that does something with each request, and counts them.
type stand struct {
	address string
	seen    atomic.Int32
	bodies  atomic.Pointer[string]
}

func newStand(t *testing.T, do http.HandlerFunc) *stand {
	t.Helper()
	s := &stand{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.seen.Add(1)
		text, _ := io.ReadAll(r.Body)
		body := string(text)
		s.bodies.Store(&body)
		do(w, r)
	}))
	t.Cleanup(server.Close)
	s.address = server.Listener.Addr().String()
	return s
}

// absent is a node that nobody can connect to.
func absent(t *testing.T) *stand {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return &stand{address: l.Addr().String()}
}

func serves(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }
func cannotServe(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusServiceUnavailable)
}
func hangsUp(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func nodesOf(stands ...*stand) *nodes {
	n := &nodes{vault: "demo.test", words: ownWords}
	for _, s := range stands {
		n.ways = append(n.ways, &http.Transport{DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, s.address)
			}})
	}
	return n
}

// put sends a request with a body; 0 is no answer.
func (n *nodes) put(t *testing.T, ctx context.Context) (status int, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodPut, "http://demo.test/secrets/s",
		strings.NewReader("whole"))
	if err != nil {
		t.Fatal(err)
	}
	answer, err := n.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	answer.Body.Close()
	return answer.StatusCode, nil
}

// TestTheNextNodeIsTried: with the whole body, where a node is away, hangs up or cannot serve; and
// the one that answered goes first from then on.
func TestTheNextNodeIsTried(t *testing.T) {
	for name, first := range map[string]*stand{"absent": absent(t), "hanging up": newStand(t, hangsUp),
		"sealed": newStand(t, cannotServe)} {
		good := newStand(t, serves)
		n := nodesOf(first, good)
		for range 2 {
			if status, err := n.put(t, t.Context()); status != http.StatusOK {
				t.Errorf("%s: %d (%v)", name, status, err)
			}
		}
		body := *good.bodies.Load()
		if seen, by := good.seen.Load(), first.seen.Load(); seen != 2 || by > 1 || body != "whole" {
			t.Errorf("%s: it saw %d, the next %d, with %q", name, by, seen, body)
		}
	}
}

// TestOnceIsSentOnce, but where nobody can have seen it. After a node that cannot serve the next
// request goes to another.
func TestOnceIsSentOnce(t *testing.T) {
	once := Once(t.Context())
	good := newStand(t, serves)
	if status, err := nodesOf(absent(t), good).put(t, once); status != http.StatusOK {
		t.Errorf("nobody had seen it, and it was not sent to the next: %d (%v)", status, err)
	}
	good = newStand(t, serves)
	var unreached *Unreached
	if _, err := nodesOf(newStand(t, hangsUp), good).put(t, once); !errors.As(err, &unreached) ||
		good.seen.Load() != 0 {
		t.Errorf("what may have been done was sent again: %v", err)
	}
	n := nodesOf(newStand(t, cannotServe), good)
	if status, _ := n.put(t, once); status != http.StatusServiceUnavailable || good.seen.Load() != 0 {
		t.Errorf("a node that could not serve: %d", status)
	}
	if status, _ := n.put(t, once); status != http.StatusOK {
		t.Errorf("the next request: %d", status)
	}
}
