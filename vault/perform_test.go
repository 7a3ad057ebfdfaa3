package vault_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault"
)

// A verbCase is a verb of the application plane, called in a way that is allowed if the permission
// is there.
type verbCase struct {
	operation string
	keys      string // the permission it needs, of one of the two collections
	secrets   string
	call      func(w *world, c vault.Caller, name string) error
}

// unnamed says that a verb is about no name that the caller gives.
func (v verbCase) unnamed() bool {
	return strings.HasSuffix(v.operation, "/list") || strings.HasSuffix(v.operation, "/listdeleted") ||
		strings.HasSuffix(v.operation, "/restore")
}

var page = vault.PageRequest{Max: 25}

// verbs are all verbs, but for random bytes, which take any permission. A new one needs a line
// here.
var verbs = []verbCase{
	{"secrets/set", "", "set", func(w *world, c vault.Caller, name string) error {
		_, err := w.SetSecret(ctx, c, name, seal.Plaintext("v"), vault.Change{})
		return err
	}},
	{"secrets/get", "", "get", func(w *world, c vault.Caller, name string) error {
		_, err := w.GetSecret(ctx, c, name, "", nil)
		return err
	}},
	{"secrets/update", "", "set", func(w *world, c vault.Caller, name string) error {
		_, err := w.UpdateSecret(ctx, c, name, "", vault.Change{})
		return err
	}},
	{"secrets/list", "", "list", func(w *world, c vault.Caller, _ string) error {
		_, err := w.ListSecrets(ctx, c, page)
		return err
	}},
	{"secrets/versions", "", "list", func(w *world, c vault.Caller, name string) error {
		_, err := w.ListSecretVersions(ctx, c, name, page)
		return err
	}},
	{"secrets/delete", "", "delete", func(w *world, c vault.Caller, name string) error {
		_, err := w.DeleteSecret(ctx, c, name)
		return err
	}},
	{"secrets/getdeleted", "", "get", func(w *world, c vault.Caller, name string) error {
		_, err := w.GetDeletedSecret(ctx, c, name)
		return err
	}},
	{"secrets/listdeleted", "", "list", func(w *world, c vault.Caller, _ string) error {
		_, err := w.ListDeletedSecrets(ctx, c, page)
		return err
	}},
	{"secrets/recover", "", "recover", func(w *world, c vault.Caller, name string) error {
		_, err := w.RecoverSecret(ctx, c, name)
		return err
	}},
	{"secrets/purge", "", "purge",
		func(w *world, c vault.Caller, name string) error { return w.PurgeSecret(ctx, c, name) }},
	{"secrets/backup", "", "backup", func(w *world, c vault.Caller, name string) error {
		_, err := w.BackupSecret(ctx, c, name)
		return err
	}},
	{"secrets/restore", "", "restore", func(w *world, c vault.Caller, _ string) error {
		_, err := w.RestoreSecret(ctx, c, nil)
		return err
	}},
	{"keys/backup", "backup", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.BackupKey(ctx, c, name)
		return err
	}},
	{"keys/restore", "restore", "", func(w *world, c vault.Caller, _ string) error {
		_, err := w.RestoreKey(ctx, c, nil)
		return err
	}},
	{"keys/import", "import", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.ImportKey(ctx, c, name, &vault.JWK{Kty: "oct", K: make([]byte, 16)}, vault.Change{})
		return err
	}},
	{"keys/rotate", "rotate", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.RotateKey(ctx, c, name)
		return err
	}},
	{"keys/getrotationpolicy", "getrotationpolicy", "",
		func(w *world, c vault.Caller, name string) error {
			_, err := w.GetRotationPolicy(ctx, c, name)
			return err
		}},
	{"keys/setrotationpolicy", "setrotationpolicy", "",
		func(w *world, c vault.Caller, name string) error {
			_, err := w.SetRotationPolicy(ctx, c, name, vault.RotationPolicy{})
			return err
		}},
	{"keys/release", "release", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.ReleaseKey(ctx, c, name, "", vault.ReleaseRequest{})
		return err
	}},
	{"keys/create", "create", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC"}, vault.Change{})
		return err
	}},
	{"keys/get", "get", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.GetKey(ctx, c, name, "")
		return err
	}},
	{"keys/update", "update", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.UpdateKey(ctx, c, name, "", vault.Change{})
		return err
	}},
	{"keys/list", "list", "", func(w *world, c vault.Caller, _ string) error {
		_, err := w.ListKeys(ctx, c, page)
		return err
	}},
	{"keys/versions", "list", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.ListKeyVersions(ctx, c, name, page)
		return err
	}},
	{"keys/delete", "delete", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.DeleteKey(ctx, c, name)
		return err
	}},
	{"keys/getdeleted", "get", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.GetDeletedKey(ctx, c, name)
		return err
	}},
	{"keys/listdeleted", "list", "", func(w *world, c vault.Caller, _ string) error {
		_, err := w.ListDeletedKeys(ctx, c, page)
		return err
	}},
	{"keys/recover", "recover", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.RecoverKey(ctx, c, name)
		return err
	}},
	{"keys/purge", "purge", "",
		func(w *world, c vault.Caller, name string) error { return w.PurgeKey(ctx, c, name) }},
	{"keys/sign", "sign", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.Sign(ctx, c, name, "", "ES256", make([]byte, 32))
		return err
	}},
	{"keys/verify", "verify", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.Verify(ctx, c, name, "", "ES256", make([]byte, 32), make([]byte, 64))
		return err
	}},
	{"keys/encrypt", "encrypt", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.Encrypt(ctx, c, name, "", "RSA-OAEP", vault.Cipher{Value: []byte("m")})
		return err
	}},
	{"keys/decrypt", "decrypt", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.Decrypt(ctx, c, name, "", "RSA-OAEP", vault.Cipher{Value: make([]byte, 256)})
		return err
	}},
	{"keys/wrapKey", "wrapKey", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.WrapKey(ctx, c, name, "", "RSA-OAEP", vault.Cipher{Value: []byte("m")})
		return err
	}},
	{"keys/unwrapKey", "unwrapKey", "", func(w *world, c vault.Caller, name string) error {
		_, err := w.UnwrapKey(ctx, c, name, "", "RSA-OAEP", vault.Cipher{Value: make([]byte, 256)})
		return err
	}},
}

