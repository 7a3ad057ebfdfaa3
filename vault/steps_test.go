package vault_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

// beforeStep has something else happen on another node just before the nth transaction from now on.
func (w *world) beforeStep(n int, other func()) {
	steps := 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == n {
			w.replica.refuse = nil
			w.elsewhere(other)
		}
		return nil
	}
}

// manyVersions makes a secret of more versions than a transaction holds.
func (w *world) manyVersions(c vault.Caller, name string) {
	w.t.Helper()
	for range 150 {
		must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(w.t)
	}
}

// backedUp is the backup of such a secret, which is there no more.
func (w *world) backedUp(c vault.Caller, name string) []byte {
	w.t.Helper()
	w.manyVersions(c, name)
	blob := must(w.BackupSecret(ctx, c, name))(w.t)
	must(w.DeleteSecret(ctx, c, name))(w.t)
	if err := w.PurgeSecret(ctx, c, name); err != nil {
		w.t.Fatal(err)
	}
	return blob
}

// The vault is deleted between two steps: nobody is told that the work is done.
func TestVaultIsDeletedBetweenSteps(t *testing.T) {
	for operation, prepare := range map[string]func(w *world, c vault.Caller) func() error{
		"secrets/restore": func(w *world, c vault.Caller) func() error {
			blob := w.backedUp(c, "s")
			return func() error { return second(w.RestoreSecret(ctx, c, blob)) }
		},
		"secrets/purge": func(w *world, c vault.Caller) func() error {
			w.manyVersions(c, "s")
			must(w.DeleteSecret(ctx, c, "s"))(w.t)
			return func() error { return w.PurgeSecret(ctx, c, "s") }
		},
	} {
		t.Run(operation, func(t *testing.T) {
			w, c := demo(t)
			call := prepare(w, c)
			w.beforeStep(2, func() { must(w.DeleteVault(ctx, w.root, "demo"))(t) })
			refused(t, call(), vault.Unavailable, "OutcomeUnknown")
			if l := w.usage.last(t); l.Operation != operation || l.Status != 503 {
				t.Errorf("recorded %+v", l)
			}
			refused(t, call(), vault.NotFound, "VaultNotFound")
			must(w.RecoverVault(ctx, w.root, "demo"))(t)
			if err := call(); err != nil {
				t.Errorf("asked again: %v", err)
			}
		})
	}
}

// Another key of the same name is made while a rotation has its own made: the version that comes is
// of the type, with the key_ops and the tags, of that one.
func TestRotationFollowsAnotherKey(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "k", vault.KeySpec{Kty: "RSA"},
		vault.Change{Tags: map[string]string{"of": "RSA"}}))(t)
	w.beforeStep(1, func() {
		must(w.CreateKey(ctx, c, "k", vault.KeySpec{Kty: "EC", Crv: "P-384"},
			vault.Change{Tags: map[string]string{"of": "EC"}}))(t)
	})
	k := must(w.RotateKey(ctx, c, "k"))(t)
	if k.Public.Kty != "EC" || k.Public.Crv != "P-384" || len(k.Public.X) != 48 ||
		k.Public.N != nil || !slices.Equal(k.Ops, []string{"sign", "verify"}) ||
		k.Tags["of"] != "EC" {
		t.Errorf("after an EC key came %+v", k)
	}
	must(w.Sign(ctx, c, "k", k.Version, "ES384", make([]byte, 48)))(t)
	w.beforeStep(1, func() { // the same type again: what was made is good
		must(w.CreateKey(ctx, c, "k", vault.KeySpec{Kty: "EC-HSM", Crv: "P-384"},
			vault.Change{}))(t)
	})
	if k := must(w.RotateKey(ctx, c, "k"))(t); k.Public.Kty != "EC-HSM" {
		t.Errorf("after an EC-HSM key came %+v", k)
	}
}

// Another removes what is left between two steps: whoever wanted it removed is told that it is.
func TestAnotherRemovesTheRest(t *testing.T) {
	for operation, prepare := range map[string]func(w *world, c vault.Caller) func() error{
		"secrets/purge": func(w *world, c vault.Caller) func() error {
			w.manyVersions(c, "s")
			must(w.DeleteSecret(ctx, c, "s"))(w.t)
			return func() error { return w.PurgeSecret(ctx, c, "s") }
		},
		"admin/vaults/purge": func(w *world, c vault.Caller) func() error {
			w.manyVersions(c, "s")
			must(w.DeleteVault(ctx, w.root, "demo"))(w.t)
			return func() error { return w.PurgeVault(ctx, w.root, "demo") }
		},
		"admin/apps/delete": func(w *world, _ vault.Caller) func() error {
			for i := range 100 {
				name := fmt.Sprint("vault", i)
				w.vault(name)
				w.grant(name, "web", []string{"get"}, nil)
			}
			return func() error { return w.DeleteApp(ctx, w.root, "web") }
		},
	} {
		t.Run(operation, func(t *testing.T) {
			w, c := demo(t)
			call := prepare(w, c)
			other := false
			w.beforeStep(2, func() {
				other = true
				if err := call(); err != nil {
					t.Errorf("the other: %v", err)
				}
			})
			if err := call(); err != nil || !other {
				t.Errorf("%v, and another came between: %v", err, other)
			}
			if l := w.usage.last(t); l.Operation != operation || l.Status != 200 {
				t.Errorf("recorded %+v", l)
			}
			refused(t, call(), vault.NotFound,
				map[string]string{"secrets/purge": "SecretNotFound", "admin/vaults/purge": "VaultNotFound",
					"admin/apps/delete": "ApplicationNotFound"}[operation])
		})
	}
}

