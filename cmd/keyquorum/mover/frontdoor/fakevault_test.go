package frontdoor

import (
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// A fake answers as the documentation of Vault's and OpenBao's HTTP API says, for as much of it as
// reading and filling take: sys/internal/ui/mounts, KV of both versions, transit.
type fake struct {
	*server
	mu        sync.Mutex
	mounts    map[string]*fakeMount
	throttled int    // how many of the next requests are answered 429
	sealed    bool   // from now on
	redirects bool   // from now on
	denied    string // a path that the token may not use
	meet      func() // called with each request for a value
}

type fakeMount struct {
	kind    string // "kv" or "transit"
	version string // of kv
	paths   map[string]*fakePath
	keys    map[string]*fakeKey
}

const fakeToken = "s.a-token-of-the-test"

func newFake(t *testing.T) *fake {
	t.Helper()
	f := &fake{mounts: map[string]*fakeMount{
		"secret":  {kind: "kv", version: "2", paths: map[string]*fakePath{}},
		"old":     {kind: "kv", version: "1", paths: map[string]*fakePath{}},
		"transit": {kind: "transit", keys: map[string]*fakeKey{}},
		"pki":     {kind: "pki"},
	}}
	own := httptest.NewTLSServer(f)
	t.Cleanup(own.Close)
	file := filepath.Join(t.TempDir(), "vault.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: own.Certificate().Raw})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f.server = newServer(t, own.URL, file, fakeToken)
	return f
}

// set changes how it behaves.
func (f *fake) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	if f.meet != nil && strings.HasPrefix(path, "secret/data/") {
		f.meet()
	}
	switch {
	case f.sealed:
		refuse(w, http.StatusServiceUnavailable, "Vault is sealed")
	case f.redirects:
		w.Header().Set("Location", "https://elsewhere.example/v1/"+path)
		w.WriteHeader(http.StatusTemporaryRedirect)
	case f.throttled > 0:
		f.throttled--
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusTooManyRequests, "request path is rate limited")
	case r.Header.Get("X-Vault-Token") != fakeToken,
		f.denied != "" && strings.HasPrefix(path, f.denied):
		refuse(w, http.StatusForbidden, "permission denied")
	case strings.HasPrefix(path, "sys/internal/ui/mounts/"):
		f.mount(w, strings.TrimPrefix(path, "sys/internal/ui/mounts/"))
	default:
		name, rest, _ := strings.Cut(path, "/")
		m := f.mounts[name]
		switch {
		case m == nil:
			refuse(w, http.StatusNotFound, "no handler for route \""+path+"\"")
		case m.kind == "transit":
			m.transit(w, r, rest)
		default:
			m.kv(w, r, rest)
		}
	}
}

func (f *fake) mount(w http.ResponseWriter, asked string) {
	name, _, _ := strings.Cut(asked, "/")
	m := f.mounts[name]
	if m == nil {
		refuse(w, http.StatusForbidden,
			"preflight capability check returned 403, please ensure client's policies grant access")
		return
	}
	data := map[string]any{"path": name + "/", "type": m.kind, "options": nil}
	if m.kind == "kv" {
		data["options"] = map[string]string{"version": m.version}
	}
	give(w, data)
}

// give answers with data, as a logical response of Vault's is.
func give(w http.ResponseWriter, data any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"request_id": "d7f2c9a0-0000-0000-0000-000000000000", "lease_id": "", "renewable": false,
		"lease_duration": 0, "data": data, "wrap_info": nil, "warnings": nil, "auth": nil,
	})
}

func refuse(w http.ResponseWriter, status int, errors ...string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if errors == nil {
		errors = []string{}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"errors": errors})
}

// body is what a request holds.
func body(r *http.Request) (members map[string]json.RawMessage) {
	_ = json.NewDecoder(r.Body).Decode(&members)
	return members
}