var keyPermissions = strings.Fields("get list update create import delete backup restore recover purge encrypt decrypt unwrapKey wrapKey verify sign release rotate getrotationpolicy setrotationpolicy")
var secretPermissions = strings.Fields("get list set delete backup restore recover purge")

// Each verb is allowed by its own permission and by none of the others.
func TestPermissionMatrix(t *testing.T) {
	w := newWorld(t)
	w.vault("demo")
	c := w.caller(w.app("web"), "demo")
	permitted := func(keys, secrets []string, allowed func(verbCase) bool) {
		t.Helper()
		w.grant("demo", "web", keys, secrets)
		for _, v := range verbs {
			var e *vault.Error
			err := v.call(w, c, "nothing-here")
			denied := errors.As(err, &e) && e.Inner == "ForbiddenByPolicy"
			if denied == allowed(v) {
				t.Errorf("%s with keys %v and secrets %v: %v", v.operation, keys, secrets, err)
			}
			if denied && !strings.Contains(e.Message,
				fmt.Sprintf("appid=%s;oid=%s;iss=https://sts.keyquorum/c0ffee/'", c.Identity.AppID,
					c.Identity.OID)) {
				t.Errorf("%s: %s", v.operation, e.Message)
			}
		}
	}
	permitted(nil, nil, func(verbCase) bool { return false })
	for _, p := range keyPermissions {
		permitted([]string{p}, nil, func(v verbCase) bool { return v.keys == p })
	}
	for _, p := range secretPermissions {
		permitted(nil, []string{p}, func(v verbCase) bool { return v.secrets == p })
	}
	permitted([]string{"all"}, nil, func(v verbCase) bool { return v.keys != "" })
	permitted(nil, []string{"ALL"}, func(v verbCase) bool { return v.secrets != "" })
	permitted([]string{"WRAPKEY", "get", "get"}, []string{"Get"}, func(v verbCase) bool {
		return v.keys == "wrapKey" || v.keys == "get" || v.secrets == "get"
	})
}

