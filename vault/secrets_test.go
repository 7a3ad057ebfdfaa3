package vault_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

var ctx = context.Background()

func TestSetAndGetSecret(t *testing.T) {
	w, c := demo(t)
	set := must(w.SetSecret(ctx, c, "Db-Password", seal.Plaintext("one"), vault.Change{
		Tags: map[string]string{"env": "prod"}, ContentType: ptr("text/plain"),
		Expires: ptr(int64(-5))}))(t)
	again := must(w.SetSecret(ctx, c, "db-password", seal.Plaintext("two"), vault.Change{}))(t)
	if again.Name != "Db-Password" || again.Version == set.Version || len(again.Version) != 32 {
		t.Errorf("second version: %+v", again)
	}

	latest := must(w.GetSecret(ctx, c, "DB-PASSWORD", "", nil))(t)
	if string(latest.Value) != "two" || latest.Version != again.Version || latest.ContentType != "" ||
		latest.Tags != nil {
		t.Errorf("latest: %+v", latest)
	}
	first := must(w.GetSecret(ctx, c, "db-password", set.Version, nil))(t)
	if string(first.Value) != "one" || first.ContentType != "text/plain" ||
		!maps.Equal(first.Tags, map[string]string{"env": "prod"}) {
		t.Errorf("first: %+v", first)
	}
	a := first.Attributes
	if !a.Enabled || *a.Expires != -5 || a.NotBefore != nil || a.Created != w.now.Unix() ||
		a.Updated != w.now.Unix() ||
		a.RecoverableDays != 90 || a.RecoveryLevel != "Recoverable+Purgeable" {
		t.Errorf("attributes: %+v", a)
	}
}

// TestReadAgain reads a version twice, after it has changed, and after another has its name: what is
// remembered of it is of this very record.
func TestReadAgain(t *testing.T) {
	w, c := demo(t)
	room := make([]byte, 0, 1<<10)
	read := func(want, contentType string) {
		t.Helper()
		for range 2 {
			s := must(w.GetSecret(ctx, c, "s", "", room))(t)
			if string(s.Value) != want || s.ContentType != contentType {
				t.Errorf("%q of type %q, want %q of type %q", []byte(s.Value), s.ContentType, want,
					contentType)
			}
			if &s.Value[0] != &room[:cap(room)][cap(room)-cap(s.Value)] {
				t.Error("the value is not in the caller's room")
			}
		}
	}
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("one"), vault.Change{ContentType: ptr("a")}))(t)
	read("one", "a")
	must(w.UpdateSecret(ctx, c, "s", "", vault.Change{ContentType: ptr("b")}))(t)
	read("one", "b")
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("two"), vault.Change{ContentType: ptr("c")}))(t)
	read("two", "c")
	must(w.UpdateSecret(ctx, c, "s", "", vault.Change{Enabled: ptr(false)}))(t)
	_, err := w.GetSecret(ctx, c, "s", "", room)
	refused(t, err, vault.Forbidden, "SecretDisabled")
	must(w.DeleteSecret(ctx, c, "s"))(t)
	if err := w.PurgeSecret(ctx, c, "s"); err != nil {
		t.Fatal(err)
	}
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("three"), vault.Change{}))(t)
	read("three", "")
}

func TestSecretValues(t *testing.T) {
	w, c := demo(t)
	for _, value := range []string{"", "\x00\xff", strings.Repeat("x", 25600)} {
		must(w.SetSecret(ctx, c, "s", seal.Plaintext(value), vault.Change{}))(t)
		if got := must(w.GetSecret(ctx, c, "s", "", nil))(t); !bytes.Equal(got.Value, []byte(value)) ||
			got.Value == nil {
			t.Errorf("a value of %d bytes came back as %d (nil: %v)", len(value), len(got.Value),
				got.Value == nil)
		}
	}
	_, err := w.SetSecret(ctx, c, "s", make(seal.Plaintext, 25601), vault.Change{})
	refused(t, err, vault.Invalid, "BadParameter")
}

