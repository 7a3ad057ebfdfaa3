package conformance_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An authority is a service that attests whatever it is asked to, as the one of Microsoft's that
// its suite is meant to be run with. What is real about it are its keys: a node releases nothing
// that they have not signed.
type authority struct {
	url    string
	roots  string // PEM file of the certificate that it has
	signer jose.JSONWebKey
	target jose.JSONWebKey // to which keys are released
}

func newAuthority(t *testing.T) *authority {
	a := &authority{signer: newRSA(t, "signer"), target: newRSA(t, "environment")}
	answers := http.NewServeMux()
	server := httptest.NewTLSServer(answers)
	t.Cleanup(server.Close)
	a.url = server.URL
	a.roots = filepath.Join(t.TempDir(), "authority.pem")
	must(t, os.WriteFile(a.roots,
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
	for path, answer := range map[string]any{
		"/.well-known/openid-configuration": map[string]string{"issuer": a.url,
			"jwks_uri": a.url + "/certs"},
		"/certs":               jose.JSONWebKeySet{Keys: []jose.JSONWebKey{a.signer.Public()}},
		"/generate-test-token": map[string]string{"token": a.attest(t)},
	} {
		body, err := json.Marshal(answer)
		must(t, err)
		answers.HandleFunc("GET "+path,
			func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
	}
	return a
}

func newRSA(t *testing.T, id string) jose.JSONWebKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	return jose.JSONWebKey{Key: key, KeyID: id}
}

// attest makes the token of an environment that the suite's release policy wants.
func (a *authority) attest(t *testing.T) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: a.signer}, nil)
	must(t, err)
	now := time.Now()
	claims, err := json.Marshal(map[string]any{
		"iss": a.url, "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(), "sdk-test": "true",
		"x-ms-runtime": jose.JSONWebKeySet{Keys: []jose.JSONWebKey{a.target.Public()}},
	})
	must(t, err)
	signed, err := signer.Sign(claims)
	must(t, err)
	token, err := signed.CompactSerialize()
	must(t, err)
	return token
}
