package testcluster_test

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/internal/canary"
	"keyquorum/testcluster"
)

// TestNothingReadable is I6: after a run with good and bad requests, no secret value, share, token
// or client secret stands in any data folder, log, output, usage record, or in the decrypted
// traffic between nodes.
func TestNothingReadable(t *testing.T) {
	p := &tap{}
	c := testcluster.Loopback(t, 3, p.through)
	c.NewVault("demo")
	app := c.NewApp("canary-app")
	c.Grant(0, "demo", "canary-app", []string{"all"}, []string{"all"})
	asApp(t, c, app)
	value := "CANARY-" + rand.Text() + rand.Text()
	for i := range 3 {
		n := at(t, c, i, "demo")
		name := fmt.Sprintf("name-in-the-clear-%d", i)
		_, err := n.secrets.SetSecret(t.Context(), name,
			azsecrets.SetSecretParameters{Value: to.Ptr(value)}, nil)
		must(t, err)
		_, err = n.secrets.GetSecret(t.Context(), name, "", nil)
		must(t, err)
		_, err = n.keys.CreateKey(t.Context(), name,
			azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA)}, nil)
		must(t, err)
		_, err = n.keys.Encrypt(t.Context(), name, "",
			azkeys.KeyOperationParameters{Algorithm: to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256),
				Value: []byte(value)[:40]}, nil)
		must(t, err)
		malformed(t, c, i, value)
	}
	canaries := map[string]string{"secret value": value, "part of the secret value": value[7:27],
		"root token": c.Token, "client secret": app.Secret}
	for i, share := range c.Shares {
		canaries[fmt.Sprint("share ", i, " in hex")] = share
	}
	found := sinks(t, c, p)
	for where, content := range found {
		for _, what := range canary.Found(content, canaries) {
			t.Errorf("%s stands in %s", what, where)
		}
		if bytes.Contains(content, []byte("PRIVATE KEY")) && !strings.Contains(where, "tls-key.pem") {
			t.Errorf("a private key stands in %s", where)
		}
	}
	// The scan finds what is there: names of objects are metadata and stand in the clear, in the log
	// and on the wire.
	for _, where := range []string{"cluster port", c.Data(0) + "/cluster/raft.db"} {
		if !bytes.Contains(found[where], []byte("name-in-the-clear-1")) {
			t.Errorf("the scan does not find a name in %s, so it proves nothing", where)
		}
	}
	if !bytes.Contains(c.Output(0), []byte("name-in-the-clear-0")) {
		t.Error("the scan does not find a name in node 0's usage log, so it proves nothing")
	}
}

// malformed sends the canary where errors are made of what was sent.
func malformed(t *testing.T, c *testcluster.Cluster, i int, planted string) {
	t.Helper()
	for _, r := range []struct{ method, url, body string }{
		{"PUT", c.VaultURL("demo") + "/secrets/x?api-version=7.5", `{"value":"` + planted + `"`},
		{"PUT", c.VaultURL("demo") + "/secrets/x?api-version=7.5", `{"value":{"` + planted + `":1}}`},
		{"POST", c.VaultURL("demo") + "/keys/x/sign?api-version=7.5",
			`{"alg":"` + planted + `","value":"` + planted + `"}`},
		{"PUT", c.URL(i) + "/v1/sys/unseal", `{"key":"` + planted + `"}`},
		{"PUT", c.URL(i) + "/v1/sys/unseal", `{"key":` + planted},
		{"POST", c.LoginURL() + "/adfs/oauth2/token",
			"grant_type=client_credentials&client_id=x&client_secret=" + planted},
	} {
		request, err := http.NewRequestWithContext(t.Context(), r.method, r.url,
			strings.NewReader(r.body))
		must(t, err)
		request.Header.Set("Authorization", "Bearer "+planted)
		request.Header.Set("X-Vault-Token", planted)
		answer, err := c.Client(i).Do(request)
		must(t, err)
		content, err := io.ReadAll(answer.Body)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode < 400 && !strings.HasSuffix(r.url, "/unseal") {
			t.Errorf("%s %s was answered %d", r.method, r.url, answer.StatusCode)
		}
		if bytes.Contains(content, []byte(planted)) {
			t.Errorf("the error of %s %s repeats what was sent: %s", r.method, r.url, content)
		}
	}
}
