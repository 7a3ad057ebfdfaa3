package calls_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/identity"
	"keyquorum/cluster/port"
	"keyquorum/cluster/wire"
)

// What a call is answered with, by who asks, what it brings and how it ends.
func TestCallsAreAnsweredWithOneWord(t *testing.T) {
	full := errors.New("the queue is full")
	server := calls.NewServer(calls.Rules{
		May: func(_ string, asker port.Peer, _ string) calls.Word {
			if asker.Node == "stranger" {
				return "stranger"
			}
			return ""
		},
		WordFor: func(err error) calls.Word {
			if errors.Is(err, full) {
				return "too-many"
			}
			return ""
		},
		Logger: hclog.NewNullLogger(),
	})
	ends := map[string]error{"full": full, "late": calls.Word("late"), "odd": io.ErrUnexpectedEOF}
	echo := func(_ context.Context, from, said string) (string, error) {
		return from + " says " + said, ends[said]
	}
	calls.On(server, "/v1/echo", calls.Few, echo)
	encoded := func(s string) []byte { b, _ := wire.Encode(s); return b }
	for name, c := range map[string]struct {
		from string
		body []byte
		want string
	}{
		"a good one":             {"one", encoded("hello"), string(encoded("one says hello"))},
		"of a stranger":          {"stranger", encoded("hello"), "stranger"},
		"of another shape":       {"one", []byte{0x80}, "bad-call"},
		"that is too long":       {"one", make([]byte, calls.MaxBody+1), "bad-call"},
		"that ends with a word":  {"one", encoded("late"), "late"},
		"that finds it full":     {"one", encoded("full"), "too-many"},
		"that fails without one": {"one", encoded("odd"), "failed"},
	} {
		asker := port.Peer{Speaker: identity.Speaker{Node: c.from}}
		ctx := calls.WithAsker(t.Context(), asker)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, httptest.NewRequestWithContext(
			ctx, "POST", "/v1/echo", bytes.NewReader(c.body)))
		if got := strings.TrimSuffix(w.Body.String(), "\n"); got != c.want {
			t.Errorf("a call %s is answered %q, not %q", name, got, c.want)
		}
	}
}
