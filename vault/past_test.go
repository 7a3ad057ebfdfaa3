package vault_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

// past is what the world is now, as a snapshot of it would have it later.
func (w *world) past() vault.Past { return vault.Past{View: w.replica.View(), Keyring: w.keyring} }

func (w *world) gone(t *testing.T, c vault.Caller, name string) {
	t.Helper()
	must(w.DeleteSecret(ctx, c, name))(t)
	if err := w.PurgeSecret(ctx, c, name); err != nil {
		t.Fatal(err)
	}
}

// What is brought back in steps shows nowhere before the last. Whoever asks again goes on with it;
// another snapshot, or one version alone, has to wait until that is done or purged.
func TestBringingBackIsResumed(t *testing.T) {
	w, c := demo(t)
	for i := range 100 {
		must(w.SetSecret(ctx, c, "long", seal.Plaintext(fmt.Sprint(i)), vault.Change{}))(t)
	}
	before := must(w.GetSecret(ctx, c, "long", "", nil))(t)
	p := w.past()
	w.vault("another")
	later := w.past()
	w.gone(t, c, "long")
	ref := vault.ObjectRef{Vault: "demo", Type: "secrets", Name: "Long"}
	w.stopAfterSteps(1)
	_, err := w.BringBackObject(ctx, w.root, p, ref)
	refused(t, err, vault.Unavailable, "OutcomeUnknown")
	w.replica.refuse = nil
	refused(t, second(w.GetSecret(ctx, c, "long", "", nil)), vault.NotFound, "SecretNotFound")
	half := must(w.CompareObject(ctx, w.root, p, ref))(t)
	if half.Is.State != "restoring" || half.Is.Versions == 0 || half.Versions[0].Is != nil {
		t.Errorf("half of it is shown as %+v", half.Is)
	}
	one := ref
	one.Version = before.Version
	refused(t, second(w.BringBackObject(ctx, w.root, later, ref)), vault.Conflict,
		"ObjectIsBeingRecovered")
	refused(t, second(w.BringBackObject(ctx, w.root, p, one)), vault.Conflict,
		"ObjectIsBeingRecovered")
	must(w.BringBackObject(ctx, w.root, p, ref))(t)
	after := must(w.GetSecret(ctx, c, "long", "", nil))(t)
	if after.Version != before.Version || string(after.Value) != "99" {
		t.Errorf("version %s came back as %s", before.Version, after.Version)
	}
	if found := must(w.CompareObject(ctx, w.root, p, ref))(t); found.Is.Versions != 100 {
		t.Errorf("%d versions came back", found.Is.Versions)
	}
}

// stopAfterSteps has transactions fail, all but the first few.
func (w *world) stopAfterSteps(n int) {
	w.replica.refuse = func(fsm.Txn) error {
		if n--; n < 0 {
			return errors.New("the leader is gone")
		}
		return nil
	}
}

// A live object gets what it lacks in steps too: what it has by then is whole, and its newest
// version stays that.
func TestALiveObjectIsCompletedInSteps(t *testing.T) {
	w, c := demo(t)
	for i := range 100 {
		must(w.SetSecret(ctx, c, "long", seal.Plaintext(fmt.Sprint(i)), vault.Change{}))(t)
	}
	p := w.past()
	w.gone(t, c, "long")
	newest := must(w.SetSecret(ctx, c, "long", seal.Plaintext("now"), vault.Change{}))(t)
	ref := vault.ObjectRef{Vault: "demo", Type: "secrets", Name: "long"}
	w.stopAfterSteps(1)
	refused(t, second(w.BringBackObject(ctx, w.root, p, ref)), vault.Unavailable, "OutcomeUnknown")
	w.replica.refuse = nil
	// A new version on another node comes between.
	w.before(func() {
		newest = must(w.SetSecret(ctx, c, "long", seal.Plaintext("newer"), vault.Change{}))(t)
	})
	must(w.BringBackObject(ctx, w.root, p, ref))(t)
	if s := must(w.GetSecret(ctx, c, "long", "", nil))(t); s.Version != newest.Version ||
		string(s.Value) != "newer" {
		t.Errorf("the newest version is %s, %q", s.Version, []byte(s.Value))
	}
	found := must(w.CompareObject(ctx, w.root, p, ref))(t)
	if found.Is.Versions != 102 {
		t.Errorf("it has %d versions", found.Is.Versions)
	}
	for i, v := range found.Versions {
		if v.Is == nil || !v.SameData {
			t.Errorf("version %d is %+v", i, v)
		}
	}
}

// An object that was deleted when the snapshot was taken, and purged since, comes back as it was
// before. So much was in memory at a time that it is not more than a backup may have.
func TestWhatWasDeletedComesBack(t *testing.T) {
	w, c := demo(t)
	s := must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	for range 501 {
		must(w.SetSecret(ctx, c, "many", seal.Plaintext("v"), vault.Change{}))(t)
	}
	must(w.DeleteSecret(ctx, c, "s"))(t)
	p := w.past()
	if err := w.PurgeSecret(ctx, c, "s"); err != nil {
		t.Fatal(err)
	}
	ref := vault.ObjectRef{Vault: "DEMO", Type: "secrets", Name: "s"}
	found := must(w.BringBackObject(ctx, w.root, p, ref))(t)
	if found.Was.State != "deleted" || found.Was.Deletion == nil || found.Is.State != "absent" {
		t.Errorf("%+v", found)
	}
	if got := must(w.GetSecret(ctx, c, "s", "", nil))(t); got.Version != s.Version ||
		got.Attributes != s.Attributes {
		t.Errorf("it came back as %+v", got)
	}
	ref.Name = "many"
	e := refused(t, second(w.CompareObject(ctx, w.root, p, ref)), vault.Invalid, "BadParameter")
	if !strings.Contains(e.Message, "Name one of them") {
		t.Errorf("more than a backup holds: %s", e.Message)
	}
	ref.Version = must(w.GetSecret(ctx, c, "many", "", nil))(t).Version
	if one := must(w.CompareObject(ctx, w.root, p, ref))(t); len(one.Versions) != 1 ||
		one.Was.Versions != 501 {
		t.Errorf("one of many: %+v", one)
	}
}

// Bringing back holds to what it saw: an object that somebody makes meanwhile is not replaced.
func TestNothingIsReplacedByTheWay(t *testing.T) {
	w, c := demo(t)
	old := must(w.SetSecret(ctx, c, "s", seal.Plaintext("then"), vault.Change{}))(t)
	p := w.past()
	w.gone(t, c, "s")
	w.before(func() { must(w.SetSecret(ctx, c, "s", seal.Plaintext("now"), vault.Change{}))(t) })
	ref := vault.ObjectRef{Vault: "demo", Type: "secrets", Name: "s"}
	must(w.BringBackObject(ctx, w.root, p, ref))(t)
	if s := must(w.GetSecret(ctx, c, "s", "", nil))(t); string(s.Value) != "now" {
		t.Errorf("the newest is %q", []byte(s.Value))
	}
	if s := must(w.GetSecret(ctx, c, "s", old.Version, nil))(t); string(s.Value) != "then" {
		t.Errorf("the old one is %q", []byte(s.Value))
	}
}