// Decision 10: the principal, the vault, the name, the permission, and only then what exists. Every
// refusal is recorded once.
func TestOrderOfChecks(t *testing.T) {
	w, good := demo(t)
	w.vault("other") // where the caller may do nothing
	stranger := good
	stranger.Identity.Credential = "none"
	for _, v := range verbs {
		for _, row := range []struct {
			why    string
			caller vault.Caller
			vault  string
			name   string
			kind   vault.Kind
			code   string
		}{
			{"everything wrong", stranger, "no-vault", "bad name", vault.Unauthenticated,
				vault.TokenRevoked},
			{"all but the token wrong", good, "no-vault", "bad name", vault.NotFound, "VaultNotFound"},
			{"not a vault's name", good, "../sys", "bad name", vault.NotFound, "VaultNotFound"},
			{"name and permission wrong", good, "other", "bad name", vault.Invalid, "BadParameter"},
			{"permission wrong, nothing there", good, "other", "nothing", vault.Forbidden,
				"ForbiddenByPolicy"},
		} {
			if v.unnamed() && row.kind == vault.Invalid {
				continue // it has no name
			}
			w.usage.forget()
			row.caller.Vault = row.vault
			err := v.call(w, row.caller, row.name)
			if e := new(vault.Error); !errors.As(err, &e) || e.Kind != row.kind || codeOf(e) != row.code {
				t.Errorf("%s, %s: %v", v.operation, row.why, err)
			}
			lines := w.usage.lines(t)
			if len(lines) != 1 || lines[0].Operation != v.operation ||
				lines[0].Status != row.kind.Status() || lines[0].Code != row.code ||
				lines[0].Vault != row.vault || lines[0].OID != good.Identity.OID || lines[0].Plane != "app" {
				t.Errorf("%s, %s: recorded %+v", v.operation, row.why, lines)
			}
		}
	}
}

// After the permission comes what exists (404, 409), then its state (403), then what the body means
// (400).
func TestOrderOfRefusalsInside(t *testing.T) {
	w, c := demo(t)
	long := make(seal.Plaintext, 25601)
	bad := vault.Change{NotBefore: ptr(int64(2)), Expires: ptr(int64(1))}
	_, err := w.UpdateSecret(ctx, c, "s", "", bad)
	refused(t, err, vault.NotFound, "SecretNotFound")
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	must(w.DeleteSecret(ctx, c, "s"))(t)
	_, err = w.SetSecret(ctx, c, "s", long, bad)
	refused(t, err, vault.Conflict, "ObjectIsDeletedButRecoverable")
	_, err = w.SetSecret(ctx, c, "t", long, bad)
	refused(t, err, vault.Invalid, "BadParameter")
	_, err = w.GetSecret(ctx, c, "s", "ABC", nil)
	refused(t, err, vault.Invalid, "BadParameter")
}

func TestUsageOfSuccess(t *testing.T) {
	w, c := demo(t)
	s := must(w.SetSecret(ctx, c, "Name", seal.Plaintext("v"), vault.Change{}))(t)
	want := use{Plane: "app", OID: c.Identity.OID, AppID: c.Identity.AppID, Operation: "secrets/set",
		Vault: "demo", Object: "name", Version: s.Version, Status: 200}
	if got := w.usage.last(t); got != want {
		t.Errorf("recorded %+v, want %+v", got, want)
	}
	must(w.GetSecret(ctx, c, "nAME", "", nil))(t)
	want.Operation = "secrets/get"
	if got := w.usage.last(t); got != want {
		t.Errorf("recorded %+v, want %+v", got, want)
	}
	if n := len(w.usage.lines(t)); n != 2 {
		t.Errorf("%d records of two requests", n)
	}
}

// Two writers who decide on the same view: the second decides again and its outcome is as if it had
// come later.
func TestConflictIsDecidedAgain(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("one"), vault.Change{}))(t)
	w.before(func() { must(w.SetSecret(ctx, c, "S", seal.Plaintext("two"), vault.Change{}))(t) })
	three := must(w.SetSecret(ctx, c, "s", seal.Plaintext("three"), vault.Change{}))(t)
	if got := must(w.GetSecret(ctx, c, "s", "", nil))(t); got.Version != three.Version ||
		string(got.Value) != "three" {
		t.Errorf("latest: %+v", got)
	}
	if p := must(w.ListSecretVersions(ctx, c, "s", page))(t); len(p.Items) != 3 {
		t.Errorf("%d versions", len(p.Items))
	}
	w.before(func() { must(w.DeleteSecret(ctx, c, "s"))(t) })
	_, err := w.SetSecret(ctx, c, "s", seal.Plaintext("four"), vault.Change{})
	refused(t, err, vault.Conflict, "ObjectIsDeletedButRecoverable")

	w.before(func() { must(w.SetSecret(ctx, c, "new", seal.Plaintext("one"), vault.Change{}))(t) })
	must(w.SetSecret(ctx, c, "NEW", seal.Plaintext("two"), vault.Change{}))(t)
	if p := must(w.ListSecretVersions(ctx, c, "new", page))(t); len(p.Items) != 2 ||
		p.Items[0].Name != "new" {
		t.Errorf("%+v", p.Items)
	}
}

