package vault_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/seal"
	"keyquorum/vault"
)

func TestVaults(t *testing.T) {
	w := newWorld(t)
	made := must(w.CreateVault(ctx, w.root, "Demo", 7, true))(t)
	if made.Name != "demo" || len(made.ID) != 32 || made.RetentionDays != 7 || !made.PurgeProtection ||
		!made.Created.Equal(w.now) {
		t.Errorf("%+v", made)
	}
	if e := w.usage.last(t); e.Operation != "admin/vaults/create" || e.Vault != "demo" ||
		e.Accessor != w.root.Accessor || e.Status != 200 {
		t.Errorf("recorded %+v", e)
	}
	if got := must(w.GetVault(ctx, w.root, "DEMO"))(t); got != made {
		t.Errorf("%+v", got)
	}
	_, err := w.CreateVault(ctx, w.root, "dEMO", 90, false)
	refused(t, err, vault.Conflict, "VaultAlreadyExists")
	_, err = w.GetVault(ctx, w.root, "none")
	refused(t, err, vault.NotFound, "VaultNotFound")
	if other := must(w.CreateVault(ctx, w.root, "abc", 90, false))(t); other.RetentionDays != 90 {
		t.Errorf("%+v", other)
	}
	list := must(w.ListVaults(ctx, w.root))(t)
	if len(list) != 2 || list[0].Name != "abc" || list[1] != made {
		t.Errorf("%+v", list)
	}
	for _, name := range []string{"", "ab", strings.Repeat("a", 25), "1ab", "a--b", "ab-", "-ab",
		"a_b", "a.b", "a/b", "äbc", "abc\n"} {
		_, err := w.CreateVault(ctx, w.root, name, 90, false)
		refused(t, err, vault.Invalid, "BadParameter")
	}
	for _, days := range []int{-1, 0, 6, 91} {
		_, err := w.CreateVault(ctx, w.root, "other", days, false)
		refused(t, err, vault.Invalid, "BadParameter")
	}
	// Two who make the same vault on one view: one makes it.
	w.before(func() { w.vault("race") })
	_, err = w.CreateVault(ctx, w.root, "race", 90, false)
	refused(t, err, vault.Conflict, "VaultAlreadyExists")
}

func TestApps(t *testing.T) {
	w := newWorld(t)
	a := w.app("Web")
	if a.Name != "Web" || !a.Enabled || len(a.ClientID) != 36 || a.OID == a.ClientID {
		t.Errorf("%+v", a.App)
	}
	if len(a.secret) != 47 || !strings.HasPrefix(string(a.secret), "kqs.") ||
		fmt.Sprint(a.secret) != "[redacted]" {
		t.Errorf("client secret of %d bytes", len(a.secret))
	}
	for _, id := range []string{"web", "WEB", a.ClientID, strings.ToUpper(a.ClientID)} {
		if got := must(w.GetApp(ctx, w.root, id))(t); got.OID != a.OID || len(got.Credentials) != 1 ||
			got.Credentials[0] != a.credential {
			t.Errorf("%s: %+v", id, got)
		}
	}
	_, err := w.CreateApp(ctx, w.root, "wEB")
	refused(t, err, vault.Conflict, "ApplicationAlreadyExists")
	for _, name := range []string{"", "a b", "-a", strings.Repeat("a", 65), "a/b", a.ClientID} {
		_, err := w.CreateApp(ctx, w.root, name)
		refused(t, err, vault.Invalid, "BadParameter")
	}
	_, err = w.GetApp(ctx, w.root, "none")
	refused(t, err, vault.NotFound, "ApplicationNotFound")
	w.app("abc")
	if list := must(w.ListApps(ctx, w.root))(t); len(list) != 2 || list[0].Name != "abc" ||
		list[1].Name != "Web" {
		t.Errorf("%+v", list)
	}
	w.before(func() { w.app("race") })
	_, err = w.CreateApp(ctx, w.root, "RACE")
	refused(t, err, vault.Conflict, "ApplicationAlreadyExists")
}