// No value is a body that means nothing: said last, after permission and existence (decision 10).
func TestSetWithoutAValueIsRefusedInItsPlace(t *testing.T) {
	w, c := demo(t)
	set := func(name string) error {
		_, err := w.SetSecret(ctx, c, name, nil, vault.Change{})
		return err
	}
	refused(t, set("s"), vault.Invalid, "BadParameter")
	must(w.SetSecret(ctx, c, "gone", seal.Plaintext("x"), vault.Change{}))(t)
	must(w.DeleteSecret(ctx, c, "gone"))(t)
	refused(t, set("gone"), vault.Conflict, "ObjectIsDeletedButRecoverable")
	w.grant("demo", "web", nil, []string{"get"})
	refused(t, set("s"), vault.Forbidden, "ForbiddenByPolicy")
}

func TestSecretLimits(t *testing.T) {
	w, c := demo(t)
	tags := func(n int) map[string]string {
		m := map[string]string{}
		for i := range n {
			m[fmt.Sprint(i)] = "v"
		}
		return m
	}
	for name, row := range map[string]struct {
		ch vault.Change
		ok bool
	}{
		"15 tags": {vault.Change{Tags: tags(15)}, true},
		"16 tags": {vault.Change{Tags: tags(16)}, false},
		"tag of 256 runes": {vault.Change{Tags: map[string]string{"k": strings.Repeat("ä", 256)}},
			true},
		"tag of 257 runes": {vault.Change{Tags: map[string]string{"k": strings.Repeat("a", 257)}},
			false},
		"tag name of 257": {vault.Change{Tags: map[string]string{strings.Repeat("a", 257): ""}},
			false},
		"contentType of 255": {vault.Change{ContentType: ptr(strings.Repeat("a", 255))}, true},
		"contentType of 256": {vault.Change{ContentType: ptr(strings.Repeat("a", 256))}, false},
		"exp before nbf":     {vault.Change{NotBefore: ptr(int64(10)), Expires: ptr(int64(9))}, false},
		"exp at nbf":         {vault.Change{NotBefore: ptr(int64(10)), Expires: ptr(int64(10))}, true},
		"times of a broken SDK": {vault.Change{NotBefore: ptr(int64(-1 << 62)),
			Expires: ptr(int64(1 << 62))}, true},
	} {
		_, setErr := w.SetSecret(ctx, c, "s", seal.Plaintext("v"), row.ch)
		must(w.SetSecret(ctx, c, "u", seal.Plaintext("v"), vault.Change{}))(t)
		_, updateErr := w.UpdateSecret(ctx, c, "u", "", row.ch)
		if (setErr == nil) != row.ok || (updateErr == nil) != row.ok {
			t.Errorf("%s: set %v, update %v", name, setErr, updateErr)
		}
	}
}

