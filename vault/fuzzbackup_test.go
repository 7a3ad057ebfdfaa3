package vault_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"keyquorum/vault"
)

// FuzzBackupBlob: whatever is given as a backup is refused with BadParameter, or restores to an object that can be read. sealed says that the
// cluster's own key has sealed it, which a stranger can't.
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
		plain := must(w.keyring.Open("backup/key", 0, blob))(f)
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