// Writers of one object stand in line on their node, so that only nodes meet: nobody gives up.
func TestConcurrentWritersLoseNothing(t *testing.T) {
	w, c := demo(t)
	nodes := []*vault.Vaults{w.node(), w.node(), w.node()}
	var wg sync.WaitGroup
	set := make(chan string, 256)
	for i := range 64 {
		wg.Go(func() {
			for range 4 {
				s, err := nodes[i%3].SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
				if err != nil {
					t.Error(err)
					return
				}
				set <- s.Version
			}
		})
	}
	wg.Wait()
	close(set)
	stored := map[string]bool{}
	for _, s := range all(t, 25, func(p vault.PageRequest) (vault.Page[vault.Secret], error) {
		return w.ListSecretVersions(ctx, c, "s", p)
	}) {
		stored[s.Version] = true
	}
	n := 0
	for version := range set {
		if n++; !stored[version] {
			t.Errorf("version %s was acknowledged and is not there", version)
		}
	}
	if n != len(stored) {
		t.Errorf("%d acknowledged, %d stored", n, len(stored))
	}
}

// Writers of one object on one node never meet: each decides when those before it have been
// applied.
func TestWritersOfANodeStandInLine(t *testing.T) {
	w, c := demo(t)
	commits := 0
	w.replica.refuse = func(fsm.Txn) error {
		commits++
		time.Sleep(time.Millisecond) // others come meanwhile
		return nil
	}
	var writers sync.WaitGroup
	for i := range 20 {
		writers.Go(func() {
			_, err := w.SetSecret(ctx, c, []string{"s", "S"}[i%2], seal.Plaintext("v"), vault.Change{})
			if err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	if commits != 20 {
		t.Errorf("20 writes took %d transactions", commits)
	}
	expired, cancel := context.WithCancel(ctx)
	cancel()
	leave := w.HoldLine(c, "s")
	_, err := w.SetSecret(expired, c, "s", seal.Plaintext("v"), vault.Change{})
	refused(t, err, vault.Unavailable, "Busy")
	if w.usage.last(t).Code != "Busy" {
		t.Errorf("recorded %+v", w.usage.last(t))
	}
	must(w.SetSecret(ctx, c, "another", seal.Plaintext("v"), vault.Change{}))(t)
	leave()
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	if n := w.InLine(); n != 0 {
		t.Errorf("%d lines are left", n)
	}
}

// Whoever always meets another gives up after a while: 503 for applications, which retry it, 409
// for operators.
func TestContention(t *testing.T) {
	w, c := demo(t)
	inside := false
	attempts := 0
	w.replica.refuse = func(fsm.Txn) error {
		if inside {
			return nil
		}
		inside = true
		defer func() { inside = false }()
		attempts++
		w.elsewhere(func() {
			must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
			must(w.SetAppEnabled(ctx, w.root, "web", true))(t)
		})
		return nil
	}
	_, err := w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
	if e := refused(t, err, vault.Unavailable, "Contended"); e.RetryAfter != time.Second ||
		attempts != 64 {
		t.Errorf("%+v after %d attempts", e, attempts)
	}
	_, err = w.SetAppEnabled(ctx, w.root, "web", false)
	refused(t, err, vault.Conflict, "Contended")
}

// The steps of one long purge don't count as attempts, but whoever meets another at every step
// gives up all the same.
func TestContentionInSteps(t *testing.T) {
	w, c := demo(t)
	for range 200 {
		must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	}
	must(w.DeleteSecret(ctx, c, "s"))(t)
	inside, attempts := false, 0
	w.replica.refuse = func(fsm.Txn) error {
		if inside {
			return nil
		}
		if attempts++; attempts > 1000 {
			return context.DeadlineExceeded
		}
		inside = true
		defer func() { inside = false }()
		w.elsewhere(func() { must(w.SetAppEnabled(ctx, w.root, "web", true))(t) })
		return nil
	}
	refused(t, w.PurgeSecret(ctx, c, "s"), vault.Unavailable, "Contended")
	if attempts != 64 {
		t.Errorf("%d attempts", attempts)
	}
}

// A token speaks for one application: its client id and its object id together.
func TestIdentityOfTwoApplications(t *testing.T) {
	w, c := demo(t)
	other := w.app("other")
	w.grant("demo", "other", nil, []string{"all"})
	c.Identity.OID = other.OID
	_, err := w.ListSecrets(ctx, c, page)
	refused(t, err, vault.Unauthenticated, vault.TokenRevoked)
}

// I2: what allowed a write is among its conditions. Each of these happens after the decision and
// before the commit.
func TestRevokedBetweenDecisionAndCommit(t *testing.T) {
	for why, row := range map[string]struct {
		revoke func(t *testing.T, w *world, a app)
		kind   vault.Kind
		code   string
	}{
		"grant": {func(t *testing.T, w *world, _ app) {
			w.grant("demo", "web", []string{"get"},
				[]string{"get"})
		}, vault.Forbidden, "ForbiddenByPolicy"},
		"all grants": {func(t *testing.T, w *world, _ app) { w.grant("demo", "web", nil, nil) },
			vault.Forbidden, "ForbiddenByPolicy"},
		"credential": {func(t *testing.T, w *world, a app) {
			if err := w.RemoveCredential(ctx, w.root, "web", a.credential.ID); err != nil {
				t.Fatal(err)
			}
		}, vault.Unauthenticated, vault.TokenRevoked},
		"enabled": {func(t *testing.T, w *world, _ app) {
			must(w.SetAppEnabled(ctx, w.root, "web",
				false))(t)
		}, vault.Unauthenticated, vault.TokenRevoked},
		"application": {func(t *testing.T, w *world, _ app) {
			if err := w.DeleteApp(ctx, w.root, "web"); err != nil {
				t.Fatal(err)
			}
		}, vault.Unauthenticated, vault.TokenRevoked},
	} {
		t.Run(why, func(t *testing.T) {
			w := newWorld(t)
			w.vault("demo")
			a := w.app("web")
			w.grant("demo", "web", []string{"all"}, []string{"all"})
			c := w.caller(a, "demo")
			w.before(func() { row.revoke(t, w, a) })
			_, err := w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
			refused(t, err, row.kind, row.code)
			if paths := w.objects(); len(paths) > 0 {
				t.Errorf("something was written: %v", paths)
			}
		})
	}
}

// A credential that ends takes its tokens with it.
func TestCredentialEnds(t *testing.T) {
	w, c := demo(t)
	made, err := w.AddCredential(ctx, w.root, "web", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	short := w.caller(app{App: must(w.GetApp(ctx, w.root, "web"))(t), secret: made.Secret}, "demo")
	must(w.ListSecrets(ctx, short, page))(t)
	w.now = w.now.Add(time.Minute)
	_, err = w.ListSecrets(ctx, short, page)
	refused(t, err, vault.Unauthenticated, vault.TokenRevoked)
	must(w.ListSecrets(ctx, c, page))(t)
}

// A refusal that an old copy gives is drawn again from a current one.
func TestRefusalFromAnOldView(t *testing.T) {
	w, c := demo(t)
	old := w.replica.View()
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	w.replica.stale = &old // there is no such secret in it
	must(w.DeleteSecret(ctx, c, "s"))(t)

	w.replica.stale = &old
	w.replica.unfence = cluster.ErrUnavailable
	_, err := w.RecoverSecret(ctx, c, "s")
	if e := refused(t, err, vault.Unavailable, "NoLeader"); e.RetryAfter != time.Second {
		t.Errorf("%+v", e)
	}
	// A write that is allowed on an old view is a conflict, never a write on top of what it did not
	// see.
	w.replica.unfence = nil
	w.replica.stale = &old
	_, err = w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
	refused(t, err, vault.Conflict, "ObjectIsDeletedButRecoverable")
}

func TestClusterErrors(t *testing.T) {
	w, c := demo(t)
	for _, row := range []struct {
		err  error
		code string
	}{
		{cluster.ErrUnavailable, "NoLeader"}, {cluster.ErrBusy, "Busy"},
		{cluster.ErrDiverged, "NotServing"}, {cluster.ErrRemoved, "NotServing"},
		{cluster.ErrUnknown, "OutcomeUnknown"},
		{fmt.Errorf("forward: %w", context.DeadlineExceeded), "Timeout"}, {seal.ErrSealed, "Sealed"},
	} {
		w.replica.refuse = func(fsm.Txn) error { return row.err }
		_, err := w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
		e := refused(t, err, vault.Unavailable, row.code)
		if e.Code != "ServiceUnavailable" || e.RetryAfter != time.Second {
			t.Errorf("%+v", e)
		}
		if unknown := row.err == cluster.ErrUnknown; unknown != strings.Contains(e.Message,
			"may have happened") {
			t.Errorf("%v: %s", row.err, e.Message)
		}
		if got := w.usage.last(t); got.Code != row.code || got.Status != 503 {
			t.Errorf("recorded %+v", got)
		}
	}
	w.replica.unfence = cluster.ErrBusy
	_, err := w.GetSecret(ctx, c, "s", "", nil)
	refused(t, err, vault.Unavailable, "Busy")
	w.replica.unfence = errors.New("something else")
	_, err = w.GetSecret(ctx, c, "s", "", nil)
	refused(t, err, vault.Internal, "InternalServerError")
}

// I4: what was drawn too long ago does not leave. What has changed the state is answered.
func TestLateAnswerIsRefused(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	w.replica.late.Store(1)
	_, err := w.GetSecret(ctx, c, "s", "", nil)
	if e := refused(t, err, vault.Unavailable, "Stalled"); e.RetryAfter != time.Second {
		t.Errorf("%+v", e)
	}
	if got := w.usage.last(t); got.Status != 200 {
		t.Errorf("what was decided is recorded as %+v", got)
	}
	w.replica.late.Store(1)
	_, err = w.GetVault(ctx, w.root, "demo")
	refused(t, err, vault.Unavailable, "Stalled")
	w.replica.late.Store(1)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("w"), vault.Change{}))(t)
	w.replica.late.Store(0)
	must(w.GetSecret(ctx, c, "s", "", nil))(t)
}

// I10: what can't be recorded is not answered.
func TestUsageRecordFails(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	w.usage.failWith(errors.New("disk full"))
	s, err := w.GetSecret(ctx, c, "s", "", nil)
	if e := refused(t, err, vault.Internal, "UsageRecordFailed"); s.Value != nil ||
		strings.Contains(e.Message, "may have happened") {
		t.Errorf("%+v, %s", s, e.Message)
	}
	s, err = w.SetSecret(ctx, c, "s", seal.Plaintext("w"), vault.Change{})
	if e := refused(t, err, vault.Internal, "UsageRecordFailed"); s.Value != nil ||
		!strings.Contains(e.Message, "may have happened") {
		t.Errorf("%+v, %s", s, e.Message)
	}
	_, err = w.CreateVault(ctx, w.root, "more", 90, false)
	if e := refused(t, err, vault.Internal, "UsageRecordFailed"); !strings.Contains(e.Message,
		"may have happened") {
		t.Errorf("%s", e.Message)
	}
	_, err = w.GetSecret(ctx, c, "none", "", nil)
	refused(t, err, vault.Internal, "UsageRecordFailed")
	_, _, err = w.IssueToken(ctx, vault.TokenRequest{ClientID: c.Identity.AppID, Audience: zone})
	refused(t, err, vault.Internal, "UsageRecordFailed")
}

// I7: nothing is answered after Close, whatever was remembered before.
func TestClosed(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "k", vault.KeySpec{Kty: "EC"}, vault.Change{}))(t)
	token := w.signIn(app{App: must(w.GetApp(ctx, w.root, "web"))(t), secret: mustSecret(t, w)})
	must(w.Sign(ctx, c, "k", "", "ES256", make([]byte, 32)))(t)
	w.Close()
	for _, v := range verbs {
		refused(t, v.call(w, c, "s"), vault.Unavailable, "Sealed")
	}
	_, err := w.Authenticate(ctx, []byte(token), zone)
	refused(t, err, vault.Unavailable, "Sealed")
	_, err = w.JWKS()
	refused(t, err, vault.Unavailable, "Sealed")
	_, err = w.AuthenticateOperator(ctx, vault.Request{}, w.token)
	refused(t, err, vault.Unavailable, "Sealed")
	_, err = w.ListVaults(ctx, w.root)
	refused(t, err, vault.Unavailable, "Sealed")
	if err := w.RecordOperation(w.root, "sys/seal", "", "", nil); err != nil {
		t.Errorf("the operation that sealed the node can't be recorded: %v", err)
	}
}