func TestUpdateSecret(t *testing.T) {
	w, c := demo(t)
	old := must(w.SetSecret(ctx, c, "s", seal.Plaintext("v1"),
		vault.Change{Tags: map[string]string{"a": "b"}, ContentType: ptr("ct")}))(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v2"), vault.Change{}))(t)
	w.now = w.now.Add(time.Minute)

	u := must(w.UpdateSecret(ctx, c, "S", old.Version, vault.Change{Expires: ptr(int64(7))}))(t)
	if u.Value != nil || u.ContentType != "ct" || u.Tags["a"] != "b" || *u.Attributes.Expires != 7 ||
		u.Attributes.Created != w.now.Unix()-60 || u.Attributes.Updated != w.now.Unix() {
		t.Errorf("what was not supplied is kept: %+v", u)
	}
	if got := must(w.GetSecret(ctx, c, "s", old.Version, nil))(t); string(got.Value) != "v1" ||
		*got.Attributes.Expires != 7 {
		t.Errorf("after the update: %+v", got)
	}
	must(w.UpdateSecret(ctx, c, "s", "",
		vault.Change{Enabled: ptr(false), Tags: map[string]string{}}))(t)
	_, err := w.GetSecret(ctx, c, "s", "", nil)
	refused(t, err, vault.Forbidden, "SecretDisabled") // no fallback to the older version
	if got := must(w.GetSecret(ctx, c, "s", old.Version, nil))(t); len(got.Tags) != 1 {
		t.Errorf("another version was changed: %+v", got)
	}
	_, err = w.UpdateSecret(ctx, c, "s", strings.Repeat("0", 32), vault.Change{})
	refused(t, err, vault.NotFound, "SecretNotFound")
	_, err = w.UpdateSecret(ctx, c, "none", "", vault.Change{})
	refused(t, err, vault.NotFound, "SecretNotFound")
}

func TestDeleteRecoverPurgeSecret(t *testing.T) {
	w, c := demo(t)
	set := must(w.SetSecret(ctx, c, "Name", seal.Plaintext("v"),
		vault.Change{Tags: map[string]string{"a": "b"}}))(t)
	w.now = w.now.Add(time.Hour)

	deleted := must(w.DeleteSecret(ctx, c, "name"))(t)
	if d := deleted.Deletion; d == nil || d.Deleted != w.now.Unix() ||
		d.Purge != w.now.Unix()+90*86400 {
		t.Errorf("deletion: %+v", d)
	}
	if deleted.Name != "Name" || deleted.Version != set.Version || deleted.Value != nil ||
		deleted.Tags["a"] != "b" {
		t.Errorf("deleted: %+v", deleted)
	}
	_, err := w.GetSecret(ctx, c, "name", "", nil)
	refused(t, err, vault.NotFound, "SecretNotFound")
	_, err = w.GetSecret(ctx, c, "name", set.Version, nil)
	refused(t, err, vault.NotFound, "SecretNotFound")
	_, err = w.UpdateSecret(ctx, c, "name", "", vault.Change{})
	refused(t, err, vault.NotFound, "SecretNotFound")
	_, err = w.DeleteSecret(ctx, c, "name")
	refused(t, err, vault.NotFound, "SecretNotFound")
	_, err = w.SetSecret(ctx, c, "NAME", seal.Plaintext("w"), vault.Change{})
	if e := refused(t, err, vault.Conflict, "ObjectIsDeletedButRecoverable"); e.Code != "Conflict" {
		t.Errorf("code %s", e.Code)
	}
	got := must(w.GetDeletedSecret(ctx, c, "name"))(t)
	if *got.Deletion != *deleted.Deletion || got.Version != set.Version {
		t.Errorf("deleted secret: %+v", got)
	}

	w.now = w.now.Add(time.Hour)
	back := must(w.RecoverSecret(ctx, c, "name"))(t)
	if back.Deletion != nil || back.Version != set.Version ||
		back.Attributes.Updated != set.Attributes.Updated {
		t.Errorf("recovered: %+v", back)
	}
	if got := must(w.GetSecret(ctx, c, "name", "", nil))(t); string(got.Value) != "v" {
		t.Errorf("after recovery: %+v", got)
	}
	_, err = w.RecoverSecret(ctx, c, "name")
	refused(t, err, vault.NotFound, "SecretNotFound")
	_, err = w.GetDeletedSecret(ctx, c, "name")
	refused(t, err, vault.NotFound, "SecretNotFound")
	refused(t, w.PurgeSecret(ctx, c, "name"), vault.NotFound, "SecretNotFound")

	must(w.DeleteSecret(ctx, c, "name"))(t)
	if err := w.PurgeSecret(ctx, c, "name"); err != nil {
		t.Fatal(err)
	}
	refused(t, w.PurgeSecret(ctx, c, "name"), vault.NotFound, "SecretNotFound")
	if left := w.objects(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if s := must(w.SetSecret(ctx, c, "NAME", seal.Plaintext("new"),
		vault.Change{}))(t); s.Name != "NAME" {
		t.Errorf("a purged name keeps its spelling: %s", s.Name)
	}
}

func TestDisabledDeletedSecret(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{Enabled: ptr(false)}))(t)
	must(w.DeleteSecret(ctx, c, "s"))(t)
	_, err := w.GetDeletedSecret(ctx, c, "s")
	refused(t, err, vault.Forbidden, "AccessDenied")
	if page := must(w.ListDeletedSecrets(ctx, c,
		vault.PageRequest{Max: 25}))(t); len(page.Items) != 1 {
		t.Errorf("%+v", page)
	}
}

func TestPurgeProtection(t *testing.T) {
	w, c := demo(t)
	must(w.CreateVault(ctx, w.root, "safe", 7, true))(t)
	w.grant("safe", "web", nil, []string{"all"})
	c.Vault = "safe"
	s := must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	if s.Attributes.RecoveryLevel != "CustomizedRecoverable" || s.Attributes.RecoverableDays != 7 {
		t.Errorf("%+v", s.Attributes)
	}
	refused(t, w.PurgeSecret(ctx, c, "s"), vault.NotFound, "SecretNotFound")
	must(w.DeleteSecret(ctx, c, "s"))(t)
	refused(t, w.PurgeSecret(ctx, c, "s"), vault.Forbidden, "Forbidden")
}

