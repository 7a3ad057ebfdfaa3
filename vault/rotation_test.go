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
	if !slices.Equal(initial.Actions, []vault.LifetimeAction{notify}) || initial.Created != 0 || initial.Name != "K" || initial.ExpiryTime != "" {
		t.Errorf("the default is %+v", initial)
	}
	for name, row := range map[string]struct {
		expiry  string
		actions []vault.LifetimeAction
		good    bool
	}{
		"the default given back":     {"", []vault.LifetimeAction{notify}, true},
		"nothing":                    {"", nil, true},
		"expiry alone":               {"P28D", nil, true},
		"a year and a half":          {"P1Y6M", []vault.LifetimeAction{rotate("P1Y", ""), notify}, true},
		"weeks":                      {"P8W", []vault.LifetimeAction{rotate("", "P1W")}, true},
		"rotate without expiry":      {"", []vault.LifetimeAction{rotate("P7D", "")}, true},
		"27 days":                    {"P27D", nil, false},
		"rotate before no expiry":    {"", []vault.LifetimeAction{rotate("", "P30D")}, false},
		"rotate at once":             {"P90D", []vault.LifetimeAction{rotate("P6D", "")}, false},
		"rotate as it expires":       {"P90D", []vault.LifetimeAction{rotate("", "P6D")}, false},
		"rotate six days before":     {"P90D", []vault.LifetimeAction{rotate("P84D", "")}, false},
		"rotate six days after":      {"P90D", []vault.LifetimeAction{rotate("", "P84D")}, false},
		"both triggers":              {"P90D", []vault.LifetimeAction{rotate("P30D", "P30D")}, false},
		"no trigger":                 {"P90D", []vault.LifetimeAction{rotate("", "")}, false},
		"two of a type":              {"P90D", []vault.LifetimeAction{rotate("P30D", ""), rotate("P31D", "")}, false},
		"an unknown type":            {"P90D", []vault.LifetimeAction{{Type: "Delete", AfterCreate: "P30D"}}, false},
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
		p, err := w.SetRotationPolicy(ctx, c, "k", vault.RotationPolicy{ExpiryTime: row.expiry, Actions: row.actions})
		if !row.good {
			t.Run(name, func(t *testing.T) { refused(t, err, vault.Invalid, "BadParameter") })
			continue
		}
		if err != nil || p.ExpiryTime != row.expiry || !slices.Equal(p.Actions, row.actions) || p.Created == 0 {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
		if got := must(w.GetRotationPolicy(ctx, c, "k"))(t); !slices.Equal(got.Actions, p.Actions) || got.ExpiryTime != p.ExpiryTime {
			t.Errorf("%s: stored as %+v", name, got)
		}
	}
	created := must(w.GetRotationPolicy(ctx, c, "k"))(t).Created
	w.now = w.now.Add(time.Hour)
	if p := must(w.SetRotationPolicy(ctx, c, "k", vault.RotationPolicy{}))(t); p.Created != created || p.Updated != created+3600 {
		t.Errorf("created %d, updated %d, first %d", p.Created, p.Updated, created)
	}
	refused(t, second(w.GetRotationPolicy(ctx, c, "nokey")), vault.NotFound, "KeyNotFound")
	refused(t, second(w.SetRotationPolicy(ctx, c, "nokey", vault.RotationPolicy{})), vault.NotFound, "KeyNotFound")
}

// A rotation makes a new version of the same shape; what is said of a version's own life is not carried over.
func TestRotateKey(t *testing.T) {
	w, c := demo(t)
	for name, spec := range map[string]vault.KeySpec{"rsa": {Kty: "RSA-HSM", Size: 2048}, "p521": {Kty: "EC", Crv: "P-521"}, "p256k": {Kty: "EC", Crv: "P-256K"}, "oct": {Kty: "oct", Size: 192}} {
		old := must(w.CreateKey(ctx, c, name, spec, vault.Change{Tags: map[string]string{"a": "b"}, NotBefore: ptr(int64(5)), Expires: ptr(int64(10)), Enabled: ptr(false)}))(t)
		must(w.SetRotationPolicy(ctx, c, name, vault.RotationPolicy{ExpiryTime: "P2M"}))(t)
		k := must(w.RotateKey(ctx, c, name))(t)
		if k.Version == old.Version || k.Public.Kty != spec.Kty || k.Public.Crv != old.Public.Crv || len(k.Public.N) != len(old.Public.N) || !reflect.DeepEqual(k.Tags, old.Tags) ||
			!slices.Equal(k.Ops, old.Ops) || !k.Attributes.Enabled || k.Attributes.NotBefore != nil || *k.Attributes.Expires != w.now.AddDate(0, 2, 0).Unix() {
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
	w.grant("demo", "web", nil, []string{"list"})
	must(w.RandomBytes(ctx, c, 1))(t)
	w.grant("demo", "web", nil, nil)
	refused(t, second(w.RandomBytes(ctx, c, 1)), vault.Forbidden, "ForbiddenByPolicy")
}
