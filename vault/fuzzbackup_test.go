package vault_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"keyquorum/seal"
	"keyquorum/vault"
)

// FuzzBackupBlob: whatever is given as a backup is refused with BadParameter, or restores to an
// object that can be read. sealed says that the cluster's own key has sealed it, which a stranger
// can't.
func FuzzBackupBlob(f *testing.F) {
	ctx := context.Background()
	w, c := demo(f)
	for _, name := range []string{"one", "two"} {
		must(w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC"}, vault.Change{}))(f)
	}
	must(w.CreateKey(ctx, c, "two", vault.KeySpec{Kty: "oct"}, vault.Change{}))(f)
	must(w.RotateKey(ctx, c, "two"))(f)
	for _, name := range []string{"one", "two"} {
		blob := must(w.BackupKey(ctx, c, name))(f)
		f.Add(blob, false)
		plain := must(w.keyring.Open(nil, "backup/key", 0, blob))(f)
		f.Add(bytes.Clone(plain), true)
		must(w.DeleteKey(ctx, c, name))(f)
		if err := w.PurgeKey(ctx, c, name); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, blob []byte, sealed bool) {
		if sealed {
			blob = must(w.keyring.Seal(nil, "backup/key", 0, bytes.Clone(blob)))(t)
		}
		k, err := w.RestoreKey(ctx, c, blob)
		if err != nil {
			var e *vault.Error
			if !errors.As(err, &e) || e.Kind != vault.Invalid {
				t.Fatalf("sealed %v: %v", sealed, err)
			}
			return
		}
		for _, version := range []string{"", k.Version} {
			if again, err := w.GetKey(ctx, c, k.Name, version); err != nil || again.Version != k.Version {
				t.Errorf("restored, and reads as %+v, %v", again, err)
			}
		}
		if _, err := w.ListKeyVersions(ctx, c, k.Name, vault.PageRequest{Max: 25}); err != nil {
			t.Errorf("restored, and its versions: %v", err)
		}
		must(w.DeleteKey(ctx, c, k.Name))(t)
		if err := w.PurgeKey(ctx, c, k.Name); err != nil {
			t.Fatal(err)
		}
	})
}

// A backup whose policy can't be read is refused before anything is written, and so is a secret's
// that has one.
func TestBackupWithABrokenPolicyIsRefused(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	must(w.SetRotationPolicy(ctx, c, "k",
		vault.RotationPolicy{Actions: []vault.LifetimeAction{{Type: "Rotate", AfterCreate: "P30D"}}}))(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	key := must(w.keyring.Open(nil, "backup/key", 0, must(w.BackupKey(ctx, c, "k"))(t)))(t)
	key[bytes.LastIndex(key, []byte("P30D"))] = 0xff // in the policy's text
	secret := must(w.keyring.Open(nil, "backup/secret", 0, must(w.BackupSecret(ctx, c, "s"))(t)))(t)
	at := bytes.Index(secret, []byte{0x00, 0x81, 0x82}) // no policy, one version
	secret[at] = 1
	secret = append(secret, 'p')
	must(w.DeleteKey(ctx, c, "k"))(t)
	must(w.DeleteSecret(ctx, c, "s"))(t)
	if err := errors.Join(w.PurgeKey(ctx, c, "k"), w.PurgeSecret(ctx, c, "s")); err != nil {
		t.Fatal(err)
	}
	refused(t, second(w.RestoreKey(ctx, c, must(w.keyring.Seal(nil, "backup/key", 0, key))(t))),
		vault.Invalid, "BadParameter")
	refused(t, second(w.RestoreSecret(ctx, c,
		must(w.keyring.Seal(nil, "backup/secret", 0, secret))(t))), vault.Invalid, "BadParameter")
	if left := w.objects(); len(left) != 0 {
		t.Errorf("written: %v", left)
	}
}