func mustSecret(t *testing.T, w *world) seal.Plaintext {
	t.Helper()
	made, err := w.AddCredential(ctx, w.root, "web", 0)
	if err != nil {
		t.Fatal(err)
	}
	return made.Secret
}

// I8: records of other places, other versions and other bytes are refused, each by name, and give
// no value.
func TestAlteredRecords(t *testing.T) {
	flip := func(i int) func(fsm.Record) []byte {
		return func(r fsm.Record) []byte {
			b := append([]byte{}, r.Value...)
			b[(i+len(b))%len(b)] ^= 1
			return b
		}
	}
	for why, alter := range map[string]func(t *testing.T, w *world, path string, other fsm.Record){
		"a flipped bit in the tag": func(_ *testing.T, w *world, path string,
			_ fsm.Record) {
			w.replica.alter(path, flip(-1))
		},
		"a flipped bit in the head": func(_ *testing.T, w *world, path string,
			_ fsm.Record) {
			w.replica.alter(path, flip(1))
		},
		"cut off": func(_ *testing.T, w *world, path string, _ fsm.Record) {
			w.replica.alter(path, func(r fsm.Record) []byte { return r.Value[:9] })
		},
		"the same at a later version": func(_ *testing.T, w *world, path string, _ fsm.Record) {
			w.replica.alter(path, func(r fsm.Record) []byte { return r.Value })
		},
		"another object's": func(_ *testing.T, w *world, path string, other fsm.Record) {
			w.replica.alter(path, func(fsm.Record) []byte { return other.Value })
		},
		"well sealed nonsense": func(t *testing.T, w *world, path string, _ fsm.Record) {
			w.replica.alter(path, func(r fsm.Record) []byte {
				return must(w.keyring.Seal(nil, path, r.Mod, []byte{2, 0xf6}))(t)
			})
		},
	} {
		t.Run(why, func(t *testing.T) {
			for what := range 4 {
				w, c := demo(t)
				s := must(w.SetSecret(ctx, c, "s", seal.Plaintext("canary-value"), vault.Change{}))(t)
				must(w.SetSecret(ctx, c, "t", seal.Plaintext("other"), vault.Change{}))(t)
				id := must(w.GetVault(ctx, w.root, "demo"))(t).ID
				head := "vault/" + id + "/secret/s"
				path := []string{head, head + "/version/" + s.Version,
					"vault/" + id + "/access/" + c.Identity.OID, "app/" + c.Identity.AppID}[what]
				other, _ := w.replica.View().Get("vault/" + id + "/secret/t")
				alter(t, w, path, other)
				for _, call := range []func() (vault.Secret, error){
					func() (vault.Secret, error) { return w.GetSecret(ctx, c, "s", "", nil) },
					func() (vault.Secret, error) { return w.UpdateSecret(ctx, c, "s", "", vault.Change{}) },
					func() (vault.Secret, error) { return w.DeleteSecret(ctx, c, "s") },
				} {
					got, err := call()
					e := refused(t, err, vault.Internal, "RecordDamaged")
					if got.Value != nil || strings.Contains(e.Message, "canary") ||
						!strings.Contains(e.Message, path) {
						t.Errorf("%+v %s", got, e.Message)
					}
					if last := w.usage.last(t); last.Code != "RecordDamaged" || last.Status != 500 {
						t.Errorf("recorded %+v", last)
					}
				}
			}
		})
	}
}