// A purge that stopped half way leaves a name that nothing but another purge can use.
func TestPurgeInSteps(t *testing.T) {
	w, c := demo(t)
	const versions = 150
	for i := range versions {
		must(w.SetSecret(ctx, c, "s", seal.Plaintext(fmt.Sprint(i)), vault.Change{}))(t)
	}
	must(w.DeleteSecret(ctx, c, "s"))(t)
	steps := 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == 2 {
			return cluster.ErrUnavailable
		}
		return nil
	}
	if e := refused(t, w.PurgeSecret(ctx, c, "s"), vault.Unavailable,
		"OutcomeUnknown"); !strings.Contains(e.Message, "may have happened") {
		t.Errorf("after its first step: %s", e.Message)
	}
	_, err := w.RecoverSecret(ctx, c, "s")
	refused(t, err, vault.NotFound, "SecretNotFound")
	_, err = w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
	refused(t, err, vault.Conflict, "ObjectIsBeingDeleted")
	_, err = w.GetDeletedSecret(ctx, c, "s")
	refused(t, err, vault.NotFound, "SecretNotFound")
	for _, list := range []func() (vault.Page[vault.Secret], error){
		func() (vault.Page[vault.Secret],
			error) {
			return w.ListSecrets(ctx, c, vault.PageRequest{Max: 25})
		},
		func() (vault.Page[vault.Secret], error) {
			return w.ListDeletedSecrets(ctx, c, vault.PageRequest{Max: 25})
		},
	} {
		if page := must(list())(t); len(page.Items) != 0 || page.Next != "" {
			t.Errorf("listed: %+v", page)
		}
	}
	if err := w.PurgeSecret(ctx, c, "s"); err != nil {
		t.Fatal(err)
	}
	if left := w.objects(); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if steps < 4 {
		t.Errorf("%d versions went in %d steps", versions, steps)
	}
}

// Two purges of one name meet: neither says that there was nothing to purge.
func TestPurgeFinishedByAnother(t *testing.T) {
	w, c := demo(t)
	for i := range 70 {
		must(w.SetSecret(ctx, c, "s", seal.Plaintext(fmt.Sprint(i)), vault.Change{}))(t)
	}
	must(w.DeleteSecret(ctx, c, "s"))(t)
	other, steps := w.node(), 0
	w.replica.refuse = func(fsm.Txn) error {
		if steps++; steps == 1 { // the other comes between this step and the next
			w.replica.before = func() {
				if err := other.PurgeSecret(ctx, c, "s"); err != nil {
					t.Error(err)
				}
			}
		}
		return nil
	}
	if err := w.PurgeSecret(ctx, c, "s"); err != nil {
		t.Error(err)
	}
}

// all walks a listing to its end and returns the items, however many pages it takes.
func all(t *testing.T, most int,
	list func(vault.PageRequest) (vault.Page[vault.Secret], error)) (items []vault.Secret) {
	t.Helper()
	p := vault.PageRequest{Max: most}
	for range 1000 {
		page := must(list(p))(t)
		if len(page.Items) > most {
			t.Fatalf("a page of %d items, at most %d were asked for", len(page.Items), most)
		}
		items = append(items, page.Items...)
		if p.After = page.Next; p.After == "" {
			return items
		}
	}
	t.Fatal("a listing without an end")
	return nil
}

func TestListSecrets(t *testing.T) {
	w, c := demo(t)
	names := []string{"a", "a-b", "A0", "B", "z"}
	for _, name := range names {
		for range 3 {
			must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{ContentType: ptr(name)}))(t)
		}
	}
	must(w.SetSecret(ctx, c, "gone", seal.Plaintext("v"), vault.Change{}))(t)
	must(w.DeleteSecret(ctx, c, "gone"))(t)
	for most := 1; most <= 25; most++ {
		items := all(t, most, func(p vault.PageRequest) (vault.Page[vault.Secret],
			error) {
			return w.ListSecrets(ctx, c, p)
		})
		var got []string
		for _, s := range items {
			if s.Value != nil || s.ContentType != s.Name || s.Deletion != nil {
				t.Fatalf("item: %+v", s)
			}
			got = append(got, s.Name)
		}
		if !slices.Equal(got, names) {
			t.Fatalf("by %d: %v", most, got)
		}
	}
	deleted := all(t, 1, func(p vault.PageRequest) (vault.Page[vault.Secret],
		error) {
		return w.ListDeletedSecrets(ctx, c, p)
	})
	if len(deleted) != 1 || deleted[0].Name != "gone" || deleted[0].Deletion == nil {
		t.Errorf("deleted: %+v", deleted)
	}
}

