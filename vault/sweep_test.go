package vault_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

const day = 24 * time.Hour

// unindex makes of a vault one from before there were indexes.
func (w *world) unindex(t *testing.T, name string) {
	t.Helper()
	id := must(w.GetVault(ctx, w.root, name))(t).ID
	for _, path := range w.replica.paths("vault/" + id) {
		if regexp.MustCompile(`^vault/[0-9a-f]{32}/(deleted/|due/|rotating/|indexed$)`).MatchString(path) {
			w.replica.remove(path)
		}
	}
}

// A pass gives a vault from before there were indexes all its entries, and then does what is due.
func TestVaultFromBeforeIndexes(t *testing.T) {
	w, c := demo(t)
	for _, name := range []string{"kept", "deleted", "old"} {
		must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(t)
		must(w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
	}
	rotate := vault.LifetimeAction{Type: "Rotate", AfterCreate: "P30D"}
	must(w.SetRotationPolicy(ctx, c, "kept",
		vault.RotationPolicy{Actions: []vault.LifetimeAction{rotate}}))(t)
	must(w.DeleteSecret(ctx, c, "old"))(t)
	w.now = w.now.Add(60 * day)
	c = w.caller(w.again("web"), "demo")
	must(w.DeleteKey(ctx, c, "deleted"))(t)
	w.unindex(t, "demo")
	if p := must(w.ListDeletedKeys(ctx, c, page))(t); len(p.Items) != 1 ||
		p.Items[0].Name != "deleted" {
		t.Errorf("listed %+v", p.Items)
	}
	w.now = w.now.Add(31 * day)
	w.sweep(t, 2) // the secret's retention is over, and the key is rotated
	w.objects()   // looks at the indexes
	c = w.caller(w.again("web"), "demo")
	if p := must(w.ListDeletedKeys(ctx, c, page))(t); len(p.Items) != 1 ||
		p.Items[0].Name != "deleted" {
		t.Errorf("listed %+v", p.Items)
	}
	w.sweep(t, 0)
}

// sweep is a pass that must do so many things.
func (w *world) sweep(t *testing.T, done int) {
	t.Helper()
	if got := must(w.Sweep(ctx))(t); got.Done != done {
		t.Errorf("the pass did %d things, want %d (%+v)", got.Done, done, w.usage.lines(t))
	}
}

// objects are the paths below vaults that are no grants, and no indexes: those have to be right.
func (w *world) objects() []string {
	w.t.Helper()
	for _, wrong := range w.WrongInIndexes() {
		w.t.Error(wrong)
	}
	index := regexp.MustCompile(`^vault/[0-9a-f]{32}/(access/|deleted/|due/|rotating/|indexed$)`)
	return slices.DeleteFunc(w.replica.paths("vault/"), index.MatchString)
}

// An object goes when its retention is over, not a second before, under purge protection too, and
// what is live stays.
func TestRetentionEnds(t *testing.T) {
	for _, protected := range []bool{false, true} {
		t.Run(fmt.Sprintf("protected %v", protected), func(t *testing.T) {
			w, c := demo(t)
			must(w.CreateVault(ctx, w.root, "short", 7, protected))(t)
			w.grant("short", "web", []string{"all"}, []string{"all"})
			c.Vault = "short"
			for _, name := range []string{"Old", "old-live", "old0"} {
				must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(t)
			}
			must(w.CreateKey(ctx, c, "Old", vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
			must(w.SetRotationPolicy(ctx, c, "Old", vault.RotationPolicy{ExpiryTime: "P90D"}))(t)
			must(w.DeleteSecret(ctx, c, "old"))(t)
			must(w.DeleteKey(ctx, c, "old"))(t)
			w.now = w.now.Add(7*day - time.Second)
			w.usage.forget()
			w.sweep(t, 0)
			if lines := w.usage.lines(t); len(lines) != 0 {
				t.Errorf("a pass with nothing to do recorded %+v", lines)
			}
			w.now = w.now.Add(time.Second)
			w.sweep(t, 2)
			var told []string
			for _, l := range w.usage.lines(t) {
				if l.Plane != "node" || l.Vault != "short" || l.Object != "old" || l.OID != "" ||
					l.Accessor != "" {
					t.Errorf("recorded %+v", l)
				}
				told = append(told, fmt.Sprint(l.Operation, " ", l.Status))
			}
			want := []string{"keys/purge 202", "keys/purge 200", "secrets/purge 202", "secrets/purge 200"}
			if !slices.Equal(told, want) {
				t.Errorf("recorded %v, want %v", told, want)
			}
			for _, path := range w.objects() {
				if strings.HasSuffix(path, "/old") || strings.Contains(path, "/old/") {
					t.Errorf("%s is left", path)
				}
			}
			w.sweep(t, 0)
			c = w.caller(w.again("web"), "short")
			must(w.GetSecret(ctx, c, "old-live", "", nil))(t)
			must(w.GetSecret(ctx, c, "old0", "", nil))(t)
			must(w.SetSecret(ctx, c, "old", seal.Plaintext("v"), vault.Change{}))(t)
		})
	}
}

// again is an application with a credential of now: tokens live an hour.
func (w *world) again(name string) app {
	w.t.Helper()
	a := must(w.GetApp(ctx, w.root, name))(w.t)
	made, err := w.AddCredential(ctx, w.root, name, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return app{a, made.Credential, made.Secret}
}

// A deleted vault goes as a whole when its retention is over; until then nothing in it does.
func TestRetentionOfAVaultEnds(t *testing.T) {
	w, c := demo(t)
	must(w.CreateVault(ctx, w.root, "short", 7, true))(t)
	w.grant("short", "web", nil, []string{"all"})
	c.Vault = "short"
	for i := range 80 {
		must(w.SetSecret(ctx, c, fmt.Sprint("s", i), seal.Plaintext("v"), vault.Change{}))(t)
	}
	must(w.DeleteSecret(ctx, c, "s0"))(t)
	w.now = w.now.Add(3 * day)
	made := must(w.DeleteVault(ctx, w.root, "short"))(t)
	w.now = w.now.Add(5 * day) // the secret's is over, the vault's is not
	w.sweep(t, 0)
	if n := len(w.replica.paths("vault/" +
		made.ID)); n != 161+3 { // and what indexes say of the secret, and that they do

		t.Errorf("of the deleted vault there are %d records", n)
	}
	w.now = w.now.Add(2 * day)
	w.usage.forget()
	w.sweep(t, 1)
	if left := w.replica.paths("vault/" + made.ID); len(left) != 0 {
		t.Errorf("of the purged vault there is %v", left)
	}
	lines := w.usage.lines(t)
	if len(lines) != 2 || lines[0].Status != 202 || lines[1].Status != 200 ||
		lines[1].Operation != "admin/vaults/purge" || lines[1].Plane != "node" ||
		lines[1].Vault != "short" {
		t.Errorf("recorded %+v", lines)
	}
	w.vault("short")
}

// What was due in a deleted vault goes when it is back.
func TestRetentionEndsInARecoveredVault(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	must(w.DeleteSecret(ctx, c, "s"))(t)
	w.now = w.now.Add(80 * day)
	must(w.DeleteVault(ctx, w.root, "demo"))(t)
	w.now = w.now.Add(80 * day)
	w.sweep(t, 0)
	must(w.RecoverVault(ctx, w.root, "demo"))(t)
	w.sweep(t, 1)
	if left := w.objects(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// Purges that stopped half-way are finished, whatever time it is.
func TestSweepFinishesPurges(t *testing.T) {
	w, c := demo(t)
	for range 130 {
		must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	}
	must(w.DeleteSecret(ctx, c, "s"))(t)
	w.vault("gone")
	for i := range 130 {
		w.app(fmt.Sprint("app", i))
		w.grant("gone", fmt.Sprint("app", i), nil, []string{"get"})
	}
	must(w.DeleteVault(ctx, w.root, "gone"))(t)
	stop := func(purge func() error) {
		steps := 0
		w.replica.refuse = func(fsm.Txn) error {
			if steps++; steps == 2 {
				return cluster.ErrUnavailable
			}
			return nil
		}
		refused(t, purge(), vault.Unavailable, "OutcomeUnknown")
		w.replica.refuse = nil
	}
	stop(func() error { return w.PurgeSecret(ctx, c, "s") })
	stop(func() error { return w.PurgeVault(ctx, w.root, "gone") })
	w.sweep(t, 2)
	if left := append(w.objects(), w.replica.paths("vaultname/gone")...); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

// A restore that stopped half-way holds its name for a day, in which it can be gone on with. Then
// what is left of it goes.
func TestSweepEndsRestores(t *testing.T) {
	w, c := demo(t)
	for range 150 {
		must(w.SetSecret(ctx, c, "S", seal.Plaintext("v"), vault.Change{}))(t)
	}
	blob := must(w.BackupSecret(ctx, c, "s"))(t)
	must(w.DeleteSecret(ctx, c, "s"))(t)
	if err := w.PurgeSecret(ctx, c, "s"); err != nil {
		t.Fatal(err)
	}
	steps := 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == 2 {
			return cluster.ErrUnavailable
		}
		return nil
	}
	refused(t, second(w.RestoreSecret(ctx, c, blob)), vault.Unavailable, "OutcomeUnknown")
	w.now = w.now.Add(day - time.Second)
	w.sweep(t, 0)
	if len(w.objects()) == 0 {
		t.Fatal("the restore left nothing: the test shows nothing")
	}
	w.now = w.now.Add(time.Second)
	w.sweep(t, 1)
	if l := w.usage.last(t); l.Operation != "secrets/purge" || l.Object != "s" || l.Status != 200 {
		t.Errorf("recorded %+v", l)
	}
	if left := w.objects(); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
	must(w.RestoreSecret(ctx, w.caller(w.again("web"), "demo"), blob))(t)
}

// Where the record of what begins can't be written, nothing is done; where that of its end can't,
// the pass ends.
func TestSweepWithoutUsageLog(t *testing.T) {
	w, c := demo(t)
	for _, name := range []string{"a", "b"} {
		must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(t)
		must(w.DeleteSecret(ctx, c, name))(t)
	}
	w.now = w.now.Add(90 * day)
	before := w.objects()
	w.usage.failWith(errors.New("full"))
	done, err := w.Sweep(ctx)
	refused(t, err, vault.Internal, "UsageRecordFailed")
	if now := w.objects(); !slices.Equal(now, before) || done.Done != 0 {
		t.Errorf("%+v, there was %v, there is %v", done, before, now)
	}
	w.usage.failWith(nil)
	w.before(func() { w.usage.failWith(errors.New("full")) })
	done, err = w.Sweep(ctx)
	refused(t, err, vault.Internal, "UsageRecordFailed")
	if now := w.objects(); len(now) != 2 || done.Done != 0 {
		t.Errorf("%+v, there is %v", done, now)
	}
	w.usage.failWith(nil)
	w.sweep(t, 1)
}

// Somebody comes between a pass and what it found: who recovered in time keeps the object, and who
// purged has done the work.
func TestSweepMeetsOthers(t *testing.T) {
	for name, other := range map[string]func(w *world, c vault.Caller){
		"recovered": func(w *world, c vault.Caller) { must(w.RecoverSecret(ctx, c, "s"))(w.t) },
		"purged": func(w *world, c vault.Caller) {
			if err := w.PurgeSecret(ctx, c, "s"); err != nil {
				w.t.Error(err)
			}
		},
		"purged by another pass": func(w *world, _ vault.Caller) { must(w.node().Sweep(ctx))(w.t) },
		"the vault is deleted": func(w *world,
			_ vault.Caller) {
			must(w.DeleteVault(ctx, w.root, "demo"))(w.t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, c := demo(t)
			must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
			must(w.DeleteSecret(ctx, c, "s"))(t)
			w.now = w.now.Add(90 * day)
			c = w.caller(w.again("web"), "demo")
			w.usage.forget()
			w.before(func() { other(w, c) })
			w.sweep(t, 0)
			if last := w.usage.last(t); last.Plane != "node" || last.Status != 404 {
				t.Errorf("recorded %+v", last)
			}
			if left := len(w.objects()); (left > 0) == strings.HasPrefix(name, "purged") {
				t.Errorf("%d records are left", left)
			}
		})
	}
}

// What lies below heads, whatever its name, is no object, in lists and to passes.
func TestHeadsAreToldFromWhatIsBelow(t *testing.T) {
	w, c := demo(t)
	names := []string{"a", "a-b", "a0", "b"}
	for _, name := range names {
		must(w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
		must(w.SetRotationPolicy(ctx, c, name, vault.RotationPolicy{ExpiryTime: "P90D"}))(t)
	}
	if got := sorted(must(w.ListKeys(ctx, c, page))(t).Items,
		func(k vault.Key) string { return k.Name }); !slices.Equal(got, names) {
		t.Errorf("listed: %v", got)
	}
	if done := must(w.Sweep(ctx))(t); done.Looked != 0 {
		t.Errorf("nothing is due, and a pass looks: %+v", done)
	}
	w.unindex(t, "demo")
	must(w.Sweep(ctx))(t)
	if got := w.objects(); len(got) != 3*len(names) {
		t.Errorf("there is %v", got)
	}
}

// What is due is all looked at, more than a slice holds, and nothing else is; a head that is
// damaged keeps none alive.
func TestSweepLooksAtAll(t *testing.T) {
	w, c := demo(t)
	const many = 600
	for i := range many {
		must(w.SetSecret(ctx, c, fmt.Sprint("s", i), seal.Plaintext("v"), vault.Change{}))(t)
		if i%2 == 0 {
			must(w.DeleteSecret(ctx, c, fmt.Sprint("s", i)))(t)
		}
	}
	w.now = w.now.Add(90 * day)
	made := must(w.GetVault(ctx, w.root, "demo"))(t)
	w.replica.alter("vault/"+made.ID+"/secret/s100", func(r fsm.Record) []byte {
		return append(slices.Clone(r.Value[:len(r.Value)-1]), r.Value[len(r.Value)-1]^1)
	})
	done, err := w.Sweep(ctx)
	if e := refused(t, err, vault.Internal, "RecordDamaged"); !strings.Contains(e.Message, "s100") {
		t.Error(e)
	}
	left := len(w.replica.paths("vault/" + made.ID +
		"/secret/")) // the index can't be held against a damaged head
	if done.Looked != many/2 || done.Done != many/2-1 || left != 2*(many/2+1) {
		t.Errorf("%+v, and %d records are left", done, left)
	}
}

func TestSweepEnds(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	must(w.DeleteSecret(ctx, c, "s"))(t)
	w.now = w.now.Add(90 * day)
	over, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.Sweep(over); !errors.Is(err, context.Canceled) {
		t.Errorf("after its context: %v", err)
	}
	w.replica.refuse = func(fsm.Txn) error { return cluster.ErrUnavailable }
	_, err := w.Sweep(ctx)
	refused(t, err, vault.Unavailable, "NoLeader")
	w.replica.refuse = nil
	sealed := w.node()
	sealed.Close()
	_, err = sealed.Sweep(ctx)
	refused(t, err, vault.Unavailable, "Sealed")
	if left := w.objects(); len(left) != 2 {
		t.Errorf("left: %v", left)
	}
}

// However many keys applications want made, and whatever one vault has due, the others get theirs.
func TestOneVaultKeepsAPassFromNoOther(t *testing.T) {
	w, c := demo(t)
	w.vault("other")
	w.grant("other", "web", []string{"all"}, []string{"all"})
	elsewhere := c
	elsewhere.Vault = "other"
	for i := range 70 {
		name := fmt.Sprint("k", i)
		must(w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
		must(w.SetRotationPolicy(ctx, c, name,
			vault.RotationPolicy{Actions: []vault.LifetimeAction{{Type: "Rotate", AfterCreate: "P7D"}}}))(t)
	}
	must(w.SetSecret(ctx, elsewhere, "s", seal.Plaintext("v"), vault.Change{}))(t)
	must(w.DeleteSecret(ctx, elsewhere, "s"))(t)
	w.now = w.now.Add(91 * day)
	w.HoldGeneration()
	w.sweep(t, 64+1)
	if n := len(w.replica.paths("vault/" + must(w.GetVault(ctx, w.root, "other"))(t).ID +
		"/secret/")); n != 0 {
		t.Errorf("%d records of a secret whose retention is over", n)
	}
	w.sweep(t, 70-64)
}
