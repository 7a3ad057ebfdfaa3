package vault_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

// In a deleted vault there is nothing for applications, and with its recovery everything is back:
// objects, their versions, grants.
func TestDeleteAndRecoverVault(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("one"), vault.Change{}))(t)
	must(w.SetSecret(ctx, c, "gone", seal.Plaintext("g"), vault.Change{}))(t)
	must(w.DeleteSecret(ctx, c, "gone"))(t)
	before := w.replica.paths("vault/")
	d := must(w.DeleteVault(ctx, w.root, "DEMO"))(t)
	if d.Deletion == nil || d.Deletion.Deleted != w.now.Unix() || d.Deletion.Purge != w.now.Add(90*24*time.Hour).Unix() || d.Purging {
		t.Errorf("deleted: %+v", d)
	}
	if e := w.usage.last(t); e.Operation != "admin/vaults/delete" || e.Vault != "demo" || e.Status != 200 {
		t.Errorf("recorded %+v", e)
	}
	for name, call := range map[string]func() error{
		"get":        func() error { _, err := w.GetSecret(ctx, c, "s", "", nil); return err },
		"set":        func() error { _, err := w.SetSecret(ctx, c, "s", seal.Plaintext("two"), vault.Change{}); return err },
		"recover":    func() error { _, err := w.RecoverSecret(ctx, c, "gone"); return err },
		"purge":      func() error { return w.PurgeSecret(ctx, c, "gone") },
		"show":       func() error { _, err := w.GetVault(ctx, w.root, "demo"); return err },
		"update":     func() error { _, err := w.UpdateVault(ctx, w.root, "demo", vault.VaultChange{}); return err },
		"delete":     func() error { _, err := w.DeleteVault(ctx, w.root, "demo"); return err },
		"grant":      func() error { _, err := w.SetGrant(ctx, w.root, "demo", "web", nil, nil); return err },
		"see grants": func() error { _, err := w.ListGrants(ctx, w.root, "demo"); return err },
	} {
		t.Run(name, func(t *testing.T) { refused(t, call(), vault.NotFound, "VaultNotFound") })
	}
	_, err := w.CreateVault(ctx, w.root, "demo", 90, false)
	if e := refused(t, err, vault.Conflict, "VaultAlreadyExists"); !strings.Contains(e.Message, "recovered, or purged") {
		t.Errorf("the name is taken: %s", e.Message)
	}
	if list := must(w.ListVaults(ctx, w.root))(t); len(list) != 0 {
		t.Errorf("live: %+v", list)
	}
	if list := must(w.ListDeletedVaults(ctx, w.root))(t); len(list) != 1 || list[0].ID != d.ID || *list[0].Deletion != *d.Deletion {
		t.Errorf("deleted: %+v", list)
	}
	if got := must(w.GetDeletedVault(ctx, w.root, "demo"))(t); got.ID != d.ID || got.Deletion == nil {
		t.Errorf("deleted: %+v", got)
	}
	if after := w.replica.paths("vault/"); !slices.Equal(before, after) {
		t.Errorf("below the vault there was %v, there is %v", before, after)
	}
	back := must(w.RecoverVault(ctx, w.root, "Demo"))(t)
	if back.ID != d.ID || back.Deletion != nil || back != must(w.GetVault(ctx, w.root, "demo"))(t) {
		t.Errorf("recovered: %+v", back)
	}
	if s := must(w.GetSecret(ctx, c, "s", "", nil))(t); string(s.Value) != "one" {
		t.Errorf("it holds %q", string(s.Value))
	}
	must(w.RecoverSecret(ctx, c, "gone"))(t)
	_, err = w.RecoverVault(ctx, w.root, "demo")
	refused(t, err, vault.NotFound, "VaultNotFound")
	_, err = w.GetDeletedVault(ctx, w.root, "demo")
	refused(t, err, vault.NotFound, "VaultNotFound")
}

// A write that was decided while the vault lived is not applied when it does not any more.
func TestWriteMeetsDeletionOfItsVault(t *testing.T) {
	w, c := demo(t)
	w.before(func() { must(w.DeleteVault(ctx, w.root, "demo"))(t) })
	_, err := w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
	refused(t, err, vault.NotFound, "VaultNotFound")
	if left := w.objects(); len(left) != 0 {
		t.Errorf("written: %v", left)
	}
}

