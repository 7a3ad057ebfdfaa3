package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

// An object comes back as it was: every version with its id, times, tags and bytes, and a key's
// rotation policy.
func TestBackupAndRestore(t *testing.T) {
	w, c := demo(t)
	w.vault("other")
	w.grant("other", "web", []string{"all"}, []string{"all"})
	elsewhere := c
	elsewhere.Vault = "other"

	for i := range 3 {
		must(w.SetSecret(ctx, c, "Pass", seal.Plaintext(fmt.Sprint("value ", i)),
			vault.Change{Tags: map[string]string{"n": fmt.Sprint(i)}, ContentType: ptr("text/plain")}))(t)
	}
	must(w.UpdateSecret(ctx, c, "pass", "",
		vault.Change{Enabled: ptr(false), Expires: ptr(int64(2e9))}))(t)
	k := must(w.CreateKey(ctx, c, "Key", ecSpec, vault.Change{}))(t)
	must(w.RotateKey(ctx, c, "key"))(t)
	policy := must(w.SetRotationPolicy(ctx, c, "key", vault.RotationPolicy{ExpiryTime: "P90D",
		Actions: []vault.LifetimeAction{{Type: "Rotate", AfterCreate: "P30D"}}}))(t)
	signed := must(w.Sign(ctx, c, "key", k.Version, "ES256", digest))(t)

	secrets, keys := must(w.BackupSecret(ctx, c, "PASS"))(t), must(w.BackupKey(ctx, c, "key"))(t)
	if bytes.Contains(secrets, []byte("value ")) || w.usage.last(t).Operation != "keys/backup" {
		t.Errorf("the backup shows a value, or has no record: %+v", w.usage.last(t))
	}
	for _, at := range []vault.Caller{elsewhere, c} {
		if at.Vault == "demo" {
			refused(t, second(w.RestoreSecret(ctx, at, secrets)), vault.Conflict, "Conflict")
			refused(t, second(w.RestoreKey(ctx, at, keys)), vault.Conflict, "Conflict")
			must(w.DeleteSecret(ctx, at, "pass"))(t)
			must(w.DeleteKey(ctx, at, "key"))(t)
			refused(t, second(w.RestoreSecret(ctx, at, secrets)), vault.Conflict,
				"ObjectIsDeletedButRecoverable")
			if err := errors.Join(w.PurgeSecret(ctx, at, "pass"), w.PurgeKey(ctx, at, "key")); err != nil {
				t.Fatal(err)
			}
		}
		s := must(w.RestoreSecret(ctx, at, secrets))(t)
		if s.Name != "Pass" || s.Value != nil || s.Attributes.Enabled || *s.Attributes.Expires != 2e9 ||
			s.Tags["n"] != "2" || w.usage.last(t).Version != s.Version {
			t.Errorf("%s: %+v", at.Vault, s)
		}
		must(w.RestoreKey(ctx, at, keys))(t)
		for i, version := range must(w.ListSecretVersions(ctx, at, "pass",
			vault.PageRequest{Max: 25}))(t).Items {
			if version.Attributes.Enabled {
				got := must(w.GetSecret(ctx, at, "pass", version.Version, nil))(t)
				if want := "value " + got.Tags["n"]; string(got.Value) != want ||
					got.ContentType != "text/plain" {
					t.Errorf("%s, version %d: %q", at.Vault, i, []byte(got.Value))
				}
			}
		}
		if !must(w.Verify(ctx, at, "key", k.Version, "ES256", digest, signed.Value))(t) {
			t.Errorf("%s: the old version is another key", at.Vault)
		}
		if got := must(w.GetRotationPolicy(ctx, at, "key"))(t); !reflect.DeepEqual(got, policy) {
			t.Errorf("%s: policy %+v", at.Vault, got)
		}
	}
}

func TestWhatIsNoBackupIsRefused(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	good := must(w.BackupSecret(ctx, c, "s"))(t)
	must(w.DeleteSecret(ctx, c, "s"))(t)
	if err := w.PurgeSecret(ctx, c, "s"); err != nil {
		t.Fatal(err)
	}
	flipped := bytes.Clone(good)
	flipped[len(flipped)/2] ^= 1
	foreign, fc := demo(t)
	must(foreign.SetSecret(ctx, fc, "s", seal.Plaintext("v"), vault.Change{}))(t)
	stored := w.replica.View()
	var record []byte
	for _, r := range stored.Scan("vault", "") {
		record = r.Value
	}
	for name, blob := range map[string][]byte{"nothing": {}, "one byte": {1},
		"cut": good[:len(good)-1], "longer": append(bytes.Clone(good), 0), "flipped": flipped,
		"of another cluster": must(foreign.BackupSecret(ctx, fc, "s"))(t), "a stored record": record,
		"too long": make([]byte, 21<<20)} {
		_, err := w.RestoreSecret(ctx, c, blob)
		if e := refused(t, err, vault.Invalid,
			"BadParameter"); e.Message != "Backup blob contains invalid or corrupt version." {
			t.Errorf("%s: %s", name, e.Message)
		}
	}
	refused(t, second(w.RestoreKey(ctx, c, good)), vault.Invalid, "BadParameter")
	must(w.RestoreSecret(ctx, c, good))(t)
	w.grant("demo", "web", nil, []string{"get", "list", "set", "delete", "purge"})
	refused(t, second(w.BackupSecret(ctx, c, "s")), vault.Forbidden, "ForbiddenByPolicy")
	refused(t, second(w.RestoreSecret(ctx, c, []byte{1})), vault.Forbidden, "ForbiddenByPolicy")
	refused(t, second(w.RestoreSecret(ctx, c, good)), vault.Forbidden, "ForbiddenByPolicy")
}

