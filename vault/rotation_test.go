package vault_test

import (
	"reflect"
	"slices"
	"testing"
	"time"

	"keyquorum/vault"
)

func TestRotationPolicyRules(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "K", ecSpec, vault.Change{}))(t)
	rotate := func(after, before string) vault.LifetimeAction {
		return vault.LifetimeAction{Type: "Rotate", AfterCreate: after, BeforeExpiry: before}
	}
	notify := vault.LifetimeAction{Type: "Notify", BeforeExpiry: "P30D"}
	initial := must(w.GetRotationPolicy(ctx, c, "k"))(t)
	if !slices.Equal(initial.Actions, []vault.LifetimeAction{notify}) || initial.Created != 0 ||
		initial.Name != "K" || initial.ExpiryTime != "" {
		t.Errorf("the default is %+v", initial)
	}
	for name, row := range map[string]struct {
		expiry  string
		actions []vault.LifetimeAction
		good    bool
	}{
		"the default given back":  {"", []vault.LifetimeAction{notify}, true},
		"nothing":                 {"", nil, true},
		"expiry alone":            {"P28D", nil, true},
		"a year and a half":       {"P1Y6M", []vault.LifetimeAction{rotate("P1Y", ""), notify}, true},
		"weeks":                   {"P8W", []vault.LifetimeAction{rotate("", "P1W")}, true},
		"rotate without expiry":   {"", []vault.LifetimeAction{rotate("P7D", "")}, true},
		"27 days":                 {"P27D", nil, false},
		"rotate before no expiry": {"", []vault.LifetimeAction{rotate("", "P30D")}, false},
		"rotate at once":          {"P90D", []vault.LifetimeAction{rotate("P6D", "")}, false},
		"rotate as it expires":    {"P90D", []vault.LifetimeAction{rotate("", "P6D")}, false},
		"rotate six days before":  {"P90D", []vault.LifetimeAction{rotate("P84D", "")}, false},
		"rotate six days after":   {"P90D", []vault.LifetimeAction{rotate("", "P84D")}, false},
		"both triggers":           {"P90D", []vault.LifetimeAction{rotate("P30D", "P30D")}, false},
		"no trigger":              {"P90D", []vault.LifetimeAction{rotate("", "")}, false},
		"two of a type": {"P90D",
			[]vault.LifetimeAction{rotate("P30D", ""), rotate("P31D", "")}, false},
		"an unknown type": {"P90D",
			[]vault.LifetimeAction{{Type: "Delete", AfterCreate: "P30D"}}, false},
		"no type":                    {"P90D", []vault.LifetimeAction{{AfterCreate: "P30D"}}, false},
		"hours":                      {"PT2000H", nil, false},
		"no P":                       {"90D", nil, false},
		"P alone":                    {"P", nil, false},
		"no number":                  {"PD", nil, false},
		"no unit":                    {"P90", nil, false},
		"units in the wrong order":   {"P90D1Y", nil, false},
		"a unit twice":               {"P1Y1Y", nil, false},
		"lower case":                 {"p90d", nil, false},
		"negative":                   {"P-90D", nil, false},
		"a fraction":                 {"P90.5D", nil, false},
		"longer than anybody's life": {"P99999999999999999999D", nil, false},
	} {
		p, err := w.SetRotationPolicy(ctx, c, "k",
			vault.RotationPolicy{ExpiryTime: row.expiry, Actions: row.actions})
		if !row.good {
			t.Run(name, func(t *testing.T) { refused(t, err, vault.Invalid, "BadParameter") })
			continue
		}
		if err != nil || p.ExpiryTime != row.expiry || !slices.Equal(p.Actions, row.actions) ||
			p.Created == 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if got := must(w.GetRotationPolicy(ctx, c, "k"))(t); !slices.Equal(got.Actions, p.Actions) ||
			got.ExpiryTime != p.ExpiryTime {
			t.Errorf("%s: stored as %+v", name, got)
		}
	}
	created := must(w.GetRotationPolicy(ctx, c, "k"))(t).Created
	w.now = w.now.Add(time.Hour)
	if p := must(w.SetRotationPolicy(ctx, c, "k", vault.RotationPolicy{}))(t); p.Created != created ||
		p.Updated != created+3600 {
		t.Errorf("created %d, updated %d, first %d", p.Created, p.Updated, created)
	}
	refused(t, second(w.GetRotationPolicy(ctx, c, "nokey")), vault.NotFound, "KeyNotFound")
	refused(t, second(w.SetRotationPolicy(ctx, c, "nokey", vault.RotationPolicy{})), vault.NotFound,
		"KeyNotFound")
}

