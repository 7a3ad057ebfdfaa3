package vault_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyquorum/seal"
	"keyquorum/vault"
)

// kids are the ids of the keys that verify tokens, oldest first.
func (w *world) kids(t *testing.T) (ids []string) {
	t.Helper()
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(must(w.JWKS())(t), &keys); err != nil {
		t.Fatal(err)
	}
	for _, k := range keys.Keys {
		ids = append(ids, k.KeyID)
	}
	return ids
}

// Tokens of the older key are good for as long as they were without a newer one, and a pass drops
// the key when none is left.
func TestTokenKeyRotates(t *testing.T) {
	w, c := demo(t)
	a := w.again("web")
	before := []byte(w.signIn(a))
	first := w.kids(t)[0]
	w.now = w.now.Add(10 * time.Minute)
	late := []byte(w.signIn(a))
	k := must(w.RotateTokenKey(ctx, w.root, false))(t)
	if ids := w.kids(t); len(ids) != 2 || ids[0] != first || ids[1] != k.ID || k.Older != 1 ||
		!k.Since.Equal(w.now) {
		t.Errorf("%v, %+v", ids, k)
	}
	if e := w.usage.last(t); e.Operation != "admin/rotate/token-key" || e.Status != 200 ||
		e.Object != "" {
		t.Errorf("recorded %+v", e)
	}
	after := w.signIn(a)
	if kid := must(jose.ParseSignedCompact(after,
		[]jose.SignatureAlgorithm{jose.ES256}))(t).Signatures[0].Protected.KeyID; kid != k.ID {
		t.Errorf("a token is signed with %s, the newest key is %s", kid, k.ID)
	}
	made := w.now
	for _, token := range [][]byte{before, late, []byte(after)} {
		c.Identity = must(w.node().Authenticate(ctx, token, zone))(t)
		must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
	}
	w.now = made.Add(time.Hour + 5*time.Minute - time.Second)
	w.sweep(t, 0)
	w.now = w.now.Add(time.Second)
	w.sweep(t, 1)
	if ids := w.kids(t); len(ids) != 1 || ids[0] != k.ID {
		t.Errorf("after the last token: %v", ids)
	}
	w.sweep(t, 0)
	if s := must(w.TokenKeyStatus(ctx, w.root))(t); s.Older != 0 || s.ID != k.ID {
		t.Errorf("%+v", s)
	}
}

// Who forgets the older keys ends all tokens, at every node, and also what was authenticated before
// and decides after.
func TestForgottenTokenKey(t *testing.T) {
	w, c := demo(t)
	a := w.again("web")
	token := []byte(w.signIn(a))
	c.Identity = must(w.Authenticate(ctx, token, zone))(t)
	must(w.RotateTokenKey(ctx, w.root, true))(t)
	if e := w.usage.last(t); e.Object != "forget" {
		t.Errorf("recorded %+v", e)
	}
	for _, n := range []*vault.Vaults{w.Vaults, w.node()} {
		_, err := n.Authenticate(ctx, token, zone)
		refused(t, err, vault.Unauthenticated, vault.TokenKeyGone)
		_, err = n.GetSecret(ctx, c, "s", "", nil)
		refused(t, err, vault.Unauthenticated, vault.TokenKeyGone)
	}
	c.Identity = must(w.Authenticate(ctx, []byte(w.signIn(a)), zone))(t)
	must(w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{}))(t)
}

// A write that was decided on a view from before the key was forgotten is not applied after.
func TestForgottenTokenKeyEndsWritesUnderWay(t *testing.T) {
	w, c := demo(t)
	w.before(func() { must(w.node().RotateTokenKey(ctx, w.root, true))(t) })
	_, err := w.SetSecret(ctx, c, "s", seal.Plaintext("v"), vault.Change{})
	refused(t, err, vault.Unauthenticated, vault.TokenKeyGone)
}

// A node whose copy is behind lets a token in that another node signed under a key that the copy
// lacks.
func TestTokenOfAKeyThatIsNotHereYet(t *testing.T) {
	w, _ := demo(t)
	a := w.again("web")
	behind := w.replica.View()
	must(w.RotateTokenKey(ctx, w.root, false))(t)
	token := []byte(w.signIn(a))
	w.replica.stale = &behind
	must(w.node().Authenticate(ctx, token, zone))(t)
	if w.replica.stale != nil {
		t.Error("the copy that is behind was not looked at")
	}
}

func TestTooManyTokenKeys(t *testing.T) {
	w, _ := demo(t)
	for range 15 {
		must(w.RotateTokenKey(ctx, w.root, false))(t)
	}
	_, err := w.RotateTokenKey(ctx, w.root, false)
	refused(t, err, vault.Conflict, "TooManyTokenKeys")
	if s := must(w.RotateTokenKey(ctx, w.root, true))(t); s.Older != 0 {
		t.Errorf("%+v", s)
	}
}