// halfRestored is a backup whose restore was broken off after its first step.
func (w *world) halfRestored(c vault.Caller, name string) []byte {
	w.t.Helper()
	blob := w.backedUp(c, name)
	w.breakOff(c, blob)
	return blob
}

// breakOff begins or goes on with a restore, and breaks it off after a step.
func (w *world) breakOff(c vault.Caller, blob []byte) {
	w.t.Helper()
	steps := 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == 2 {
			return cluster.ErrUnavailable
		}
		return nil
	}
	refused(w.t, second(w.RestoreSecret(ctx, c, blob)), vault.Unavailable, "OutcomeUnknown")
	w.replica.refuse = nil
}

// Whoever may purge takes away what a restore has left and frees its name, also where purge
// protection holds objects: it is none yet.
func TestPurgeOfAHalfRestore(t *testing.T) {
	for _, protected := range []bool{false, true} {
		t.Run(fmt.Sprint("protected ", protected), func(t *testing.T) {
			w, c := demo(t)
			w.vault("other")
			w.grant("other", "web", nil, []string{"all"})
			blob := w.backedUp(c, "s")
			c.Vault = "other"
			must(w.UpdateVault(ctx, w.root, "other", vault.VaultChange{PurgeProtection: &protected}))(t)
			w.breakOff(c, blob)
			w.breakOff(c, blob) // more is there than one step of a purge takes
			w.beforeStep(2, func() {
				refused(t, second(w.RestoreSecret(ctx, c, blob)), vault.Conflict, "ObjectIsBeingDeleted")
			})
			if err := w.PurgeSecret(ctx, c, "s"); err != nil {
				t.Fatal(err)
			}
			if left := w.objects(); len(left) != 0 {
				t.Errorf("left: %v", left)
			}
			must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
			must(w.DeleteSecret(ctx, c, "s"))(t)
			if err := w.PurgeSecret(ctx, c, "s"); (err != nil) != protected {
				t.Errorf("the purge of an object: %v", err)
			}
		})
	}
}

// A purge between two steps of a restore has it begin anew: whatever comes first, what is there in
// the end is whole.
func TestPurgeMeetsARestore(t *testing.T) {
	w, c := demo(t)
	blob := w.backedUp(c, "s")
	w.beforeStep(3, func() {
		if err := w.PurgeSecret(ctx, c, "s"); err != nil {
			t.Errorf("the purge: %v", err)
		}
	})
	restored := must(w.RestoreSecret(ctx, c, blob))(t)
	if n := len(w.objects()); n != 151 {
		t.Errorf("%d records, want a head and 150 versions", n)
	}
	if got := must(w.GetSecret(ctx, c, "s", "", nil))(t); got.Version != restored.Version {
		t.Errorf("version %s is restored, and %s is read", restored.Version, got.Version)
	}

	half := w.halfRestored(c, "t")
	w.beforeStep(1, func() { must(w.RestoreSecret(ctx, c, half))(t) })
	refused(t, w.PurgeSecret(ctx, c, "t"), vault.NotFound, "SecretNotFound")
	must(w.GetSecret(ctx, c, "t", "", nil))(t)
}

// The day that a half restore holds its name for is counted from its first step, however often it
// is gone on with.
func TestARestoreDoesNotRenewItsDay(t *testing.T) {
	w, c := demo(t)
	w.manyVersions(c, "s")
	w.manyVersions(c, "s")
	blob := w.backedUp(c, "s")
	w.breakOff(c, blob)
	w.now = w.now.Add(day - time.Minute)
	w.breakOff(w.caller(w.again("web"), "demo"), blob)
	w.now = w.now.Add(time.Minute)
	for range 2 { // the first pass takes a step and leaves a purge that stopped half-way
		must(w.Sweep(ctx))(t)
	}
	if left := w.objects(); len(left) != 0 {
		t.Errorf("left after a day: %d records", len(left))
	}
}
