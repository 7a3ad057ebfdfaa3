package vault_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/audit"
	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

// behind calls a verb on a node whose own copy lags, the first time that it is looked at, behind
// all that was done since.
func (w *world) behind(since func(), verb func() error) error {
	w.t.Helper()
	old := w.replica.View()
	since()
	w.replica.stale = &old
	defer func() { w.replica.stale = nil }()
	return verb()
}

// A right that was withdrawn is gone for every verb, also on a node whose own copy still has it
// (I1).
func TestWithdrawnRightIsGoneWhereTheCopyLags(t *testing.T) {
	for _, v := range verbs {
		t.Run(v.operation, func(t *testing.T) {
			w, c := demo(t)
			err := w.behind(func() { w.grant("demo", "web", nil, nil) }, func() error { return v.call(w, c, "s") })
			refused(t, err, vault.Forbidden, "ForbiddenByPolicy")
		})
	}
}

// A client secret that was removed gives no token, also on a node whose own copy still has it.
func TestRemovedClientSecretGivesNoTokenWhereTheCopyLags(t *testing.T) {
	w, _ := demo(t)
	a := w.app("till")
	remove := func() {
		if err := w.RemoveCredential(ctx, w.root, "till", a.credential.ID); err != nil {
			t.Fatal(err)
		}
	}
	err := w.behind(remove, func() error {
		_, _, err := w.IssueToken(ctx, vault.TokenRequest{ClientID: a.ClientID, Secret: a.secret, Audience: zone})
		return err
	})
	refused(t, err, vault.Unauthenticated, "invalid_client")
}

// A listing shows what there is, also on a node whose own copy knows of nothing that happened
// since.
func TestListingsAreCurrentWhereTheCopyLags(t *testing.T) {
	secret := func(s vault.Secret) string { return s.Name }
	key := func(k vault.Key) string { return k.Name }
	for name, listing := range map[string]struct {
		list func(w *world, c vault.Caller) ([]string, error)
		want string
	}{
		"secrets": {func(w *world, c vault.Caller) ([]string, error) {
			p, err := w.ListSecrets(ctx, c, page)
			return sorted(p.Items, secret), err
		}, "new"},
		"deleted secrets": {func(w *world, c vault.Caller) ([]string, error) {
			p, err := w.ListDeletedSecrets(ctx, c, page)
			return sorted(p.Items, secret), err
		}, "gone"},
		"keys": {func(w *world, c vault.Caller) ([]string, error) {
			p, err := w.ListKeys(ctx, c, page)
			return sorted(p.Items, key), err
		}, "new"},
		"deleted keys": {func(w *world, c vault.Caller) ([]string, error) {
			p, err := w.ListDeletedKeys(ctx, c, page)
			return sorted(p.Items, key), err
		}, "gone"},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := demo(t)
			make := func(name string) {
				must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(t)
				must(w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
			}
			make("gone")
			var listed []string
			err := w.behind(func() {
				must(w.DeleteSecret(ctx, c, "gone"))(t)
				must(w.DeleteKey(ctx, c, "gone"))(t)
				make("new")
			}, func() (err error) { listed, err = listing.list(w, c); return err })
			if err != nil || !slices.Equal(listed, []string{listing.want}) {
				t.Errorf("listed %v (%v), want %s alone", listed, err, listing.want)
			}
		})
	}
}

