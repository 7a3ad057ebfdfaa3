package debug

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/operator"
)

// A barrier lets nobody through before as many have come as it waits for. Whoever comes one after
// the other gets nothing in time.
type barrier struct {
	missing atomic.Int32
	open    chan struct{}
}

func (b *barrier) pass(r *http.Request) {
	if b.missing.Add(-1) == 0 {
		close(b.open)
	}
	select {
	case <-b.open:
	case <-r.Context().Done():
	}
}

// member is a node without a leader: it is asked for all that it knows, and answers when all are.
func (b *barrier) member(t *testing.T, configuration func() string) *httptest.Server {
	var looked atomic.Bool
	node := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasSuffix(r.URL.Path, "/ha-status"):
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"errors":["No leader of the cluster could be reached."]}`)
			return
		case strings.HasSuffix(r.URL.Path, "/raft/configuration"):
			fmt.Fprint(w, configuration())
			return
		case strings.HasSuffix(r.URL.Path, "/seal-status") && looked.CompareAndSwap(false, true):
		default:
			b.pass(r)
		}
		fmt.Fprint(w, `{"data":{"told":true}}`)
	}))
	t.Cleanup(node.Close)
	return node
}

// A cluster without a leader answers slowly. So all members are asked at once, each for everything
// at once. Where no leader names the members, they are those that the asked node knows.
func TestEverythingIsAskedAtOnce(t *testing.T) {
	const members = 3
	b := &barrier{open: make(chan struct{})}
	b.missing.Store(members * int32(len(questions)+1))
	var servers []string
	var first *httptest.Server
	for i := range members {
		node := b.member(t, func() string {
			return `{"data":{"config":{"servers":[` + strings.Join(servers, ",") + `]}}}`
		})
		if first == nil {
			first = node
		}
		servers = append(servers, fmt.Sprintf(`{"node_id":"%d","api_address":%q}`, i, node.URL))
	}
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.Block{Type: "CERTIFICATE", Bytes: first.Certificate().Raw}
	if err := os.WriteFile(authority, pem.EncodeToMemory(&block), 0o600); err != nil {
		t.Fatal(err)
	}
	c := &cobra.Command{}
	k := operator.ConnectionFlags(c)
	if err := c.PersistentFlags().Set("ca-cert", authority); err != nil {
		t.Fatal(err)
	}
	api, err := k.ClientOf(first.URL)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	g := &gathering{bundle: newBundle(&packed, "bundle"), options: new(options), connection: k, api: api}
	if answer := g.membersThatAnswer(t.Context()); len(answer) != members {
		t.Errorf("%d of %d members answer: %v", len(answer), members, answer)
	}
	if err := g.close(index{}); err != nil {
		t.Fatal(err)
	}
	files := unpacked(t, &packed)
	for i := range members {
		for _, name := range []string{"state.json", "loggers.json", "key-status.json", "goroutines.txt"} {
			name = fmt.Sprintf("bundle/nodes/%d/%s", i+1, name)
			if !bytes.Contains(files[name], []byte("told")) {
				t.Errorf("%s has %q; missing are %v", name, files[name], g.missing)
			}
		}
	}
}