// Two nodes over the same state: what one grants, revokes or changes, the other knows at once,
// whatever it remembers.
func TestCachesFollowTheState(t *testing.T) {
	w, c := demo(t)
	other := w.node()
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("one"), vault.Change{}))(t)
	for range 3 {
		if got := must(other.GetSecret(ctx, c, "s", "", nil))(t); string(got.Value) != "one" {
			t.Fatalf("%+v", got)
		}
	}
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("two"), vault.Change{}))(t)
	if got := must(other.GetSecret(ctx, c, "s", "", nil))(t); string(got.Value) != "two" {
		t.Errorf("%+v", got)
	}
	w.grant("demo", "web", nil, []string{"set"})
	_, err := other.GetSecret(ctx, c, "s", "", nil)
	refused(t, err, vault.Forbidden, "ForbiddenByPolicy")
	must(w.SetAppEnabled(ctx, w.root, "web", false))(t)
	_, err = other.GetSecret(ctx, c, "s", "", nil)
	refused(t, err, vault.Unauthenticated, vault.TokenRevoked)
}

func BenchmarkGetSecret(b *testing.B) {
	w, c := demo(b)
	must(w.SetSecret(ctx, c, "s", make(seal.Plaintext, 1024), vault.Change{}))(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.GetSecret(ctx, c, "s", "", nil); err != nil {
			b.Fatal(err)
		}
	}
}

