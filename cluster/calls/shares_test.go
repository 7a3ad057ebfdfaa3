package calls_test

import (
	"bytes"
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/identity"
	"keyquorum/cluster/port"
	"keyquorum/cluster/wire"
)

// heldServer has two calls that end when a test says so, and says how many are served.
func heldServer() (s *calls.Server, served chan string, end chan struct{}) {
	s = calls.NewServer(calls.Rules{
		May:     func(string, port.Peer, string) calls.Word { return "" },
		WordFor: func(error) calls.Word { return "" },
		Logger:  hclog.NewNullLogger(),
	})
	served, end = make(chan string, 10*calls.Many), make(chan struct{})
	hold := func(ctx context.Context, from string, _ []byte) (string, error) {
		served <- from
		select {
		case <-end:
		case <-ctx.Done():
		}
		return "", nil
	}
	calls.On(s, "/v1/held", calls.Few, hold)
	calls.On(s, "/v1/many", calls.Many, hold)
	return s, served, end
}

func call(ctx context.Context, s *calls.Server, from, path string, body []byte) (answer string) {
	encoded, _ := wire.Encode(body)
	ctx = calls.WithAsker(ctx, port.Peer{Speaker: identity.Speaker{Node: from}})
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "POST", path, bytes.NewReader(encoded)))
	return strings.TrimSuffix(w.Body.String(), "\n")
}

// Whoever makes as many calls as he can takes nothing from the others, nor from his other calls.
func TestNodesHaveTheirShareOfCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, served, end := heldServer()
		for range 2 * calls.Few {
			go call(t.Context(), s, "greedy", "/v1/held", nil)
		}
		synctest.Wait()
		if n := len(served); n != calls.Few {
			t.Errorf("%d calls of a node are served at once", n)
		}
		if word := call(t.Context(), s, "greedy", "/v1/held", nil); word != string(calls.TooMany) {
			t.Errorf("one more is answered %q", word)
		}
		before := len(served)
		go call(t.Context(), s, "other", "/v1/held", nil)
		go call(t.Context(), s, "greedy", "/v1/many", nil)
		synctest.Wait()
		if n := len(served) - before; n != 2 {
			t.Errorf("of two calls beside those %d are served", n)
		}
		close(end)
		synctest.Wait()
		if n := len(served); n != 2*calls.Few+2 {
			t.Errorf("at the end %d were served", n)
		}
	})
}

// A caller that leaves while it waits leaves its place to the next.
func TestWhoWaitsMayLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, served, end := heldServer()
		ctx, cancel := context.WithCancel(t.Context())
		for range calls.Few {
			go call(t.Context(), s, "greedy", "/v1/held", nil)
		}
		synctest.Wait()
		for range calls.Few {
			go call(ctx, s, "greedy", "/v1/held", nil)
		}
		synctest.Wait()
		cancel()
		synctest.Wait()
		go call(t.Context(), s, "greedy", "/v1/held", nil)
		synctest.Wait()
		close(end)
		synctest.Wait()
		if n := len(served); n != calls.Few+1 {
			t.Errorf("%d were served", n)
		}
	})
}

// Long bodies are in memory a few at a time, whatever the call.
func TestNodesHaveTheirShareOfLongBodies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, served, end := heldServer()
		long := make([]byte, 128<<10)
		for range 100 {
			go call(t.Context(), s, "greedy", "/v1/many", long)
		}
		synctest.Wait()
		if n := len(served); n != 64 {
			t.Errorf("%d long bodies are in memory", n)
		}
		go call(t.Context(), s, "greedy", "/v1/many", nil)
		synctest.Wait()
		if n := len(served); n != 65 {
			t.Error("a short one waits for them")
		}
		close(end)
		synctest.Wait()
	})
}
