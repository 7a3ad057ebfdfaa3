package frontdoor

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
)

// What the vault itself says over HTTP, so that no command is judged by another alone.

// client trusts the cluster, and finds its names on this machine.
func (h *house) client(t *testing.T) *http.Client {
	t.Helper()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(h.environment["KEYQUORUM_CACERT"])
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal("no authority: ", err)
	}
	dial := func(network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return net.Dial(network, net.JoinHostPort("127.0.0.1", port))
	}
	transport := &http.Transport{Dial: dial, TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// token is one of the application.
func (h *house) token(t *testing.T) string {
	t.Helper()
	_, zone, _ := strings.Cut(h.urls()[0], ".")
	zone, _, _ = strings.Cut(zone, ":")
	answer,
		err := h.client(t).PostForm(h.environment["AZURE_AUTHORITY_HOST"]+"/adfs/oauth2/v2.0/token",
		url.Values{"grant_type": {"client_credentials"}, "scope": {"https://" + zone + "/.default"},
			"client_id":     {h.environment["AZURE_CLIENT_ID"]},
			"client_secret": {h.environment["AZURE_CLIENT_SECRET"]}})
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var said struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&said); err != nil || said.Token == "" {
		t.Fatalf("no token: %d (%v)", answer.StatusCode, err)
	}
	keepCredentialOut(said.Token)
	return said.Token
}

// raw asks the vault, and reads its answer into something.
func (c *caller) raw(path string, into any) {
	c.t.Helper()
	r, err := http.NewRequest(http.MethodGet, c.house.urls()[0]+path+"?api-version=7.4", nil)
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.house.token(c.t))
	answer, err := c.house.client(c.t).Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK ||
		json.NewDecoder(bytes.NewReader(body)).Decode(into) != nil {
		c.t.Fatalf("%s: %d %s (%v)", path, answer.StatusCode, body, err)
	}
}

type rawSecret struct {
	Value string
	Tags  map[string]string
}

func (c *caller) rawSecret(name string) (s rawSecret) {
	c.t.Helper()
	c.raw("/secrets/"+name, &s)
	return s
}

// rawKey is a key as the vault has it on the wire.
type rawKey struct {
	Key struct {
		Kid, Kty, Crv, N, E, X, Y string
		Ops                       []string `json:"key_ops"`
	}
	Attributes struct {
		Enabled  bool
		Exp, Nbf int64
	}
	Tags map[string]string
}

func (c *caller) rawKey(name string) (k rawKey) {
	c.t.Helper()
	c.raw("/keys/"+name, &k)
	return k
}