// A rotation makes a new version of the same shape; what is said of a version's own life is not
// carried over.
func TestRotateKey(t *testing.T) {
	w, c := demo(t)
	for name, spec := range map[string]vault.KeySpec{"rsa": {Kty: "RSA-HSM", Size: 2048},
		"p521": {Kty: "EC", Crv: "P-521"}, "p256k": {Kty: "EC", Crv: "P-256K"},
		"oct": {Kty: "oct", Size: 192}} {
		old := must(w.CreateKey(ctx, c, name, spec, vault.Change{Tags: map[string]string{"a": "b"},
			NotBefore: ptr(int64(5)), Expires: ptr(int64(10)), Enabled: ptr(false)}))(t)
		must(w.SetRotationPolicy(ctx, c, name, vault.RotationPolicy{ExpiryTime: "P2M"}))(t)
		k := must(w.RotateKey(ctx, c, name))(t)
		if k.Version == old.Version || k.Public.Kty != spec.Kty || k.Public.Crv != old.Public.Crv ||
			len(k.Public.N) != len(old.Public.N) || !reflect.DeepEqual(k.Tags, old.Tags) ||
			!slices.Equal(k.Ops, old.Ops) || !k.Attributes.Enabled || k.Attributes.NotBefore != nil ||
			*k.Attributes.Expires != w.now.AddDate(0, 2, 0).Unix() {
			t.Errorf("%s: %+v", name, k)
		}
		if w.usage.last(t).Operation != "keys/rotate" || w.usage.last(t).Version != k.Version {
			t.Errorf("%s: %+v", name, w.usage.last(t))
		}
	}
	usesOf(t, w, c, "oct", "A192GCM")
	refused(t, second(w.RotateKey(ctx, c, "nokey")), vault.NotFound, "KeyNotFound")
	must(w.DeleteKey(ctx, c, "oct"))(t)
	refused(t, second(w.RotateKey(ctx, c, "oct")), vault.Conflict, "ObjectIsDeletedButRecoverable")
	refused(t, second(w.GetRotationPolicy(ctx, c, "oct")), vault.NotFound, "KeyNotFound")
}

func TestRandomBytes(t *testing.T) {
	w, c := demo(t)
	for _, n := range []int{1, 128} {
		if b := must(w.RandomBytes(ctx, c, n))(t); len(b) != n {
			t.Errorf("%d bytes for %d", len(b), n)
		}
	}
	for _, n := range []int{-1, 0, 129} {
		refused(t, second(w.RandomBytes(ctx, c, n)), vault.Invalid, "BadParameter")
	}
	w.grant("demo", "web", []string{"list"}, nil)
	must(w.RandomBytes(ctx, c, 1))(t)
	w.grant("demo", "web", nil, []string{"all"})
	refused(t, second(w.RandomBytes(ctx, c, 1)), vault.Forbidden, "ForbiddenByPolicy")
	w.grant("demo", "web", nil, nil)
	refused(t, second(w.RandomBytes(ctx, c, 1)), vault.Forbidden, "ForbiddenByPolicy")
}

