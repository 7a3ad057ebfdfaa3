package operator

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// A node says of itself where it is. Whoever calls it there shows it the operators' token only
// where a CA is named: a host with a public certificate could be anybody's.
func TestTokenGoesToMembersOfANamedAuthority(t *testing.T) {
	shown := make(chan string, 1)
	member := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		shown <- r.Header.Get("X-Vault-Token")
	}))
	defer member.Close()
	authority := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.Block{Type: "CERTIFICATE", Bytes: member.Certificate().Raw}
	if err := os.WriteFile(authority, pem.EncodeToMemory(&block), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, prefix := range []string{"KEYQUORUM_", "BAO_", "VAULT_"} {
		t.Setenv(prefix+"CACERT", "")
	}
	t.Setenv("KEYQUORUM_TOKEN", "the-token")
	for _, row := range []struct {
		flag, variable, want string
	}{{"", "", ""}, {authority, "", "the-token"}, {"", authority, "the-token"}} {
		t.Setenv("KEYQUORUM_CACERT", row.variable)
		c, err := (&Connection{caCert: row.flag}).Member(member.URL)
		if err != nil {
			t.Fatal(err)
		}
		c.HTTP = member.Client() // which trusts it in any case
		if err := c.Call(t.Context(), http.MethodGet, "/v1/sys/leader", nil, nil); err != nil {
			t.Fatal(err)
		}
		if got := <-shown; got != row.want {
			t.Errorf("with --ca-cert %q and KEYQUORUM_CACERT %q it is shown %q", row.flag,
				row.variable, got)
		}
	}
}