// What keeps a core busy waits for its turn, and is decided on a view from after that, or all that
// wait would be answered too late. What does not goes past.
func TestSlowKeysTakeTurns(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "r", rsaSpec, vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "e", ecSpec, vault.Change{}))(t)
	sealed := must(w.Encrypt(ctx, c, "r", "", "RSA-OAEP", vault.Cipher{Value: digest}))(t)
	slow := map[string]func(context.Context) error{
		"sign": func(ctx context.Context) error {
			return second(w.Sign(ctx, c, "r", "", "RS256",
				digest))
		},
		"decrypt": func(ctx context.Context) error {
			return second(w.Decrypt(ctx, c, "r", "", "RSA-OAEP", sealed.Cipher))
		},
		"unwrapKey": func(ctx context.Context) error {
			return second(w.UnwrapKey(ctx, c, "r", "", "RSA-OAEP", sealed.Cipher))
		},
	}
	release := w.HoldTurns()
	must(w.Sign(ctx, c, "e", "", "ES256", digest))(t)
	must(w.Verify(ctx, c, "r", "", "RS256", digest, digest))(t)
	must(w.Encrypt(ctx, c, "r", "", "RSA-OAEP", vault.Cipher{Value: digest}))(t)
	refused(t, second(w.Sign(ctx, c, "nokey", "", "RS256", digest)), vault.NotFound, "KeyNotFound")
	for name, use := range slow {
		expired, cancel := context.WithCancel(ctx)
		cancel()
		refused(t, use(expired), vault.Unavailable, "Busy")
		if last := w.usage.last(t); last.Operation != "keys/"+name || last.Code != "Busy" {
			t.Errorf("%s: recorded %+v", name, last)
		}
	}
	fenced := c
	fenced.Fenced = true
	must(w.Sign(ctx, fenced, "r", "", "RS256",
		digest))(t) // whoever waits for the network waits for no turn,
	w.replica.unleased = true
	must(w.Sign(ctx, c, "r", "", "RS256", digest))(t)
	w.replica.unleased = false
	release()
	w.replica.holding = func() { w.HoldTurns()() } // nor with one
	reads := w.replica.reads.Load()
	for name, use := range slow {
		if err := use(ctx); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if now := w.replica.reads.Load(); now != reads+3 {
		t.Errorf("three uses with a turn at hand took %d views", now-reads)
	}
}

