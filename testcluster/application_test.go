package testcluster_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// TestApplicationPlane drives a three-node TLS cluster with the real SDK clients: written through
// one node, read through the others.
func TestApplicationPlane(t *testing.T) {
	c := testcluster.Loopback(t, 3, nil)
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", []string{"all"}, []string{"all"})
	asApp(t, c, app)
	nodes := []client{at(t, c, 0, "demo"), at(t, c, 1, "demo"), at(t, c, 2, "demo")}

	t.Run("secret written at one node is read at every node", func(t *testing.T) {
		for i, writer := range nodes {
			set, err := writer.secrets.SetSecret(t.Context(), "Conn-String", azsecrets.SetSecretParameters{
				Value: to.Ptr(fmt.Sprintf("värde \"%d\"\n", i)), ContentType: to.Ptr("text/plain"),
				Tags: map[string]*string{"env": to.Ptr("test")},
			}, nil)
			must(t, err)
			for _, reader := range nodes {
				got, err := reader.secrets.GetSecret(t.Context(), "conn-string", "", nil)
				must(t, err)
				if *got.Value != fmt.Sprintf("värde \"%d\"\n", i) || *got.ID != *set.ID ||
					*got.ContentType != "text/plain" || *got.Tags["env"] != "test" {
					t.Fatalf("set %+v, got %+v", set, got)
				}
			}
		}
	})
	t.Run("versions, update, delete, recover, purge", func(t *testing.T) { secretLife(t, nodes) })
	t.Run("keys", func(t *testing.T) { keyLife(t, nodes) })
	t.Run("paging", func(t *testing.T) { paging(t, nodes) })
	t.Run("what Microsoft's suites leave out", func(t *testing.T) { azureClients(t, c) })
	t.Run("revocation holds at once on every node", func(t *testing.T) {
		for round := range 20 {
			c.Grant(round%3, "demo", "billing", []string{"all"}, []string{"list"})
			for _, n := range nodes {
				_, err := n.secrets.GetSecret(t.Context(), "conn-string", "", nil)
				wantError(t, err, 403, "Forbidden")
			}
			c.Grant((round+1)%3, "demo", "billing", []string{"all"}, []string{"all"})
			for _, n := range nodes {
				_, err := n.secrets.GetSecret(t.Context(), "conn-string", "", nil)
				must(t, err)
			}
		}
	})
}

func secretLife(t *testing.T, nodes []client) {
	ctx := t.Context()
	first, err := nodes[0].secrets.SetSecret(ctx, "life",
		azsecrets.SetSecretParameters{Value: to.Ptr("one")}, nil)
	must(t, err)
	_, err = nodes[1].secrets.SetSecret(ctx, "life",
		azsecrets.SetSecretParameters{Value: to.Ptr("two")}, nil)
	must(t, err)
	old, err := nodes[2].secrets.GetSecret(ctx, "life", first.ID.Version(), nil)
	must(t, err)
	if *old.Value != "one" {
		t.Fatalf("first version reads %q", *old.Value)
	}
	_, err = nodes[1].secrets.UpdateSecretProperties(ctx, "life", first.ID.Version(),
		azsecrets.UpdateSecretPropertiesParameters{
			SecretAttributes: &azsecrets.SecretAttributes{Enabled: to.Ptr(false)},
		}, nil)
	must(t, err)
	_, err = nodes[0].secrets.GetSecret(ctx, "life", first.ID.Version(), nil)
	wantError(t, err, 403, "Forbidden", "SecretDisabled")
	if versions := versionsOf(t, nodes[2], "life"); versions != 2 {
		t.Fatalf("%d versions", versions)
	}
	deleted, err := nodes[0].secrets.DeleteSecret(ctx, "life", nil)
	must(t, err)
	again, err := nodes[1].secrets.GetDeletedSecret(ctx, "life", nil)
	must(t, err)
	if *deleted.RecoveryID != *again.RecoveryID ||
		!deleted.ScheduledPurgeDate.Equal(*again.ScheduledPurgeDate) {
		t.Fatalf("deleted %+v, asked again %+v", deleted, again)
	}
	_, err = nodes[2].secrets.GetSecret(ctx, "life", "", nil)
	wantError(t, err, 404, "SecretNotFound")
	_, err = nodes[2].secrets.SetSecret(ctx, "life",
		azsecrets.SetSecretParameters{Value: to.Ptr("three")}, nil)
	wantError(t, err, 409, "Conflict", "ObjectIsDeletedButRecoverable")
	_, err = nodes[1].secrets.RecoverDeletedSecret(ctx, "life", nil)
	must(t, err)
	back, err := nodes[0].secrets.GetSecret(ctx, "life", "", nil)
	must(t, err)
	if *back.Value != "two" {
		t.Fatalf("recovered value %q", *back.Value)
	}
	_, err = nodes[0].secrets.DeleteSecret(ctx, "life", nil)
	must(t, err)
	_, err = nodes[1].secrets.PurgeDeletedSecret(ctx, "life", nil)
	must(t, err)
	_, err = nodes[2].secrets.GetDeletedSecret(ctx, "life", nil)
	wantError(t, err, 404, "SecretNotFound")
}