// A listing of few among many looks at those alone.
func TestListFewAmongMany(t *testing.T) {
	w, c := demo(t)
	for i := range 600 {
		must(w.SetSecret(ctx, c, fmt.Sprintf("s%03d", i), seal.Plaintext("v"), vault.Change{}))(t)
	}
	must(w.DeleteSecret(ctx, c, "s599"))(t)
	first := must(w.ListDeletedSecrets(ctx, c, vault.PageRequest{Max: 25}))(t)
	if len(first.Items) != 1 || first.Next != "" {
		t.Errorf("first page: %d items, next %q", len(first.Items), first.Next)
	}
	w.unindex(t, "demo") // as a vault from before there were indexes: pages may come short
	first = must(w.ListDeletedSecrets(ctx, c, vault.PageRequest{Max: 25}))(t)
	if len(first.Items) != 0 || first.Next == "" {
		t.Errorf("first page: %d items, next %q", len(first.Items), first.Next)
	}
	items := all(t, 25, func(p vault.PageRequest) (vault.Page[vault.Secret], error) {
		return w.ListDeletedSecrets(ctx, c, p)
	})
	if len(items) != 1 {
		t.Errorf("%d items", len(items))
	}
}

func TestListSecretVersions(t *testing.T) {
	w, c := demo(t)
	var versions []string
	for range 7 {
		versions = append(versions,
			must(w.SetSecret(ctx, c, "Name", seal.Plaintext("v"), vault.Change{}))(t).Version)
	}
	must(w.SetSecret(ctx, c, "name-2", seal.Plaintext("v"), vault.Change{}))(t)
	slices.Sort(versions)
	for most := 1; most <= 8; most++ {
		items := all(t, most, func(p vault.PageRequest) (vault.Page[vault.Secret], error) {
			return w.ListSecretVersions(ctx, c, "name", p)
		})
		if got := sorted(items, func(s vault.Secret) string { return s.Version }); !slices.Equal(got,
			versions) {
			t.Errorf("by %d: %v", most, got)
		}
		if items[0].Name != "Name" || items[0].Value != nil {
			t.Errorf("%+v", items[0])
		}
	}
	for _, name := range []string{"unknown", "name"} {
		if name == "name" {
			must(w.DeleteSecret(ctx, c, name))(t)
		}
		if page := must(w.ListSecretVersions(ctx, c, name,
			vault.PageRequest{Max: 25}))(t); len(page.Items) != 0 || page.Next != "" {
			t.Errorf("%s: %+v", name, page)
		}
	}
}

func TestPageRequests(t *testing.T) {
	w, c := demo(t)
	for _, name := range []string{"a", "b"} {
		must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(t)
		must(w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{}))(t)
	}
	live := must(w.ListSecrets(ctx, c, vault.PageRequest{Max: 1}))(t).Next
	versions := must(w.ListSecretVersions(ctx, c, "a", vault.PageRequest{Max: 1}))(t).Next
	if live == "" || versions == "" {
		t.Fatal("no token where there is more")
	}
	for _, p := range []vault.PageRequest{{Max: 0}, {Max: 26}, {Max: -1}, {After: "x", Max: 1},
		{After: live + "A", Max: 1}, {After: live + "\n", Max: 1},
		{After: versions, Max: 1}, {After: strings.Repeat("A", 4096), Max: 1}, {After: "AXNs", Max: 1},
		{After: "AWtsYQ", Max: 1}} {
		_, err := w.ListSecrets(ctx, c, p)
		refused(t, err, vault.Invalid, "BadParameter")
	}
	_, err := w.ListSecretVersions(ctx, c, "a", vault.PageRequest{After: live, Max: 1})
	refused(t, err, vault.Invalid, "BadParameter")
	_, err = w.ListDeletedSecrets(ctx, c, vault.PageRequest{After: live, Max: 1})
	refused(t, err, vault.Invalid, "BadParameter")
	_, err = w.ListKeys(ctx, c, vault.PageRequest{After: live, Max: 1})
	refused(t, err, vault.Invalid, "BadParameter")
}