// Whoever waited for a turn sees what came meanwhile.
func TestWhoWaitedForATurnLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, c := demo(t)
		must(w.CreateKey(ctx, c, "r", rsaSpec, vault.Change{}))(t)
		release := w.HoldTurns()
		signed := make(chan error)
		go func() { signed <- second(w.Sign(ctx, c, "r", "", "RS256", digest)) }()
		synctest.Wait() // it has decided, and waits
		must(w.SetAppEnabled(ctx, w.root, "web", false))(t)
		release()
		refused(t, <-signed, vault.Unauthenticated, "TokenRevoked")
	})
}

// What stands in a list is sealed apart from the value, so that a listing can't decrypt one.
func TestListingsOpenNoValue(t *testing.T) {
	w, c := demo(t)
	s := must(w.SetSecret(ctx, c, "s", seal.Plaintext("canary-value"), vault.Change{}))(t)
	path := w.replica.paths("vault/" + must(w.GetVault(ctx, w.root, "demo"))(t).ID +
		"/secret/s/version/")[0]
	w.replica.alter(path, func(r fsm.Record) []byte {
		first := must(w.keyring.OpenFirst(nil, path, r.Logical, r.Value))(t)
		if bytes.Contains(first, []byte("canary-value")) {
			t.Error("the value is in the part that listings open")
		}
		sealed := must(w.keyring.SealApart(nil, path, r.Mod, first, []byte("canary-value")))(t)
		sealed[len(sealed)-1] ^= 1
		return sealed
	})
	if p := must(w.ListSecrets(ctx, c, page))(t); len(p.Items) != 1 ||
		p.Items[0].Version != s.Version {
		t.Errorf("listed %+v", p.Items)
	}
	if p := must(w.ListSecretVersions(ctx, c, "s", page))(t); len(p.Items) != 1 {
		t.Errorf("listed %+v", p.Items)
	}
	_, err := w.GetSecret(ctx, c, "s", "", nil)
	refused(t, err, vault.Internal, "RecordDamaged")
	must(w.DeleteSecret(ctx, c, "s"))(t)
	if p := must(w.ListDeletedSecrets(ctx, c, page))(t); len(p.Items) != 1 {
		t.Errorf("listed %+v", p.Items)
	}
}

// A record that was sealed in one part, as all were once, is read as ever.
func TestRecordsOfOnePart(t *testing.T) {
	w, c := demo(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("value"), vault.Change{}))(t)
	path := w.replica.paths("vault/" + must(w.GetVault(ctx, w.root, "demo"))(t).ID +
		"/secret/s/version/")[0]
	w.replica.alter(path, func(r fsm.Record) []byte {
		return must(w.keyring.Seal(nil, path, r.Mod,
			must(w.keyring.Open(nil, path, r.Logical, r.Value))(t)))(t)
	})
	if p := must(w.ListSecrets(ctx, c, page))(t); len(p.Items) != 1 {
		t.Errorf("listed %+v", p.Items)
	}
	if s := must(w.GetSecret(ctx, c, "s", "", nil))(t); string(s.Value) != "value" {
		t.Errorf("got %+v", s)
	}
}
