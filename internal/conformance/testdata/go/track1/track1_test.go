// Package track1 uses the Go client that Microsoft had before azkeys and azsecrets, through one
// node. It is retired, and programs that are built with it go on.
package track1

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	old "github.com/Azure/azure-sdk-for-go/services/keyvault/2016-10-01/keyvault"
	"github.com/Azure/azure-sdk-for-go/services/keyvault/auth"
	"github.com/Azure/azure-sdk-for-go/services/keyvault/v7.1/keyvault"
	"github.com/Azure/go-autorest/autorest"
	"github.com/Azure/go-autorest/autorest/to"
)

var vault = strings.TrimSuffix(os.Getenv("AZURE_KEYVAULT_URL"), "/")

// authorizer signs in as go-autorest does in a cloud that is not Microsoft's: a file describes it.
func authorizer(t *testing.T) autorest.Authorizer {
	t.Helper()
	host, err := url.Parse(vault)
	must(t, err)
	_, zone, _ := strings.Cut(host.Host, ".")
	login := os.Getenv("AZURE_AUTHORITY_HOST") + "/"
	file := filepath.Join(t.TempDir(), "environment.json")
	description, err := json.Marshal(map[string]string{
		"name": "Keyquorum", "activeDirectoryEndpoint": login,
	})
	must(t, err)
	must(t, os.WriteFile(file, description, 0o600))
	t.Setenv("AZURE_ENVIRONMENT", "AzureStackCloud")
	t.Setenv("AZURE_ENVIRONMENT_FILEPATH", file)
	t.Setenv("AZURE_KEYVAULT_RESOURCE", "https://"+zone)
	a, err := auth.NewAuthorizerFromEnvironment()
	must(t, err)
	return a
}

func newClient(t *testing.T) keyvault.BaseClient {
	client := keyvault.New()
	client.Authorizer = authorizer(t)
	return client
}

func TestSecrets(t *testing.T) {
	ctx, client, name := t.Context(), newClient(t), newName("secret")
	made, err := client.SetSecret(ctx, vault, name, keyvault.SecretSetParameters{
		Value: to.StringPtr("grüße"), ContentType: to.StringPtr("text/plain"),
		Tags: map[string]*string{"team": to.StringPtr("blue")},
	})
	must(t, err)
	got, err := client.GetSecret(ctx, vault, name, "")
	must(t, err)
	if *got.Value != "grüße" || *got.ContentType != "text/plain" || *got.Tags["team"] != "blue" {
		t.Errorf("read %v", got)
	}
	off := keyvault.SecretUpdateParameters{
		SecretAttributes: &keyvault.SecretAttributes{Enabled: to.BoolPtr(false)},
	}
	updated, err := client.UpdateSecret(ctx, vault, name, version(*made.ID), off)
	must(t, err)
	if *updated.Attributes.Enabled {
		t.Error("it is enabled still")
	}
	_, err = client.GetSecret(ctx, vault, name, "")
	refused(t, err, http.StatusForbidden)
	two := keyvault.SecretSetParameters{Value: to.StringPtr("two")}
	_, err = client.SetSecret(ctx, vault, name, two)
	must(t, err)

	versions, err := client.GetSecretVersionsComplete(ctx, vault, name, to.Int32Ptr(1))
	must(t, err)
	n := count(t, &versions, name, func() string { return *versions.Value().ID })
	if n != 2 {
		t.Errorf("%d versions", n)
	}
	listed, err := client.GetSecretsComplete(ctx, vault, to.Int32Ptr(2))
	must(t, err)
	n = count(t, &listed, name, func() string { return *listed.Value().ID })
	if n != 1 {
		t.Errorf("listed %d times", n)
	}

	backup, err := client.BackupSecret(ctx, vault, name)
	must(t, err)
	deleteAndRecover(t, client, name)
	deleteAndPurgeSecret(t, client, name)
	_, err = client.RestoreSecret(ctx, vault, keyvault.SecretRestoreParameters{
		SecretBundleBackup: backup.Value,
	})
	must(t, err)
	deleteAndPurgeSecret(t, client, name)
}

func deleteAndRecover(t *testing.T, client keyvault.BaseClient, name string) {
	t.Helper()
	ctx := t.Context()
	_, err := client.DeleteSecret(ctx, vault, name)
	must(t, err)
	_, err = client.GetSecret(ctx, vault, name, "")
	refused(t, err, http.StatusNotFound)
	deleted, err := client.GetDeletedSecret(ctx, vault, name)
	must(t, err)
	if !strings.HasSuffix(*deleted.RecoveryID, "/deletedsecrets/"+name) {
		t.Errorf("to be recovered at %s", *deleted.RecoveryID)
	}
	listed, err := client.GetDeletedSecretsComplete(ctx, vault, nil)
	must(t, err)
	n := count(t, &listed, name, func() string { return *listed.Value().ID })
	if n != 1 {
		t.Errorf("listed %d times among the deleted", n)
	}
	_, err = client.RecoverDeletedSecret(ctx, vault, name)
	must(t, err)
	got, err := client.GetSecret(ctx, vault, name, "")
	must(t, err)
	if *got.Value != "two" {
		t.Errorf("recovered %q", *got.Value)
	}
}

func deleteAndPurgeSecret(t *testing.T, client keyvault.BaseClient, name string) {
	t.Helper()
	_, err := client.DeleteSecret(t.Context(), vault, name)
	must(t, err)
	_, err = client.PurgeDeletedSecret(t.Context(), vault, name)
	must(t, err)
}

