package session

import (
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"keyquorum/cmd/keyquorum/reference"
)

// words are what advice calls the settings by which a vault was found, and by which it is called.
type words struct {
	vault     string // where its URL comes from
	authority string // where tokens come from
	caCert    string // which authority of certificates is trusted
	caller    string // who calls
	elsewhere bool   // nothing can be done there with our own commands
}

var ownWords = words{
	vault:     "--vault, KEYQUORUM_VAULT_URLS",
	authority: "AZURE_AUTHORITY_HOST, or keyquorum login",
	caCert:    "--ca-cert (KEYQUORUM_CACERT)",
	caller:    "AZURE_CLIENT_ID and its secret, which may have ended, or run keyquorum login",
}

// An Other is a vault that is called as somebody else than Settings says: where things come from,
// while Settings says where they go to.
type Other struct {
	Flag       string           // that names the vault
	CACertFlag string           // that names the PEM file
	Prefix     string           // of the environment variables that say who calls, and whom to trust
	Places     reference.Places // of the vault, at least one
	CACert     string           // PEM file to trust; "": the system's roots
	Credential func(azcore.ClientOptions) (azcore.TokenCredential, error)
}

// Vault is the vault, with whoever calls it.
func (o Other) Vault() (*Vault, error) {
	v, err := newVault(o.Places, o.CACert, words{
		vault:     o.Flag,
		authority: o.Prefix + "AZURE_AUTHORITY_HOST",
		caCert:    fmt.Sprintf("%s (%sKEYQUORUM_CACERT)", o.CACertFlag, o.Prefix),
		caller:    fmt.Sprintf("%sAZURE_CLIENT_ID and its secret", o.Prefix),
		elsewhere: true,
	})
	if err != nil {
		return nil, err
	}
	v.credential, err = o.Credential(v.options)
	return v, err
}

// adviceElsewhere is what to do next about an answer of a vault that our commands do not manage.
func (v *Vault) adviceElsewhere(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "; look at " + v.words.caller
	case http.StatusForbidden:
		return "; whoever calls there needs get and list"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		return "; try again later"
	}
	return "; look at " + v.words.vault
}
