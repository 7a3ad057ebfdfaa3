package session

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
)

const loginHelp = `Keep an application's credential, so that secret, key and run need no
environment.

The client secret is asked for without echo, or read from --secret-file or
standard input; no argument takes it, since command lines are seen by all users
of a machine. It is tried before it is kept: in the system's keyring where
there is one (the Secret Service of a desktop session), else in login.json in
your configuration folder, which only you can read. Azure's environment
variables go before a login. keyquorum logout removes it.`

// LoginCommand is `keyquorum login`.
func LoginCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "login [CLIENT_ID]", Short: "Keep an application's credential", Long: loginHelp,
		Args: console.Arguments(0, 1),
		Example: "  keyquorum login CLIENT_ID --ca-cert ca.pem \\\n" +
			"      --vault https://demo.vault.example.org:8200 \\\n" +
			"      --authority https://login.example.org:8200",
	}
	s := Flags(c)
	var l Login
	var secretFile string
	f := c.Flags()
	f.StringVar(&l.Authority, "authority", "",
		"URL that tokens come from (else AZURE_AUTHORITY_HOST,\nelse Microsoft's)")
	f.StringVar(&l.Tenant, "tenant", "", "tenant (else AZURE_TENANT_ID; default adfs, Keyquorum's)")
	f.StringVar(&secretFile, "secret-file", "", "file with the client secret; - is standard input")
	c.RunE = func(c *cobra.Command, args []string) error {
		l.ClientID = os.Getenv("AZURE_CLIENT_ID")
		if len(args) > 0 {
			l.ClientID = args[0]
		}
		v, err := l.complete(s)
		if err != nil {
			return err
		}
		if l.Secret, err = clientSecret(c, secretFile); err != nil {
			return err
		}
		if err := l.try(c.Context(), v); err != nil {
			return err
		}
		where, err := l.store()
		if err != nil {
			return fmt.Errorf("the login is good, and could not be kept: %w", err)
		}
		console.Tell(c, c.OutOrStdout(), "Logged in as %s; kept in %s.", l.ClientID, where)
		return nil
	}
	return c
}

// complete fills in what the environment says, and finds the vault. The secret is not known yet.
func (l *Login) complete(s *Settings) (*Vault, error) {
	l.Authority = cmp.Or(l.Authority, os.Getenv("AZURE_AUTHORITY_HOST"))
	l.Tenant = cmp.Or(l.Tenant, os.Getenv("AZURE_TENANT_ID"), "adfs")
	if l.ClientID == "" {
		return nil, errors.New("which application? Give its client id: keyquorum login CLIENT_ID")
	}
	places, err := reference.ParsePlaces(os.Getenv("KEYQUORUM_VAULT_URLS"))
	switch {
	case err == nil && strings.Contains(s.vault, ","): // one URL a node
		places, err = reference.ParsePlaces(s.vault)
	case err == nil:
		places, err = places.Of(s.vault)
	}
	if err != nil {
		return nil, err
	}
	l.Vaults = places
	if file := cmp.Or(s.caCert, os.Getenv("KEYQUORUM_CACERT")); file != "" {
		if l.CACert, err = filepath.Abs(file); err != nil {
			return nil, err
		}
	}
	return (&Session{settings: s, login: l, places: places}).reach(places)
}

func clientSecret(c *cobra.Command, file string) (string, error) {
	if file == "" {
		return console.Ask(os.Stdin, c.ErrOrStderr(), "Client secret")
	}
	text, err := console.ReadInput(c.InOrStdin(), file, 4<<10)
	if err != nil {
		return "", err
	}
	if secret := strings.TrimRight(string(text), "\r\n"); secret != "" {
		return secret, nil
	}
	return "", errors.New("the file holds no client secret")
}

// try gets a token for the vault.
func (l *Login) try(ctx context.Context, v *Vault) error {
	credential, err := l.credential(v.options)
	if err != nil {
		return err
	}
	_, zone, _ := strings.Cut(v.URL, ".")
	_, err = credential.GetToken(
		ctx,
		policy.TokenRequestOptions{Scopes: []string{"https://" + zone + "/.default"}},
	)
	return v.Explain(err, reference.Secrets, "")
}

// LogoutCommand is `keyquorum logout`.
func LogoutCommand() *cobra.Command {
	return &cobra.Command{
		Use: "logout", Short: "Forget the credential that login has kept", Args: console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			there, err := forget()
			if err != nil {
				return err
			}
			if !there {
				fmt.Fprintln(c.OutOrStdout(), "Nobody was logged in.")
				return nil
			}
			console.Tell(c,
				c.OutOrStdout(),
				"Logged out: the credential is forgotten here; an operator revokes it "+
					"with keyquorum app credential remove.",
			)
			return nil
		},
	}
}
