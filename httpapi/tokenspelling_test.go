package httpapi_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
	"net/url"
	"strings"
	"testing"
)

// Of an ECDSA signature there are two spellings, and anybody makes one of the other. A token has
// one.
func TestTokensHaveOneSignature(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "one-signature", everything)
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id},
		"client_secret": {c.secret}, "scope": {"https://vault.localhost/.default"}}
	for range 16 { // a signer that doesn't choose gives either spelling
		c.token = s.login("POST", "/adfs/oauth2/token", form.Encode()).text("access_token")
		c.ok("GET", "/secrets", "")
		cut := strings.LastIndexByte(c.token, '.') + 1
		signature, err := base64.RawURLEncoding.DecodeString(c.token[cut:])
		if err != nil {
			t.Fatal(err)
		}
		half := new(big.Int).SetBytes(signature[32:])
		half.Sub(elliptic.P256().Params().N, half).FillBytes(signature[32:])
		other := *c
		other.token = c.token[:cut] + b64(signature)
		if a := other.call("GET", "/secrets", ""); a.status != 401 {
			t.Fatalf("the second spelling of a token: %d %s", a.status, a.body)
		}
	}
}

// Schemes and hosts have no case (RFC 3986 section 6.2.2.1): whatever a token is asked for, it is
// good where it is issued for.
func TestScopesHaveNoCase(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "scope-case", everything)
	for _, resource := range []string{"HTTPS://vault.localhost:8200", "https://Vault.LocalHost",
		"hTTps://VAULT.LOCALHOST.:8200/"} {
		for _, field := range []string{"scope", "resource"} {
			form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id},
				"client_secret": {c.secret}, field: {resource}}
			if field == "scope" {
				form.Set(field, resource+"/.default")
			}
			a := s.login("POST", "/adfs/oauth2/token", form.Encode())
			if a.status != 200 {
				t.Errorf("%s %s: %d %s", field, resource, a.status, a.body)
				continue
			}
			c.token = a.text("access_token")
			if a := c.call("GET", "/secrets", ""); a.status != 200 {
				t.Errorf("the token for %s %s: %d %s", field, resource, a.status, a.body)
			}
		}
	}
	c.host = strings.ToUpper(c.host)
	c.ok("GET", "/secrets", "")
}
