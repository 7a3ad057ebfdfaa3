package dev

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/cmd/keyquorum/operator"
)

// sow makes what a seed asks for in vaults that are there: as an operator, then as the application
// that may do everything in them.
func (d *cluster) sow(ctx context.Context, api *operator.Client, app Credential) error {
	s := d.asked.seed
	if s == nil {
		return nil
	}
	d.say("Loading the seed: %d applications, %d secrets, %d keys",
		len(s.Applications), len(s.Secrets), len(s.Keys))
	d.state.Apps = make(map[string]Credential)
	for _, a := range s.Applications {
		made, err := newApp(ctx, api, a.Name)
		if err != nil {
			return err
		}
		d.state.Apps[a.Name] = made
	}
	for _, g := range s.Grants {
		if _, err := operator.SetGrant(ctx, api, g.Vault, g.Application, g.Keys, g.Secrets); err != nil {
			return fmt.Errorf("granting %s the use of vault %s: %w", g.Application, g.Vault, err)
		}
	}
	sower, err := d.newSower(app)
	if err != nil {
		return err
	}
	defer sower.http.CloseIdleConnections()
	for _, o := range s.Secrets {
		if err := sower.secret(ctx, o); err != nil {
			return fmt.Errorf("secret %s of vault %s: %w", o.Name, o.Vault, said(err))
		}
	}
	for _, k := range s.Keys {
		if err := sower.key(ctx, k); err != nil {
			return fmt.Errorf("key %s of vault %s: %w", k.Name, k.Vault, said(err))
		}
	}
	return nil
}

// A sower speaks with node 1 through Microsoft's SDK.
type sower struct {
	layout     Layout
	http       *http.Client
	credential azcore.TokenCredential
	options    azcore.ClientOptions
}

func (d *cluster) newSower(app Credential) (*sower, error) {
	first := d.nodes[0].Address
	s := &sower{layout: d.state.Layout, http: d.everyNameIs(first)}
	s.options = azcore.ClientOptions{
		Transport: s.http,
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: first.LoginURL()},
	}
	var err error
	s.credential, err = azidentity.NewClientSecretCredential("adfs", app.ClientID, app.Secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: s.options})
	return s, err
}

// everyNameIs reaches one node by whatever name: the machine need not resolve the zone's.
func (d *cluster) everyNameIs(a Address) *http.Client {
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(d.ca)
	place := strings.TrimPrefix(a.API(), "https://")
	return &http.Client{Timeout: patience, Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "tcp", place)
		},
		ForceAttemptHTTP2: true,
	}}
}

func (s *sower) url(vault string) string {
	return fmt.Sprintf("https://%s.%s:%d", vault, s.layout.suffix(), s.layout.Port)
}

func (s *sower) secret(ctx context.Context, o seedSecret) error {
	options := &azsecrets.ClientOptions{ClientOptions: s.options}
	client, err := azsecrets.NewClient(s.url(o.Vault), s.credential, options)
	if err != nil {
		return err
	}
	attributes := &azsecrets.SecretAttributes{
		Enabled: o.Enabled, NotBefore: o.NotBefore.time(), Expires: o.Expires.time(),
	}
	in := azsecrets.SetSecretParameters{Value: &o.Value, Tags: o.Tags, SecretAttributes: attributes}
	if o.ContentType != "" {
		in.ContentType = &o.ContentType
	}
	_, err = client.SetSecret(ctx, o.Name, in, nil)
	return err
}

func (s *sower) key(ctx context.Context, k seedKey) error {
	options := &azkeys.ClientOptions{ClientOptions: s.options}
	client, err := azkeys.NewClient(s.url(k.Vault), s.credential, options)
	if err != nil {
		return err
	}
	kind := azkeys.KeyType(k.Type)
	in := azkeys.CreateKeyParameters{Kty: &kind, Tags: k.Tags, KeyAttributes: &azkeys.KeyAttributes{
		Enabled: k.Enabled, NotBefore: k.NotBefore.time(), Expires: k.Expires.time(),
	}}
	if k.Curve != "" {
		curve := azkeys.CurveName(k.Curve)
		in.Curve = &curve
	}
	if k.Size != 0 {
		in.KeySize = &k.Size
	}
	for _, op := range k.Operations {
		allowed := azkeys.KeyOperation(op)
		in.KeyOps = append(in.KeyOps, &allowed)
	}
	_, err = client.CreateKey(ctx, k.Name, in, nil)
	return err
}

func (t *seedTime) time() *time.Time { return (*time.Time)(t) }

// said is the server's sentence where there is one, without what the SDK puts around it.
func said(err error) error {
	var refused *azcore.ResponseError
	if !errors.As(err, &refused) || refused.RawResponse == nil {
		return err
	}
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	text, readErr := runtime.Payload(refused.RawResponse)
	if readErr != nil || json.Unmarshal(text, &body) != nil || body.Error.Message == "" {
		return fmt.Errorf("the node answered %d %s", refused.StatusCode, refused.ErrorCode)
	}
	return fmt.Errorf("%s (%d)", body.Error.Message, refused.StatusCode)
}
