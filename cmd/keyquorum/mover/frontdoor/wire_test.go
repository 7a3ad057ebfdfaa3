package frontdoor

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"testing"
)

// A server speaks the HTTP API of Vault and OpenBao, as their documentation has it: the one of this
// test, or a real one. It is filled by the same API.
type server struct {
	address string
	caFile  string
	token   string
	client  *http.Client
}

func newServer(t *testing.T, address, caFile, token string) *server {
	t.Helper()
	text, err := os.ReadFile(caFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(text)
	return &server{address: address, caFile: caFile, token: token, client: &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}},
	}}
}

// do sends a request, which has to succeed, and gives the data of the answer.
func (s *server) do(t *testing.T, method, path string, in any) map[string]any {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, s.address+"/v1/"+path,
		bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Vault-Token", s.token)
	answer, err := s.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		t.Fatalf("%s %s: %d %s (%v)", method, path, answer.StatusCode, text, err)
	}
	var whole struct{ Data map[string]any }
	if len(text) > 0 {
		if err := json.Unmarshal(text, &whole); err != nil {
			t.Fatal(err)
		}
	}
	return whole.Data
}

// put sets the fields of a path of KV v2.
func (s *server) put(t *testing.T, path string, fields map[string]any) {
	t.Helper()
	s.do(t, http.MethodPost, "secret/data/"+path, map[string]any{"data": fields})
}

// from is the environment in which the server is the source.
func (s *server) from(e environment) environment {
	return e.with("KEYQUORUM_CACERT", e["SSL_CERT_FILE"], "SSL_CERT_FILE", "",
		"BAO_ADDR", "", "BAO_CACERT", "", "BAO_TOKEN", "", "KEYQUORUM_TOKEN", "",
		"VAULT_ADDR", s.address, "VAULT_CACERT", s.caFile, "VAULT_TOKEN", s.token)
}