func TestCredentials(t *testing.T) {
	w := newWorld(t)
	a := w.app("web")
	c, err := w.AddCredential(ctx, w.root, "WEB", time.Hour)
	if err != nil || !c.Expires.Equal(w.now.Add(time.Hour)) || !c.Created.Equal(w.now) ||
		c.ID == a.credential.ID || c.ClientID != a.ClientID {
		t.Fatalf("%+v %v", c, err)
	}
	issue := func(secret seal.Plaintext) error {
		_, _, err := w.IssueToken(ctx,
			vault.TokenRequest{ClientID: a.ClientID, Secret: secret, Audience: zone})
		return err
	}
	if err := errors.Join(issue(c.Secret), issue(a.secret)); err != nil {
		t.Fatal(err)
	}
	if err := w.RemoveCredential(ctx, w.root, "web", a.credential.ID); err != nil {
		t.Fatal(err)
	}
	refused(t, issue(a.secret), vault.Unauthenticated, "invalid_client")
	if err := issue(c.Secret); err != nil {
		t.Error(err)
	}
	refused(t, w.RemoveCredential(ctx, w.root, "web", a.credential.ID), vault.NotFound,
		"CredentialNotFound")
	none, err := w.AddCredential(ctx, w.root, "web", -time.Second)
	refused(t, err, vault.Invalid, "BadParameter")
	if none.Secret != nil {
		t.Error("a secret without a credential")
	}
	for range 15 {
		_, err = w.AddCredential(ctx, w.root, "web", 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.AddCredential(ctx, w.root, "web", 0)
	refused(t, err, vault.Conflict, "TooManyCredentials")
}

func TestGrants(t *testing.T) {
	w := newWorld(t)
	w.vault("demo")
	a := w.app("web")
	g := must(w.SetGrant(ctx, w.root, "Demo", "WEB", []string{"SIGN", "get", "sign"},
		[]string{"All"}))(t)
	if g.OID != a.OID || g.AppName != "web" || !slices.Equal(g.Keys, []string{"get", "sign"}) ||
		!slices.Equal(g.Secrets, []string{"all"}) {
		t.Errorf("%+v", g)
	}
	list := must(w.ListGrants(ctx, w.root, "demo"))(t)
	if len(list) != 1 || fmt.Sprint(list[0]) != fmt.Sprint(g) {
		t.Errorf("%+v", list)
	}
	for _, names := range [][]string{{"set", "nonsense"}, {""}, {"sign"}, {"all", "nonsense"}} {
		_, err := w.SetGrant(ctx, w.root, "demo", "web", nil, names)
		refused(t, err, vault.Invalid, "BadParameter")
	}
	_, err := w.SetGrant(ctx, w.root, "none", "web", nil, nil)
	refused(t, err, vault.NotFound, "VaultNotFound")
	_, err = w.SetGrant(ctx, w.root, "demo", "none", nil, nil)
	refused(t, err, vault.NotFound, "ApplicationNotFound")
	for range 2 { // the second time there is nothing to revoke
		must(w.SetGrant(ctx, w.root, "demo", "web", nil, nil))(t)
		if list := must(w.ListGrants(ctx, w.root, "demo"))(t); len(list) != 0 {
			t.Errorf("%+v", list)
		}
	}
}

// An application goes with all its grants, however many, and what comes after it under its name is
// another.
func TestDeleteApp(t *testing.T) {
	w := newWorld(t)
	a := w.app("web")
	var c vault.Caller
	for i := range 150 {
		name := fmt.Sprintf("v%03d", i)
		w.vault(name)
		w.grant(name, "web", []string{"all"}, []string{"all"})
	}
	c = w.caller(a, "v000")
	must(w.ListSecrets(ctx, c, page))(t)
	if err := w.DeleteApp(ctx, w.root, "web"); err != nil {
		t.Fatal(err)
	}
	if left := append(w.grants(), w.replica.paths("app")...); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	_, err := w.ListSecrets(ctx, c, page)
	refused(t, err, vault.Unauthenticated, vault.TokenRevoked)
	refused(t, w.DeleteApp(ctx, w.root, "web"), vault.NotFound, "ApplicationNotFound")
	again := w.app("web")
	_, err = w.ListSecrets(ctx, w.caller(again, "v000"), page)
	refused(t, err, vault.Forbidden, "ForbiddenByPolicy")
}
