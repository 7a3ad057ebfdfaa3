package azure

import (
	"encoding/base64"
	"fmt"

	"keyquorum/httpapi/hosts"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

// tenant is what the challenge names. With "adfs" the Microsoft libraries take an authority that
// they don't know without asking the public cloud about it.
const tenant = "adfs"

// challenge is the value of WWW-Authenticate, in the one shape that every SDK parses: one
// challenge, double quotes, a path in authorization, and as resource the Host without its first
// label, port kept. Go compares the resource with the host it called byte for byte, so it is minted
// from the request and never from the configuration.
func challenge(p *hosts.Place) string {
	return `Bearer authorization="https://` + p.Zone.Login + p.Port + `/` + tenant +
		`", resource="https://` + p.Parent + `"`
}

// another asks, in the way of Azure's continuous access evaluation, for a token that is newer than
// the one the client keeps: without it SDKs would show that one again until it ends. It is for
// tokens that no time makes good again: their key is gone, or they were revoked.
func (c *call) another(f *wire.Failure) string {
	if f.Inner != vault.TokenKeyGone && f.Inner != vault.TokenRevoked {
		return ""
	}
	claims := fmt.Appendf(nil, `{"access_token":{"nbf":{"essential":true,"value":"%d"}}}`,
		c.Req.Start.Unix())
	return `, error="insufficient_claims", claims="` + base64.StdEncoding.EncodeToString(claims) + `"`
}