// A purge takes everything below the vault, in steps; begun, it can only go on; done, the name is
// free and another's.
func TestPurgeVaultInSteps(t *testing.T) {
	w, c := demo(t)
	other := w.vault("other")
	w.grant("other", "web", nil, []string{"all"})
	for i := range 100 {
		must(w.SetSecret(ctx, c, fmt.Sprint("s", i), seal.Plaintext("v"), vault.Change{}))(t)
	}
	refused(t, w.PurgeVault(ctx, w.root, "demo"), vault.NotFound, "VaultNotFound")
	old := must(w.DeleteVault(ctx, w.root, "demo"))(t)
	steps := 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == 2 {
			return cluster.ErrUnavailable
		}
		return nil
	}
	refused(t, w.PurgeVault(ctx, w.root, "demo"), vault.Unavailable, "OutcomeUnknown")
	_, err := w.RecoverVault(ctx, w.root, "demo")
	refused(t, err, vault.Conflict, "VaultIsBeingPurged")
	_, err = w.CreateVault(ctx, w.root, "demo", 90, false)
	if e := refused(t, err, vault.Conflict, "VaultAlreadyExists"); !strings.Contains(e.Message, "being purged") {
		t.Errorf("the name is taken: %s", e.Message)
	}
	if d := must(w.GetDeletedVault(ctx, w.root, "demo"))(t); !d.Purging {
		t.Errorf("half-way: %+v", d)
	}
	_, err = w.GetSecret(ctx, c, "s99", "", nil)
	refused(t, err, vault.NotFound, "VaultNotFound")
	if err := w.PurgeVault(ctx, w.root, "demo"); err != nil {
		t.Fatal(err)
	}
	if left := w.replica.paths("vault/" + old.ID); len(left) != 0 || steps < 4 {
		t.Errorf("after %d steps there is %v", steps, left)
	}
	if left := w.replica.paths("vault/" + other.ID); len(left) != 2 { // the grant, and that it is indexed
		t.Errorf("of the other vault there is %v", left)
	}
	refused(t, w.PurgeVault(ctx, w.root, "demo"), vault.NotFound, "VaultNotFound")
	if again := w.vault("demo"); again.ID == old.ID {
		t.Error("the id came back")
	}
	_, err = w.ListSecrets(ctx, c, page)
	refused(t, err, vault.Forbidden, "ForbiddenByPolicy")
}

// A purge that the end of retention has begun is gone on with by whoever purges, purge protection
// or not.
func TestPurgeOfAProtectedVaultGoesOn(t *testing.T) {
	w, c := demo(t)
	must(w.UpdateVault(ctx, w.root, "demo", vault.VaultChange{PurgeProtection: ptr(true)}))(t)
	for i := range 100 {
		must(w.SetSecret(ctx, c, fmt.Sprint("s", i), seal.Plaintext("v"), vault.Change{}))(t)
	}
	must(w.DeleteVault(ctx, w.root, "demo"))(t)
	refused(t, w.PurgeVault(ctx, w.root, "demo"), vault.Conflict, "PurgeProtected")
	w.now = w.now.Add(91 * day)
	steps := 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == 2 {
			return cluster.ErrUnavailable
		}
		return nil
	}
	_, _ = w.Sweep(ctx)
	w.replica.refuse = nil
	if d := must(w.GetDeletedVault(ctx, w.root, "demo"))(t); !d.Purging {
		t.Fatalf("the sweep did not stop half-way: %+v", d)
	}
	if err := w.PurgeVault(ctx, w.root, "demo"); err != nil {
		t.Errorf("what was begun is not gone on with: %v", err)
	}
	refused(t, second(w.GetDeletedVault(ctx, w.root, "demo")), vault.NotFound, "VaultNotFound")
}

