// Package autounseal seals with a key of a vault as Vault and OpenBao do with `seal
// "azurekeyvault"`: by HashiCorp's wrapper, which both are built with, told by environment
// variables where it is.
package autounseal

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/keyvault/azkeys"
	wrapping "github.com/hashicorp/go-kms-wrapping/v2"
	"github.com/hashicorp/go-kms-wrapping/wrappers/azurekeyvault/v2"
)

// rootKey is what is sealed: Vault's has as many bytes.
var rootKey = []byte("a root key of thirty-two bytes !")

// newKey makes a key in the vault, and sets the environment so that a server would find it.
func newKey(t *testing.T) (*azkeys.Client, string) {
	t.Helper()
	vault, err := url.Parse(os.Getenv("AZURE_KEYVAULT_URL"))
	must(t, err)
	name, zone, _ := strings.Cut(vault.Host, ".")
	t.Setenv("VAULT_AZUREKEYVAULT_VAULT_NAME", name)
	t.Setenv("AZURE_AD_RESOURCE", zone)
	maker := azurekeyvault.NewWrapper()
	_, err = maker.SetConfig(t.Context(), azurekeyvault.WithKeyNotRequired(true))
	must(t, err)
	client, key := maker.Client(), fmt.Sprintf("unseal-%s", rand.Text()[:8])
	asked := azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.JSONWebKeyTypeRSA)}
	_, err = client.CreateKey(t.Context(), key, asked, nil)
	must(t, err)
	t.Setenv("VAULT_AZUREKEYVAULT_KEY_NAME", key)
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		_, err := client.DeleteKey(ctx, key, nil)
		must(t, err)
		_, err = client.PurgeDeletedKey(ctx, key, nil)
		must(t, err)
	})
	return client, key
}

// start is what a server does when it starts: it looks whether it may see the key.
func start(t *testing.T) *azurekeyvault.Wrapper {
	t.Helper()
	w := azurekeyvault.NewWrapper()
	_, err := w.SetConfig(t.Context())
	must(t, err)
	return w
}

func TestUnsealAfterARestart(t *testing.T) {
	_, _ = newKey(t)
	sealed, err := start(t).Encrypt(t.Context(), rootKey)
	must(t, err)
	opens(t, start(t), sealed)
}

// TestRotation has the key rotated: what was sealed before opens, and the server sees that it had
// better seal anew.
func TestRotation(t *testing.T) {
	client, key := newKey(t)
	w := start(t)
	before, err := w.Encrypt(t.Context(), rootKey)
	must(t, err)
	_, err = client.RotateKey(t.Context(), key, nil)
	must(t, err)
	opens(t, w, before)
	after, err := w.Encrypt(t.Context(), rootKey)
	must(t, err)
	if after.KeyInfo.KeyId == before.KeyInfo.KeyId {
		t.Error("it is sealed with the version of before")
	}
	now, err := w.KeyId(t.Context())
	must(t, err)
	if now != after.KeyInfo.KeyId {
		t.Errorf("the key is said to be %s, and %s was used", now, after.KeyInfo.KeyId)
	}
	opens(t, start(t), before)
	opens(t, start(t), after)
}

// TestKeyIsSwitchedOff is how an operator locks servers out.
func TestKeyIsSwitchedOff(t *testing.T) {
	client, key := newKey(t)
	w := start(t)
	sealed, err := w.Encrypt(t.Context(), rootKey)
	must(t, err)
	enable := func(on bool) {
		attributes := azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: &on}}
		_, err := client.UpdateKey(t.Context(), key, sealed.KeyInfo.KeyId, attributes, nil)
		must(t, err)
	}
	enable(false)
	_, err = w.Decrypt(t.Context(), sealed)
	var refusal *azcore.ResponseError
	if !errors.As(err, &refusal) || refusal.StatusCode != http.StatusForbidden {
		t.Errorf("met %v, not 403", err)
	}
	enable(true)
	opens(t, w, sealed)
}

func opens(t *testing.T, w *azurekeyvault.Wrapper, sealed *wrapping.BlobInfo) {
	t.Helper()
	opened, err := w.Decrypt(t.Context(), sealed)
	must(t, err)
	if string(opened) != string(rootKey) {
		t.Errorf("opened %q", opened)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
