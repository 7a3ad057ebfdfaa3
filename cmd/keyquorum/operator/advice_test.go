package operator

import (
	"context"
	"crypto/x509"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/console"
)

// Whoever is refused hears what to do next, whatever words the node has for it.
func TestRefusalsSayWhatToDo(t *testing.T) {
	for said, row := range map[string]struct {
		status int
		next   string
	}{
		"No leader of the cluster could be reached.":                             {503, "raft list-peers"},
		"cluster: no leader with a majority could be reached":                    {503, "majority"},
		"invalid key: seal: share does not belong to this cluster's current key": {400, "check-share"},
		"invalid key: seal: share was given already":                             {400, "another holder"},
		"invalid key: seal: a share is 33 bytes":                                 {400, "66 hex digits"},
		"invalid key: seal: not a share":                                         {400, "check-share"},
		"The usage record could not be written.":                                 {500, "make room"},
		"rekey already in progress":                                              {400, "rekey --cancel"},
		"root generation already in progress":                                    {400, "root --cancel"},
		"vault is unsealed":                                                      {400, "no share"},
		"too many attempts to join":                                              {429, "wait"},
		"permission denied: missing client token":                                {403, "set KEYQUORUM_TOKEN"},
		"permission denied: invalid token":                                       {403, "generate-root"},
		"Vault is sealed":                                                        {503, "operator unseal"},
		"Vault is already initialized":                                           {400, "operator unseal"},
		"make room for this node first: a disk":                                  {503, "make room"},
		"it refuses in words that say all there is":                              {400, "all there is (400)"},
	} {
		c := &Client{Base: "https://node", HTTP: &http.Client{Transport: fakeNode(
			func(*http.Request) (int, any) { return row.status, map[string]any{"errors": []string{said}} })}}
		if strings.Contains(said, "invalid token") {
			c.Token = "another cluster's"
		}
		err := c.Call(t.Context(), http.MethodGet, "/v1/sys/leader", nil, nil)
		var refused *Refusal
		if err == nil || !strings.Contains(err.Error(), said) || !strings.Contains(err.Error(), row.next) ||
			!errors.As(err, &refused) || console.ExitCode(err) != 2 {
			t.Errorf("%q is said as %v, without %q", said, err, row.next)
		}
	}
}

// A node that is not reached is named, without the request that nobody has typed, and there is
// something to do about it.
func TestWhatIsNotReachedSaysWhatToDo(t *testing.T) {
	c := &Client{Base: "https://node"}
	for next, cause := range map[string]error{
		"renew the node's certificate": x509.CertificateInvalidError{Reason: x509.Expired,
			Detail: "current time is after " + time.Now().String(), Cert: new(x509.Certificate)},
		"--ca-cert":        x509.UnknownAuthorityError{},
		"--address":        x509.HostnameError{Certificate: new(x509.Certificate), Host: "node"},
		"keyquorum doctor": errors.New("tls: no application protocol"),
	} {
		err := c.unreached(&url.Error{Op: "Get", URL: "https://node/v1/sys/leader", Err: cause})
		if said := err.Error(); !strings.Contains(said, next) || strings.Contains(said, "/v1/sys") ||
			!strings.HasPrefix(said, "https://node cannot be reached: ") {
			t.Errorf("%T is said as %q, without %q", cause, said, next)
		}
	}
	if err := c.unreached(context.Canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted call ends with %v", err)
	}
}
