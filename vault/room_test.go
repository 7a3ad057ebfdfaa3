package vault_test

import (
	"errors"
	"testing"

	"keyquorum/cluster"
	"keyquorum/seal"
	"keyquorum/vault"
)

// Without room what writes is refused with a reason, and with nothing changed, but for what
// deletes, purges or takes something away; what reads, and what uses keys, goes on. Whoever adds a
// verb that writes has a row to add.
func TestWritesWithoutRoom(t *testing.T) {
	yes, no := true, false
	var secretBlob, keyBlob []byte
	var credential string
	for _, row := range []struct {
		name string
		done bool
		do   func(w *world, c vault.Caller) error
	}{
		{"set a secret", false, func(w *world, c vault.Caller) error {
			return second(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))
		}},
		{"tag a secret", false, func(w *world, c vault.Caller) error {
			return second(w.UpdateSecret(ctx, c, "s", "", vault.Change{Tags: map[string]string{"a": "b"}}))
		}},
		{"enable a secret", false, func(w *world, c vault.Caller) error {
			return second(w.UpdateSecret(ctx, c, "s", "", vault.Change{Enabled: &yes}))
		}},
		{"disable a secret", true, func(w *world, c vault.Caller) error {
			return second(w.UpdateSecret(ctx, c, "s", "", vault.Change{Enabled: &no}))
		}},
		{"recover a secret", false, func(w *world, c vault.Caller) error {
			return second(w.RecoverSecret(ctx, c, "gone"))
		}},
		{"restore a secret", false, func(w *world, c vault.Caller) error {
			return second(w.RestoreSecret(ctx, c, secretBlob))
		}},
		{"delete a secret", true, func(w *world, c vault.Caller) error {
			return second(w.DeleteSecret(ctx, c, "s"))
		}},
		{"purge a secret", true, func(w *world, c vault.Caller) error {
			return w.PurgeSecret(ctx, c, "gone")
		}},
		{"make a key", false, func(w *world, c vault.Caller) error {
			return second(w.CreateKey(ctx, c, "more", vault.KeySpec{Kty: "EC"}, vault.Change{}))
		}},
		{"rotate a key", false, func(w *world, c vault.Caller) error {
			return second(w.RotateKey(ctx, c, "k"))
		}},
		{"set a policy", false, func(w *world, c vault.Caller) error {
			return second(w.SetRotationPolicy(ctx, c, "k", vault.RotationPolicy{ExpiryTime: "P90D"}))
		}},
		{"enable a key", false, func(w *world, c vault.Caller) error {
			return second(w.UpdateKey(ctx, c, "k", "", vault.Change{Enabled: &yes}))
		}},
		{"disable a key", true, func(w *world, c vault.Caller) error {
			return second(w.UpdateKey(ctx, c, "k", "", vault.Change{Enabled: &no}))
		}},
		{"recover a key", false, func(w *world, c vault.Caller) error {
			return second(w.RecoverKey(ctx, c, "gone"))
		}},
		{"restore a key", false, func(w *world, c vault.Caller) error {
			return second(w.RestoreKey(ctx, c, keyBlob))
		}},
		{"delete a key", true, func(w *world, c vault.Caller) error {
			return second(w.DeleteKey(ctx, c, "k"))
		}},
		{"purge a key", true, func(w *world, c vault.Caller) error {
			return w.PurgeKey(ctx, c, "gone")
		}},
		{"make a vault", false, func(w *world, _ vault.Caller) error {
			return second(w.CreateVault(ctx, w.root, "more", 90, false))
		}},
		{"rule algorithms out", true, func(w *world, _ vault.Caller) error {
			return second(w.UpdateVault(ctx, w.root, "demo", vault.VaultChange{WeakAlgorithms: &no}))
		}},
		{"protect a vault", false, func(w *world, _ vault.Caller) error {
			return second(w.UpdateVault(ctx, w.root, "demo", vault.VaultChange{PurgeProtection: &yes}))
		}},
		{"delete a vault", true, func(w *world, _ vault.Caller) error {
			return second(w.DeleteVault(ctx, w.root, "demo"))
		}},
		{"recover a vault", false, func(w *world, _ vault.Caller) error {
			return second(w.RecoverVault(ctx, w.root, "gone"))
		}},
		{"purge a vault", true, func(w *world, _ vault.Caller) error {
			return w.PurgeVault(ctx, w.root, "gone")
		}},
		{"make an application", false, func(w *world, _ vault.Caller) error {
			return second(w.CreateApp(ctx, w.root, "more"))
		}},
		{"add a credential", false, func(w *world, _ vault.Caller) error {
			return second(w.AddCredential(ctx, w.root, "web", 0))
		}},
		{"remove a credential", true, func(w *world, _ vault.Caller) error {
			return w.RemoveCredential(ctx, w.root, "web", credential)
		}},
		{"enable an application", false, func(w *world, _ vault.Caller) error {
			return second(w.SetAppEnabled(ctx, w.root, "web", true))
		}},
		{"disable an application", true, func(w *world, _ vault.Caller) error {
			return second(w.SetAppEnabled(ctx, w.root, "web", false))
		}},
		{"delete an application", true, func(w *world, _ vault.Caller) error {
			return w.DeleteApp(ctx, w.root, "web")
		}},
		{"give a right", false, func(w *world, _ vault.Caller) error {
			return second(w.SetGrant(ctx, w.root, "demo", "second", []string{"get", "list"}, nil))
		}},
		{"give one right for another", false, func(w *world, _ vault.Caller) error {
			return second(w.SetGrant(ctx, w.root, "demo", "second", []string{"list"}, nil))
		}},
		{"take a right", true, func(w *world, _ vault.Caller) error {
			return second(w.SetGrant(ctx, w.root, "demo", "web", []string{"all"}, []string{"get"}))
		}},
		{"take all rights", true, func(w *world, _ vault.Caller) error {
			return second(w.SetGrant(ctx, w.root, "demo", "second", nil, nil))
		}},
		{"change the key of tokens", true, func(w *world, _ vault.Caller) error {
			return second(w.RotateTokenKey(ctx, w.root, true))
		}},
		{"read a secret", true, func(w *world, c vault.Caller) error {
			return second(w.GetSecret(ctx, c, "s", "", nil))
		}},
		{"sign", true, func(w *world, c vault.Caller) error {
			return second(w.Sign(ctx, c, "k", "", "ES256", make([]byte, 32)))
		}},
	} {
		w, c := demo(t)
		credential = must(w.GetApp(ctx, w.root, "web"))(t).Credentials[0].ID
		w.app("second")
		w.grant("demo", "second", []string{"get"}, nil)
		for _, name := range []string{"s", "gone", "restored"} {
			must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(t)
		}
		for _, name := range []string{"k", "gone", "restored"} {
			must(w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
		}
		secretBlob, keyBlob = must(w.BackupSecret(ctx, c, "restored"))(t),
			must(w.BackupKey(ctx, c, "restored"))(t)
		for _, name := range []string{"gone", "restored"} {
			must(w.DeleteSecret(ctx, c, name))(t)
			must(w.DeleteKey(ctx, c, name))(t)
		}
		if err := errors.Join(w.PurgeSecret(ctx, c, "restored"),
			w.PurgeKey(ctx, c, "restored")); err != nil {
			t.Fatal(err)
		}
		w.vault("gone")
		must(w.DeleteVault(ctx, w.root, "gone"))(t)

		w.replica.noRoom = cluster.ErrNoRoomHere
		before := w.replica.fsm.View().Digest()
		err := row.do(w, c)
		changed := w.replica.fsm.View().Digest() != before
		var refused *vault.Error
		switch {
		case row.done && err != nil:
			t.Errorf("%s: %v", row.name, err)
		case !row.done && (!errors.As(err, &refused) || refused.Inner != "NoRoom" || changed):
			t.Errorf("%s: %v; the state changed: %v", row.name, err, changed)
		}
		w.replica.noRoom = nil
		if err := row.do(w, c); !row.done && err != nil {
			t.Errorf("%s, with room again: %v", row.name, err)
		}
	}
}

// What time asks for is done without room where it frees some. A key that is due gets its version
// when there is room again, and leaves no usage record before.
func TestDutiesWithoutRoom(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "old", seal.Plaintext("v"), vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "due", vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
	rotate := vault.LifetimeAction{Type: "Rotate", AfterCreate: "P30D"}
	must(w.SetRotationPolicy(ctx, c, "due",
		vault.RotationPolicy{Actions: []vault.LifetimeAction{rotate}}))(t)
	must(w.DeleteSecret(ctx, c, "old"))(t)
	w.now = w.now.Add(100 * day)
	w.replica.noRoom = cluster.ErrNoRoom
	w.sweep(t, 1)
	w.usage.forget()
	w.sweep(t, 0)
	if lines := w.usage.lines(t); len(lines) > 0 {
		t.Errorf("what is not done leaves %+v", lines)
	}
	w.replica.noRoom = nil
	w.sweep(t, 1)
}