func TestVaultSettings(t *testing.T) {
	w, c := demo(t)
	if v := must(w.GetVault(ctx, w.root, "demo"))(t); !v.WeakAlgorithms || v.PurgeProtection {
		t.Errorf("as made: %+v", v)
	}
	set := func(ch vault.VaultChange) (vault.VaultInfo, error) { return w.UpdateVault(ctx, w.root, "Demo", ch) }
	if v := must(set(vault.VaultChange{WeakAlgorithms: ptr(false)}))(t); v.WeakAlgorithms || v.PurgeProtection {
		t.Errorf("without weak algorithms: %+v", v)
	}
	if v := must(set(vault.VaultChange{PurgeProtection: ptr(true), RetentionDays: ptr(90)}))(t); v.WeakAlgorithms || !v.PurgeProtection {
		t.Errorf("protected: %+v", v)
	}
	if e := w.usage.last(t); e.Operation != "admin/vaults/update" || e.Vault != "demo" || e.Status != 200 {
		t.Errorf("recorded %+v", e)
	}
	_, err := set(vault.VaultChange{PurgeProtection: ptr(false), WeakAlgorithms: ptr(true)})
	refused(t, err, vault.Conflict, "PurgeProtectionIsForGood")
	_, err = set(vault.VaultChange{RetentionDays: ptr(7)})
	refused(t, err, vault.Invalid, "BadParameter")
	if v := must(set(vault.VaultChange{WeakAlgorithms: ptr(true), PurgeProtection: ptr(true)}))(t); !v.WeakAlgorithms || !v.PurgeProtection || v.RetentionDays != 90 {
		t.Errorf("with weak algorithms: %+v", v)
	}
	s := must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	if s.Attributes.RecoveryLevel != "Recoverable" {
		t.Errorf("objects say %s", s.Attributes.RecoveryLevel)
	}
	must(w.DeleteVault(ctx, w.root, "demo"))(t)
	refused(t, w.PurgeVault(ctx, w.root, "demo"), vault.Conflict, "PurgeProtected")
	_, err = w.CreateVault(ctx, w.root, "demo", 90, false)
	if e := refused(t, err, vault.Conflict, "VaultAlreadyExists"); strings.Contains(e.Message, "or purged") {
		t.Errorf("the name is taken: %s", e.Message)
	}
	must(w.RecoverVault(ctx, w.root, "demo"))(t)
}

// A vault that an earlier release made is used, changed, deleted and recovered like any other.
func TestVaultOfTheFirstShape(t *testing.T) {
	w, _ := demo(t)
	w.replica.alter("vaultname/demo", func(r fsm.Record) []byte {
		file := must(os.ReadFile("testdata/v1/records.hex"))(t)
		old := must(hex.DecodeString(strings.Fields(string(file))[0]))(t)
		return must(w.keyring.Seal(nil, "vaultname/demo", r.Mod, old))(t)
	})
	old := must(w.GetVault(ctx, w.root, "demo"))(t)
	if old.RetentionDays != 90 || !old.PurgeProtection || !old.WeakAlgorithms || old.Deletion != nil || old.ID != strings.Repeat("0a", 16) {
		t.Errorf("%+v", old)
	}
	must(w.UpdateVault(ctx, w.root, "demo", vault.VaultChange{WeakAlgorithms: ptr(false)}))(t)
	must(w.DeleteVault(ctx, w.root, "demo"))(t)
	back := must(w.RecoverVault(ctx, w.root, "demo"))(t)
	if old.WeakAlgorithms = false; back != old {
		t.Errorf("was %+v, is %+v", old, back)
	}
}

// Operators are told which of the two a vault is; applications only that there is none.
func TestWhatOperatorsLearnOfADeletedVault(t *testing.T) {
	w, c := demo(t)
	_, err := w.RecoverVault(ctx, w.root, "demo")
	if e := refused(t, err, vault.NotFound, "VaultNotFound"); !strings.Contains(e.Message, "is not deleted") {
		t.Errorf("recovering a live vault: %s", e.Message)
	}
	must(w.DeleteVault(ctx, w.root, "demo"))(t)
	_, err = w.ListGrants(ctx, w.root, "demo")
	if e := refused(t, err, vault.NotFound, "VaultNotFound"); !strings.Contains(e.Message, "is deleted") {
		t.Errorf("grants of a deleted vault: %s", e.Message)
	}
	_, err = w.GetSecret(ctx, c, "s", "", nil)
	if e := refused(t, err, vault.NotFound, "VaultNotFound"); strings.Contains(e.Message, "deleted") {
		t.Errorf("an application learns %s", e.Message)
	}
}