// A backup of more than a transaction holds comes back in steps. What is half there shows nowhere,
// whoever repeats the restore goes on with it, and another blob is refused until then.
func TestALongRestoreIsResumed(t *testing.T) {
	w, c := demo(t)
	big := strings.Repeat("x", 25_000)
	for i := range 100 {
		must(w.SetSecret(ctx, c, "long", seal.Plaintext(fmt.Sprint(i, big)), vault.Change{}))(t)
	}
	before := must(w.GetSecret(ctx, c, "long", "", nil))(t)
	blob := must(w.BackupSecret(ctx, c, "long"))(t)
	again := must(w.BackupSecret(ctx, c, "long"))(t)
	must(w.DeleteSecret(ctx, c, "long"))(t)
	if err := w.PurgeSecret(ctx, c, "long"); err != nil {
		t.Fatal(err)
	}
	steps := 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == 2 {
			return errors.New("the leader is gone")
		}
		return nil
	}
	_, err := w.RestoreSecret(ctx, c, blob)
	refused(t, err, vault.Unavailable, "OutcomeUnknown")
	w.replica.refuse = nil
	refused(t, second(w.GetSecret(ctx, c, "long", "", nil)), vault.NotFound, "SecretNotFound")
	refused(t, second(w.GetDeletedSecret(ctx, c, "long")), vault.NotFound, "SecretNotFound")
	refused(t, second(w.SetSecret(ctx, c, "long", seal.Plaintext("v"), vault.Change{})),
		vault.Conflict, "ObjectIsBeingRecovered")
	refused(t, second(w.RestoreSecret(ctx, c, again)), vault.Conflict, "ObjectIsBeingRecovered")
	if n := len(must(w.ListSecrets(ctx, c, vault.PageRequest{Max: 25}))(t).Items) +
		len(must(w.ListDeletedSecrets(ctx, c, vault.PageRequest{Max: 25}))(t).Items) +
		len(must(w.ListSecretVersions(ctx, c, "long", vault.PageRequest{Max: 25}))(t).Items); n != 0 {
		t.Errorf("%d items of what is half there", n)
	}
	must(w.RestoreSecret(ctx, c, blob))(t)
	after := must(w.GetSecret(ctx, c, "long", "", nil))(t)
	if after.Version != before.Version || string(after.Value) != string(before.Value) ||
		!reflect.DeepEqual(after.Attributes, before.Attributes) {
		t.Errorf("version %s came back as %s", before.Version, after.Version)
	}
	versions := 0
	for p := (vault.PageRequest{Max: 25}); ; {
		page := must(w.ListSecretVersions(ctx, c, "long", p))(t)
		versions += len(page.Items)
		if p.After = page.Next; p.After == "" {
			break
		}
	}
	if versions != 100 {
		t.Errorf("%d versions came back", versions)
	}
	refused(t, second(w.RestoreSecret(ctx, c, blob)), vault.Conflict, "Conflict")
}

func TestABackupHas500VersionsAtMost(t *testing.T) {
	w, c := demo(t)
	for range 500 {
		must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	}
	blob := must(w.BackupSecret(ctx, c, "s"))(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	refused(t, second(w.BackupSecret(ctx, c, "s")), vault.Invalid, "BadParameter")
	must(w.DeleteSecret(ctx, c, "s"))(t)
	if err := w.PurgeSecret(ctx, c, "s"); err != nil {
		t.Fatal(err)
	}
	must(w.RestoreSecret(ctx, c, blob))(t)
}

// A backup that no restore would take is refused when it is asked for, not when it is needed.
func TestABackupIsOfTwentyMebibytesAtMost(t *testing.T) {
	w, c := demo(t)
	tags := map[string]string{}
	for i := range 15 {
		tags[fmt.Sprint(i, strings.Repeat("😀", 250))] = strings.Repeat("😀", 256)
	}
	large := vault.Change{Tags: tags, ContentType: ptr(strings.Repeat("😀", 255))}
	versions := func(n int) {
		for range n {
			must(w.SetSecret(ctx, c, "s", make(seal.Plaintext, 25_600), large))(t)
		}
	}
	versions(365)
	if blob := must(w.BackupSecret(ctx, c, "s"))(t); len(blob) > 20<<20 || len(blob) < 19<<20 {
		t.Errorf("a backup of %d bytes", len(blob))
	}
	versions(10)
	refused(t, second(w.BackupSecret(ctx, c, "s")), vault.Invalid, "BadParameter")
}