// Time rotates a key when its policy says so: once, on whichever node's pass comes first, and never
// a disabled or a deleted one.
func TestKeysAreRotatedWhenTheyAreDue(t *testing.T) {
	w, c := demo(t)
	afterCreate := vault.RotationPolicy{ExpiryTime: "P90D",
		Actions: []vault.LifetimeAction{{Type: "Rotate", AfterCreate: "P30D"}}}
	beforeExpiry := vault.RotationPolicy{ExpiryTime: "P60D",
		Actions: []vault.LifetimeAction{{Type: "Notify", BeforeExpiry: "P40D"},
			{Type: "Rotate", BeforeExpiry: "P20D"}}}
	for name, policy := range map[string]*vault.RotationPolicy{"after": &afterCreate,
		"before": &beforeExpiry, "disabled": &afterCreate, "deleted": &afterCreate, "never": nil,
		"notified": {ExpiryTime: "P60D",
			Actions: []vault.LifetimeAction{{Type: "Notify", BeforeExpiry: "P40D"}}}} {
		must(w.CreateKey(ctx, c, name, vault.KeySpec{Kty: "EC", Crv: "P-384"},
			vault.Change{Expires: ptr(w.now.AddDate(0, 0, 50).Unix())}))(t)
		if policy != nil {
			must(w.SetRotationPolicy(ctx, c, name, *policy))(t)
		}
	}
	must(w.UpdateKey(ctx, c, "disabled", "", vault.Change{Enabled: ptr(false)}))(t)
	must(w.DeleteKey(ctx, c, "deleted"))(t)
	versions := func(name string) int {
		return len(must(w.ListKeyVersions(ctx, c, name, vault.PageRequest{Max: 25}))(t).Items)
	}
	w.now = w.now.Add(30*day - time.Second)
	w.sweep(t, 0)
	w.now = w.now.Add(time.Second) // day 30: one is due after its creation, the other 20 days before it expires on day 50
	w.usage.forget()
	w.sweep(t, 2)
	w.sweep(t, 0)
	if after, before := versions("after"), versions("before"); after != 2 || before != 2 {
		t.Errorf("%d and %d versions", after, before)
	}
	k := must(w.GetKey(ctx, c, "before", ""))(t)
	if *k.Attributes.Expires != w.now.AddDate(0, 0, 60).Unix() ||
		k.Attributes.Created != w.now.Unix() || k.Public.Crv != "P-384" {
		t.Errorf("%+v", k)
	}
	rotated := 0
	for _, l := range w.usage.lines(t) {
		if l.Plane == "node" && l.Operation == "keys/rotate" && l.Status == 200 && l.Version != "" {
			rotated++
		}
	}
	if rotated != 2 {
		t.Errorf("%d rotations on record: %+v", rotated, w.usage.lines(t))
	}
	w.now = w.now.Add(30 * day)
	w.sweep(t, 1) // day 60: "after" again; "before" is due on day 70
	for name, want := range map[string]int{"after": 3, "before": 2, "disabled": 1, "never": 1,
		"notified": 1} {
		if got := versions(name); got != want {
			t.Errorf("%s has %d versions, want %d", name, got, want)
		}
	}
}

// A vault may refuse what is weak; what was encrypted so before can't be decrypted then either.
func TestAVaultRefusesWeakAlgorithms(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "r", rsaSpec, vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "o", vault.KeySpec{Kty: "oct"}, vault.Change{}))(t)
	iv := make([]byte, 16)
	for _, allowed := range []bool{true, false, true} {
		must(w.UpdateVault(ctx, w.root, "demo", vault.VaultChange{WeakAlgorithms: &allowed}))(t)
		for _, use := range []struct {
			key, alg string
			in       vault.Cipher
			weak     bool
		}{{"r", "RSA1_5", vault.Cipher{Value: iv}, true}, {"o", "A256CBC",
			vault.Cipher{Value: iv, IV: iv}, true},
			{"o", "A256CBCPAD", vault.Cipher{Value: iv, IV: iv}, true},
			{"r", "RSA-OAEP", vault.Cipher{Value: iv}, false},
			{"o", "A256GCM", vault.Cipher{Value: iv}, false}} {
			out, err := w.Encrypt(ctx, c, use.key, "", use.alg, use.in)
			if use.weak && !allowed {
				refused(t, err, vault.Invalid, "BadParameter")
				refused(t, second(w.Decrypt(ctx, c, use.key, "", use.alg, vault.Cipher{Value: iv, IV: iv})),
					vault.Invalid, "BadParameter")
				continue
			}
			if err != nil || len(must(w.Decrypt(ctx, c, use.key, "", use.alg, out.Cipher))(t).Value) != 16 {
				t.Errorf("%s, allowed %v: %v", use.alg, allowed, err)
			}
		}
	}
}

// A name that was purged begins anew: the policy of the key that had it is gone.
func TestPurgeTakesTheRotationPolicyAlong(t *testing.T) {
	w, c := demo(t)
	must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	must(w.SetRotationPolicy(ctx, c, "k", vault.RotationPolicy{ExpiryTime: "P90D",
		Actions: []vault.LifetimeAction{{Type: "Rotate", AfterCreate: "P30D"}}}))(t)
	must(w.DeleteKey(ctx, c, "k"))(t)
	if err := w.PurgeKey(ctx, c, "k"); err != nil {
		t.Fatal(err)
	}
	must(w.CreateKey(ctx, c, "k", ecSpec, vault.Change{}))(t)
	if p := must(w.GetRotationPolicy(ctx, c, "k"))(t); p.ExpiryTime != "" || p.Created != 0 {
		t.Errorf("the new key has the old one's policy: %+v", p)
	}
}