func versionsOf(t *testing.T, n client, name string) int {
	t.Helper()
	total := 0
	pager := n.secrets.NewListSecretPropertiesVersionsPager(name, nil)
	for pager.More() {
		page, err := pager.NextPage(t.Context())
		must(t, err)
		total += len(page.Value)
	}
	return total
}

func keyLife(t *testing.T, nodes []client) {
	ctx := t.Context()
	digest := sha256.Sum256([]byte("message"))
	_, err := nodes[0].keys.CreateKey(ctx, "ec",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(azkeys.CurveNameP256)},
		nil)
	must(t, err)
	_, err = nodes[1].keys.CreateKey(ctx, "rsa",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeRSA), KeySize: to.Ptr(int32(2048))}, nil)
	must(t, err)
	for name, algorithms := range map[string][]azkeys.SignatureAlgorithm{
		"ec":  {azkeys.SignatureAlgorithmES256},
		"rsa": {azkeys.SignatureAlgorithmRS256, azkeys.SignatureAlgorithmPS256},
	} {
		for _, alg := range algorithms {
			signed, err := nodes[2].keys.Sign(ctx, name, "",
				azkeys.SignParameters{Algorithm: &alg, Value: digest[:]}, nil)
			must(t, err)
			for _, n := range nodes {
				verified, err := n.keys.Verify(ctx, name, signed.KID.Version(),
					azkeys.VerifyParameters{Algorithm: &alg, Digest: digest[:], Signature: signed.Result}, nil)
				must(t, err)
				if !*verified.Value {
					t.Fatalf("%s signature of node 2 does not verify", alg)
				}
			}
		}
	}
	for _, alg := range []azkeys.EncryptionAlgorithm{azkeys.EncryptionAlgorithmRSAOAEP,
		azkeys.EncryptionAlgorithmRSAOAEP256} {
		sealed, err := nodes[0].keys.Encrypt(ctx, "rsa", "",
			azkeys.KeyOperationParameters{Algorithm: &alg, Value: []byte("plain")}, nil)
		must(t, err)
		opened, err := nodes[1].keys.Decrypt(ctx, "rsa", "",
			azkeys.KeyOperationParameters{Algorithm: &alg, Value: sealed.Result}, nil)
		must(t, err)
		if string(opened.Result) != "plain" {
			t.Fatalf("%s: decrypted %q", alg, opened.Result)
		}
		wrapped, err := nodes[2].keys.WrapKey(ctx, "rsa", "",
			azkeys.KeyOperationParameters{Algorithm: &alg, Value: []byte("0123456789abcdef")}, nil)
		must(t, err)
		unwrapped, err := nodes[0].keys.UnwrapKey(ctx, "rsa", "",
			azkeys.KeyOperationParameters{Algorithm: &alg, Value: wrapped.Result}, nil)
		must(t, err)
		if string(unwrapped.Result) != "0123456789abcdef" {
			t.Fatalf("%s: unwrapped %q", alg, unwrapped.Result)
		}
	}
	_, err = nodes[1].keys.UpdateKey(ctx, "ec", "",
		azkeys.UpdateKeyParameters{KeyAttributes: &azkeys.KeyAttributes{Enabled: to.Ptr(false)}}, nil)
	must(t, err)
	_, err = nodes[2].keys.Sign(ctx, "ec", "",
		azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: digest[:]}, nil)
	wantError(t, err, 403, "Forbidden", "KeyDisabled")
	_, err = nodes[0].keys.DeleteKey(ctx, "ec", nil)
	must(t, err)
	_, err = nodes[1].keys.GetKey(ctx, "ec", "", nil)
	wantError(t, err, 404, "KeyNotFound")
	_, err = nodes[2].keys.PurgeDeletedKey(ctx, "ec", nil)
	must(t, err)
}

func paging(t *testing.T, nodes []client) {
	var want []string
	for i := range 60 {
		name := fmt.Sprintf("page-%02d", i)
		want = append(want, name)
		_, err := nodes[i%3].secrets.SetSecret(t.Context(), name,
			azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
		must(t, err)
	}
	for _, n := range nodes {
		var got []string
		pager := n.secrets.NewListSecretPropertiesPager(nil)
		for pager.More() {
			page, err := pager.NextPage(t.Context())
			must(t, err)
			for _, s := range page.Value {
				if strings.HasPrefix(s.ID.Name(), "page-") {
					got = append(got, s.ID.Name())
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("listed %v", got)
		}
	}
}

// wantError checks status, error code and, where given, a word of the body.
func wantError(t *testing.T, err error, status int, code string, words ...string) {
	t.Helper()
	var response *azcore.ResponseError
	if !errors.As(err, &response) {
		t.Fatalf("want %d %s, got %v", status, code, err)
	}
	if response.StatusCode != status || response.ErrorCode != code {
		t.Fatalf("want %d %s, got %d %s", status, code, response.StatusCode, response.ErrorCode)
	}
	for _, word := range words {
		if !strings.Contains(response.Error(), word) {
			t.Fatalf("the error does not say %s: %v", word, response)
		}
	}
}
