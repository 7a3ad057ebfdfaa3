package session

import (
	"cmp"
	"crypto/x509"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/reference"
)

// Settings are the flags that say which vault, and whom to trust.
type Settings struct{ vault, caCert string }

// Flags gives a command, and all below it, the flags of Settings.
func Flags(c *cobra.Command) *Settings {
	var s Settings
	f := c.PersistentFlags()
	f.StringVar(&s.vault, "vault", "",
		"vault, by its name or its URL (else the one of\n"+
			"KEYQUORUM_VAULT_URLS, else of keyquorum login)")
	f.StringVar(
		&s.caCert,
		"ca-cert",
		"",
		"PEM file to trust (else KEYQUORUM_CACERT, else\n"+
			"the one of keyquorum login, else the system's roots)",
	)
	return &s
}

// A Session is what the environment and a login say, before anybody is called.
type Session struct {
	settings *Settings
	login    *Login           // nil: nobody has logged in
	places   reference.Places // of the vault that is meant where none is named
}

// Open reads the environment and the login.
func (s *Settings) Open() (*Session, error) {
	own := &Session{settings: s}
	var err error
	urls, source := os.Getenv("KEYQUORUM_VAULT_URLS"), "KEYQUORUM_VAULT_URLS"
	if urls == "" || os.Getenv("AZURE_CLIENT_ID") == "" { // what is not there the login may say
		if own.login, err = storedLogin(); err != nil {
			return nil, err
		}
	}
	if urls == "" && own.login != nil {
		urls, source = strings.Join(own.login.Vaults, ","), "the vault of keyquorum login"
	}
	if own.places, err = reference.ParsePlaces(urls); err != nil {
		return nil, fmt.Errorf("%s: %w", source, err)
	}
	return own, nil
}

// Places are those of the vault that is meant where none is named.
func (s *Session) Places() reference.Places { return s.places }

// A Vault is where an object is, and the means to ask for it.
type Vault struct {
	Name       string
	URL        string
	credential azcore.TokenCredential
	options    azcore.ClientOptions
	nodes      *nodes
	words      words
}

// retries bound what is tried again: answers that ask for it (a change of leader, throttling).
// Nodes that cannot be reached have been tried one after the other before.
var retries = policy.RetryOptions{
	MaxRetries: 3,
	RetryDelay: 500 * time.Millisecond,
	TryTimeout: time.Minute,
}

// Vault finds a vault by what a reference says, else by --vault, else by the environment.
func (s *Session) Vault(named string) (*Vault, error) {
	places, err := s.places.Of(cmp.Or(named, s.settings.vault))
	if err != nil {
		return nil, err
	}
	v, err := s.reach(places)
	if err != nil {
		return nil, err
	}
	v.credential, err = s.credential(v.options)
	return v, err
}

// reach is a vault without anybody who calls it.
func (s *Session) reach(places reference.Places) (*Vault, error) {
	file := cmp.Or(s.settings.caCert, os.Getenv("KEYQUORUM_CACERT"))
	if file == "" && s.login != nil {
		file = s.login.CACert
	}
	return newVault(places, file, ownWords)
}

// newVault is a vault that is reached at places; caCert names a PEM file, "" the system's roots.
func newVault(places reference.Places, caCert string, w words) (*Vault, error) {
	roots, err := rootsOf(caCert, w)
	if err != nil {
		return nil, err
	}
	v := &Vault{Name: places.Name(), URL: places[0], nodes: newNodes(places, roots, w), words: w}
	v.options = azcore.ClientOptions{
		Transport: &http.Client{
			Transport:     v.nodes,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		Retry:     retries,
		Telemetry: policy.TelemetryOptions{ApplicationID: "keyquorum"},
	}
	return v, nil
}

// rootsOf are whom to trust; nil: the system's roots.
func rootsOf(file string, w words) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("CA file: %w; say with %s where it is", err, w.caCert)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("the CA file %s holds no PEM certificate", file)
	}
	return pool, nil
}

// Secrets is Microsoft's client of the vault's secrets.
func (v *Vault) Secrets() (*azsecrets.Client, error) {
	return azsecrets.NewClient(
		v.URL,
		v.credential,
		&azsecrets.ClientOptions{ClientOptions: v.options},
	)
}

// Keys is Microsoft's client of the vault's keys.
func (v *Vault) Keys() (*azkeys.Client, error) {
	return azkeys.NewClient(v.URL, v.credential, &azkeys.ClientOptions{ClientOptions: v.options})
}