// Shares of before a rekey make no root token, also on a node whose own copy knows of no rekey.
func TestSharesOfBeforeMakeNoRootTokenWhereTheCopyLags(t *testing.T) {
	w := newWorld(t)
	before, _, _, err := seal.Init([16]byte{1}, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	after, _, _, err := seal.Rekey(before.Lock, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	w.reseal(before)
	give := func() error {
		_, _, err := w.NewRootToken(ctx, vault.ByShares(vault.Request{}), before.Lock)
		return err
	}
	if err := give(); err != nil {
		t.Fatalf("with the shares of now: %v", err)
	}
	if err := w.behind(func() { w.reseal(after) }, give); !errors.Is(err, vault.ErrOtherShares) {
		t.Errorf("with the shares of before: %v", err)
	}
}

// reseal has the cluster have other shares.
func (w *world) reseal(record seal.Record) {
	w.t.Helper()
	view := w.replica.View()
	txn := view.Begin(fsm.Reseal)
	cluster.Put(&txn, view, fsm.PathSeal, record.Encode())
	cluster.Put(&txn, view, fsm.PathKeyring, []byte("wrapped anew"))
	if o := must(w.replica.Commit(ctx, txn))(w.t); o.Kind != fsm.Applied {
		w.t.Fatalf("the reseal: %+v", o)
	}
}

// Whoever asked has gone: what was carried out for them is recorded all the same (I10).
func TestUseIsRecordedWhenTheClientHasGone(t *testing.T) {
	for operation, call := range map[string]func(ctx context.Context, w *world, c vault.Caller) error{
		"secrets/set": func(ctx context.Context, w *world, c vault.Caller) error {
			_, err := w.SetSecret(ctx, c, "s", seal.Plaintext("w"), vault.Change{})
			return err
		},
		"secrets/get": func(ctx context.Context, w *world, c vault.Caller) error {
			_, err := w.GetSecret(ctx, c, "s", "", nil)
			return err
		},
		"keys/get": func(ctx context.Context, w *world, c vault.Caller) error {
			if _, err := w.GetKey(ctx, c, "none", ""); err == nil {
				t.Error("there is a key that nobody made")
			}
			return nil
		},
		"admin/apps/enable": func(ctx context.Context, w *world, _ vault.Caller) error {
			_, err := w.SetAppEnabled(ctx, w.root, "web", true)
			return err
		},
	} {
		t.Run(operation, func(t *testing.T) {
			w, c := demo(t)
			must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
			w.usage.forget()
			waiting, leave := context.WithCancel(ctx)
			if operation == "secrets/set" {
				w.before(leave) // its transaction is under way
			} else {
				leave()
			}
			if err := call(waiting, w, c); err != nil {
				t.Error(err)
			}
			if lines := w.usage.lines(t); len(lines) != 1 || lines[0].Operation != operation {
				t.Errorf("recorded %+v", lines)
			}
		})
	}
}

// A node that is sealed after it took its view gives no answer, not even one for which it has
// nothing to open (I7).
func TestSealedMeanwhile(t *testing.T) {
	unknown := vault.TokenRequest{ClientID: "00000000-0000-4000-8000-000000000000", Secret: seal.Plaintext("x"), Audience: zone}
	for name, call := range map[string]func(v *vault.Vaults, w *world, c vault.Caller) error{
		"a secret": func(v *vault.Vaults, _ *world, c vault.Caller) error {
			_, err := v.GetSecret(ctx, c, "s", "", nil)
			return err
		},
		"a list": func(v *vault.Vaults, _ *world, c vault.Caller) error {
			_, err := v.ListSecrets(ctx, c, page)
			return err
		},
		"the vaults": func(v *vault.Vaults, w *world, _ vault.Caller) error { _, err := v.ListVaults(ctx, w.root); return err },
		"a token for nobody": func(v *vault.Vaults, _ *world, _ vault.Caller) error {
			_, _, err := v.IssueToken(ctx, unknown)
			return err
		},
		"nobody's token": func(v *vault.Vaults, _ *world, _ vault.Caller) error {
			_, err := v.AuthenticateOperator(ctx, vault.Request{}, seal.Plaintext("kq."+strings.Repeat("x", 43)))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := demo(t)
			must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
			v := w.sealedWhenItLooksAtTheClock()
			refused(t, call(v, w, c), vault.Unavailable, "Sealed")
		})
	}
}

// sealedWhenItLooksAtTheClock is another node, which is sealed as soon as it has a view to decide
// on.
func (w *world) sealedWhenItLooksAtTheClock() (v *vault.Vaults) {
	w.t.Helper()
	log := audit.OpenSink(w.usage)
	w.t.Cleanup(func() { log.Close() })
	now := func() time.Time { v.Close(); return w.now }
	v = must(vault.New(vault.Config{Replica: w.replica, Keyring: w.keyring, Audit: log, Node: "n2", ClusterID: "c0ffee", Now: now}))(w.t)
	return v
}