func TestKeys(t *testing.T) {
	ctx, client, name := t.Context(), newClient(t), newName("key")
	made, err := client.CreateKey(ctx, vault, name, keyvault.KeyCreateParameters{
		Kty: keyvault.EC, Curve: keyvault.P384,
	})
	must(t, err)
	if made.Key.Crv != keyvault.P384 {
		t.Errorf("made %v", made.Key)
	}
	ops := keyvault.KeyUpdateParameters{KeyOps: &[]keyvault.JSONWebKeyOperation{keyvault.Verify}}
	_, err = client.UpdateKey(ctx, vault, name, version(*made.Key.Kid), ops)
	must(t, err)
	got, err := client.GetKey(ctx, vault, name, "")
	must(t, err)
	if *got.Key.Kid != *made.Key.Kid || len(*got.Key.KeyOps) != 1 {
		t.Errorf("read %v", got.Key)
	}
	digest := to.StringPtr(base64.RawURLEncoding.EncodeToString(make([]byte, 48)))
	_, err = client.Sign(ctx, vault, name, "", keyvault.KeySignParameters{
		Algorithm: keyvault.ES384, Value: digest,
	})
	refused(t, err, http.StatusForbidden)

	listed, err := client.GetKeysComplete(ctx, vault, to.Int32Ptr(2))
	must(t, err)
	n := count(t, &listed, name, func() string { return *listed.Value().Kid })
	if n != 1 {
		t.Errorf("listed %d times", n)
	}
	backup, err := client.BackupKey(ctx, vault, name)
	must(t, err)
	deleted, err := client.DeleteKey(ctx, vault, name)
	must(t, err)
	if !strings.HasSuffix(*deleted.RecoveryID, "/deletedkeys/"+name) {
		t.Errorf("to be recovered at %s", *deleted.RecoveryID)
	}
	_, err = client.RecoverDeletedKey(ctx, vault, name)
	must(t, err)
	deleteAndPurgeKey(t, client, name)
	_, err = client.RestoreKey(ctx, vault, keyvault.KeyRestoreParameters{
		KeyBundleBackup: backup.Value,
	})
	must(t, err)
	deleteAndPurgeKey(t, client, name)
}

func deleteAndPurgeKey(t *testing.T, client keyvault.BaseClient, name string) {
	t.Helper()
	_, err := client.DeleteKey(t.Context(), vault, name)
	must(t, err)
	_, err = client.PurgeDeletedKey(t.Context(), vault, name)
	must(t, err)
}

func TestUseOfAKey(t *testing.T) {
	ctx, client, name := t.Context(), newClient(t), newName("use")
	_, err := client.CreateKey(ctx, vault, name, keyvault.KeyCreateParameters{
		Kty: keyvault.RSA, KeySize: to.Int32Ptr(2048),
	})
	must(t, err)
	sum := sha256.Sum256([]byte("what is signed"))
	digest := to.StringPtr(base64.RawURLEncoding.EncodeToString(sum[:]))

	signed, err := client.Sign(ctx, vault, name, "", keyvault.KeySignParameters{
		Algorithm: keyvault.PS256, Value: digest,
	})
	must(t, err)
	verified, err := client.Verify(ctx, vault, name, "", keyvault.KeyVerifyParameters{
		Algorithm: keyvault.PS256, Digest: digest, Signature: signed.Result,
	})
	must(t, err)
	if !*verified.Value {
		t.Error("the signature does not hold")
	}

	oaep := func(value *string) keyvault.KeyOperationsParameters {
		return keyvault.KeyOperationsParameters{Algorithm: keyvault.RSAOAEP256, Value: value}
	}
	hidden, err := client.Encrypt(ctx, vault, name, "", oaep(digest))
	must(t, err)
	shown, err := client.Decrypt(ctx, vault, name, "", oaep(hidden.Result))
	must(t, err)
	wrapped, err := client.WrapKey(ctx, vault, name, "", oaep(digest))
	must(t, err)
	unwrapped, err := client.UnwrapKey(ctx, vault, name, "", oaep(wrapped.Result))
	must(t, err)
	if *shown.Result != *digest || *unwrapped.Result != *digest {
		t.Error("what came back is not what was hidden")
	}
	deleteAndPurgeKey(t, client, name)
}

// TestVersionOf2016 asks as programs do that were never built anew.
func TestVersionOf2016(t *testing.T) {
	ctx, name := t.Context(), newName("old")
	client := old.New()
	client.Authorizer = authorizer(t)
	value := old.SecretSetParameters{Value: to.StringPtr("value")}
	_, err := client.SetSecret(ctx, vault, name, value)
	must(t, err)
	got, err := client.GetSecret(ctx, vault, name, "")
	must(t, err)
	if *got.Value != "value" {
		t.Errorf("read %q", *got.Value)
	}
	_, err = client.DeleteSecret(ctx, vault, name)
	must(t, err)
	_, err = client.PurgeDeletedSecret(ctx, vault, name)
	must(t, err)
}

// An iterator walks over a listing, one page after the other.
type iterator interface {
	NotDone() bool
	NextWithContext(ctx context.Context) error
}

// count says how often a name stands in a listing.
func count(t *testing.T, all iterator, name string, id func() string) (n int) {
	t.Helper()
	for ; all.NotDone(); must(t, all.NextWithContext(t.Context())) {
		if strings.Split(id(), "/")[4] == name {
			n++
		}
	}
	return n
}

func refused(t *testing.T, err error, status int) {
	t.Helper()
	var detailed autorest.DetailedError
	if !errors.As(err, &detailed) || detailed.StatusCode != status {
		t.Errorf("met %v, not %d", err, status)
	}
}

func version(id string) string { return id[strings.LastIndex(id, "/")+1:] }

func newName(what string) string { return fmt.Sprintf("go1-%s-%s", what, rand.Text()[:8]) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
