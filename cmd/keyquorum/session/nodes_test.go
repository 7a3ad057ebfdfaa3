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
		n.hosts = append(n.hosts, s.address)
		n.ways = append(n.ways, &http.Transport{DisableKeepAlives: true,
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, s.address)
			}})
	}
	return n
}

// set and sign are requests with a body; of 0 there is no answer. Only the first changes anything.
func (n *nodes) set(t *testing.T, ctx context.Context) (status int, err error) {
	t.Helper()
	return n.send(t, ctx, http.MethodPut, "/secrets/s")
}

func (n *nodes) sign(t *testing.T) (status int, err error) {
	t.Helper()
	return n.send(t, t.Context(), http.MethodPost, "/keys/k/1/sign")
}

func (n *nodes) send(
	t *testing.T, ctx context.Context, method, path string,
) (status int, err error) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, method, "http://demo.test"+path,
		strings.NewReader("whole"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer token")
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
			if status, err := n.sign(t); status != http.StatusOK {
				t.Errorf("%s: %d (%v)", name, status, err)
			}
		}
		body := *good.bodies.Load()
		if seen, by := good.seen.Load(), first.seen.Load(); seen != 2 || by > 1 || body != "whole" {
			t.Errorf("%s: it saw %d, the next %d, with %q", name, by, seen, body)
		}
	}
}

// TestChangesAreMadeOnce, and sent again only where nobody can have seen them. After a node that may
// have made one the next request of whoever looks (Once) goes to another; without it there is none.
func TestChangesAreMadeOnce(t *testing.T) {
	for _, once := range []bool{false, true} {
		ctx := t.Context()
		if once {
			ctx = Once(ctx)
		}
		good := newStand(t, serves)
		if status, err := nodesOf(absent(t), good).set(t, ctx); status != http.StatusOK {
			t.Errorf("nobody had seen it, and it was not sent to the next: %d (%v)", status, err)
		}
		for name, first := range map[string]*stand{
			"hanging up": newStand(t, hangsUp), "unable to serve": newStand(t, cannotServe),
		} {
			good, unsure := newStand(t, serves), (*InDoubt)(nil)
			n := nodesOf(first, good)
			if _, err := n.set(t, ctx); !errors.As(err, &unsure) || good.seen.Load() != 0 {
				t.Errorf("%s: what may have been done was sent again: %v", name, err)
			}
			if kept := n.unsure.Load() != nil; kept == once {
				t.Errorf("%s: the doubt is kept: %v", name, kept)
			}
			if once {
				if status, err := n.sign(t); status != http.StatusOK || first.seen.Load() != 1 {
					t.Errorf("%s: the next request: %d, %v", name, status, err)
				}
			}
		}
	}
}
