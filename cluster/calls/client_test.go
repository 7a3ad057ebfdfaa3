package calls_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"keyquorum/cluster/calls"
)

// A peer that answers with another place is not followed there: neither to a third node, which
// would hear the body from this one, nor to any host in the clear.
func TestNoAnswerSendsACallElsewhere(t *testing.T) {
	var elsewhere atomic.Int32
	inTheClear := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		elsewhere.Add(1)
	}))
	defer inTheClear.Close()
	target := ""
	peer := httptest.NewUnstartedServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, target, http.StatusTemporaryRedirect)
		}))
	peer.EnableHTTP2 = true
	peer.StartTLS()
	defer peer.Close()
	var dialled []string
	client := calls.NewClient(func(_ context.Context, nodeID, _ string) (net.Conn, error) {
		dialled = append(dialled, nodeID)
		return tls.Dial("tcp", strings.TrimPrefix(peer.URL, "https://"),
			&tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	}, calls.Said{Heard: func(string, string) {}})
	defer client.Close()
	for _, target = range []string{"https://third/v1/order", inTheClear.URL + "/v1/order"} {
		if _, err := calls.Ask[string, string](t.Context(), client, "peer", "/v1/a", "b"); err == nil {
			t.Errorf("a call that was sent to %s has an answer", target)
		}
	}
	if slices.Contains(dialled, "third") || elsewhere.Load() > 0 {
		t.Errorf("dialled %v, and %d times in the clear", dialled, elsewhere.Load())
	}
}
