package frontdoor

import (
	"crypto"
	"encoding/hex"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func createsKeys(t *testing.T, c *caller) {
	all := []string{"sign", "verify", "encrypt", "decrypt", "wrapKey", "unwrapKey"}
	for _, row := range []struct {
		args []string
		want object
	}{
		{nil, object{Type: "RSA", Size: 2048, Operations: all}},
		{[]string{"--kty=EC"}, object{Type: "EC", Curve: "P-256", Operations: []string{"sign",
			"verify"}}},
		{[]string{"--type=EC", "--curve=P-256K", "--ops=verify"}, object{Type: "EC", Curve: "P-256K",
			Operations: []string{"verify"}}},
		{[]string{"--kty=EC-HSM", "--curve=P-521"}, object{Type: "EC-HSM", Curve: "P-521",
			Operations: []string{"sign", "verify"}}},
		{[]string{"--kty=oct-HSM", "--size=128", "--ops=encrypt", "--ops=decrypt"},
			object{Type: "oct-HSM", Operations: []string{"encrypt", "decrypt"}}},
	} {
		name := "created-" + strings.ToLower(row.want.Type+row.want.Curve)
		o := c.object(append([]string{"key", "create", name}, row.args...)...)
		slices.Sort(row.want.Operations)
		slices.Sort(o.Operations)
		if !asID(c.house.urls()[0], "keys", name).MatchString(o.ID) || o.Type != row.want.Type ||
			o.Curve != row.want.Curve || o.Size != row.want.Size || !slices.Equal(o.Operations,
			row.want.Operations) || !o.Enabled || !near(o.Created, time.Now()) {
			t.Errorf("%v makes %+v", row.args, o)
		}
		if raw := c.rawKey(name); raw.Key.Kty != row.want.Type || raw.Key.Kid != o.ID {
			t.Errorf("%v: the vault holds %+v", row.args, raw)
		}
	}
	o := c.object("key", "create", "created-all", "--kty=EC", "--enabled=false", "--tag=a=b",
		"--not-before=2026-01-31T00:00:00Z", "--expires=2031-01-31")
	if o.Enabled || !maps.Equal(o.Tags, map[string]string{"a": "b"}) ||
		o.NotBefore.Format(time.RFC3339) != "2026-01-31T00:00:00Z" ||
		o.Expires.Format(time.RFC3339) != "2031-01-31T00:00:00Z" {
		t.Errorf("the attributes became %+v", o)
	}
	c.refused(2, `\(400\)`, "key", "create", "created-not", "--kty=DSA")
	c.refused(2, `\(400\)`, "key", "create", "created-not", "--kty=RSA", "--size=1024")
}

func showsKeys(t *testing.T, c *caller) {
	one := c.object("key", "create", "shown", "--kty=EC")
	two := c.object("key", "create", "shown", "--kty=EC", "--curve=P-384")
	for _, row := range []struct {
		want object
		args []string
	}{
		{two, []string{"shown"}},
		{one, []string{"shown", "--version", one.Version}},
		{one, []string{one.ID}},
		{two, []string{"akv://demo/shown"}},
		{one, []string{"akv://demo/shown/" + one.Version}},
	} {
		if o := c.object(append([]string{"key", "show"}, row.args...)...); o.ID != row.want.ID ||
			o.Curve != row.want.Curve {
			t.Errorf("%v shows %+v", row.args, o)
		}
	}
	c.refused(1, "id of no key", "key", "show", strings.Replace(one.ID, "/keys/", "/secrets/", 1))
}

func listsKeys(t *testing.T, c *caller) {
	name := strings.ReplaceAll(filepath.Base(t.Name()), "_", "-")
	one := c.object("key", "create", name, "--kty=EC")
	two := c.object("key", "create", name, "--kty=EC")
	if names := strings.Fields(c.ok("key", "list", "-q")); !slices.IsSorted(names) ||
		!slices.Contains(names, name) {
		t.Errorf("it lists %v", names)
	}
	versions := strings.Fields(c.ok("key", "list-versions", one.ID[:strings.LastIndex(one.ID, "/")],
		"-q"))
	if len(versions) != 2 || !slices.Contains(versions, one.Version) || !slices.Contains(versions,
		two.Version) {
		t.Errorf("the versions are %v", versions)
	}
	c.refused(2, `there is no key "never-was"`, "key", "list-versions", "never-was")
}

func changesKeys(t *testing.T, c *caller) {
	one := c.object("key", "create", "changed", "--kty=EC")
	o := c.object("key", "set-attributes", "changed", "--version", one.Version, "--ops=verify",
		"--enabled=false", "--tag=a=b", "--expires=2031-01-31")
	if o.Enabled || o.Tags["a"] != "b" || !slices.Equal(o.Operations, []string{"verify"}) ||
		o.Expires.Format(time.RFC3339) != "2031-01-31T00:00:00Z" {
		t.Errorf("it became %+v", o)
	}
	raw := c.rawKey("changed")
	if raw.Attributes.Enabled || raw.Tags["a"] != "b" || !slices.Equal(raw.Key.Ops,
		[]string{"verify"}) {
		t.Errorf("the vault holds %+v", raw)
	}
	c.object("key", "set-attributes", "changed", "--enabled")
	c.refusedGiven("text", 2, `\(403\); keyquorum key show changed -field=operations --vault demo`,
		"key", "sign", "changed", "--algorithm=ES256")
}

func rotatesKeys(t *testing.T, c *caller) {
	one := c.object("key", "create", "rotated", "--kty=EC", "--curve=P-384", "--ops=sign,verify")
	two := c.object("key", "rotate", "rotated")
	if two.Version == one.Version || two.Curve != one.Curve || len(c.list("key", "list-versions",
		"rotated")) != 2 {
		t.Errorf("%+v became %+v", one, two)
	}
	if c.rawKey("rotated").Key.X == c.rawKey("rotated/"+one.Version).Key.X {
		t.Error("it is the same key")
	}
	c.refused(2, `\(404\).*key list`, "key", "rotate", "never-was")
}

func keepsRotationPolicies(t *testing.T, c *caller) {
	c.ok("key", "create", "policed", "--kty=EC")
	set := c.object("key", "rotation-policy", "policed", "--rotate-after=P30D", "--expires-in=P90D",
		"--notify-before=P15D")
	shown := c.object("key", "rotation-policy", "policed")
	for _, o := range []object{set, shown} {
		if o.Name != "policed" || o.RotateAfter != "P30D" || o.ExpiresIn != "P90D" ||
			o.NotifyBefore != "P15D" || o.RotateBefore != "" || !near(o.Updated, time.Now()) {
			t.Errorf("the policy is %+v", o)
		}
	}
	var raw struct {
		Actions []struct {
			Trigger struct{ TimeAfterCreate string }
			Action  struct{ Type string }
		} `json:"lifetimeActions"`
	}
	if c.raw("/keys/policed/rotationpolicy", &raw); len(raw.Actions) != 2 {
		t.Errorf("the vault holds %+v", raw)
	}
	o := c.object("key", "rotation-policy", "policed", "--rotate-before=P10D", "--expires-in=P60D")
	if o.RotateAfter != "" || o.RotateBefore != "P10D" || o.ExpiresIn != "P60D" {
		t.Errorf("the policy became %+v", o)
	}
	c.refused(2, `\(400\)`, "key", "rotation-policy", "policed", "--rotate-after=soon")
}

func makesRandomBytes(t *testing.T, c *caller) {
	one, two := c.ok("key", "random", "16", "--out=-"), c.ok("key", "random", "16", "--out=-")
	if len(one) != 16 || len(two) != 16 || one == two {
		t.Errorf("%x and %x", one, two)
	}
	o := c.object("key", "random", "128")
	if b := decoded(t, o.Result); len(b) != 128 {
		t.Errorf("%d bytes of 128", len(b))
	}
	c.ok("key", "random", "1", "--out=random")
	if b := c.read("random"); len(b) != 1 {
		t.Errorf("the file holds %s", hex.EncodeToString(b))
	}
	for _, count := range []string{"0", "129", "many"} {
		c.refused(1, "1 to 128", "key", "random", count)
	}
	c.refused(1, "takes 1 argument", "key", "random")
}

func deletesKeys(t *testing.T, c *caller) {
	name := strings.ReplaceAll(filepath.Base(t.Name()), "_", "-")
	one := c.object("key", "create", name, "--kty=EC")
	two := c.object("key", "create", name, "--kty=EC")
	if o := c.object("key", "delete", name); o.Name != name || !near(o.Deleted, time.Now()) ||
		o.ScheduledPurge.IsZero() {
		t.Errorf("deleted it is %+v", o)
	}
	c.refused(2, `\(404\)`, "key", "show", name)
	if o := c.object("key", "show-deleted", name); o.Name != name || o.Deleted.IsZero() {
		t.Errorf("show-deleted shows %+v", o)
	}
	if names := strings.Fields(c.ok("key", "list-deleted", "-q")); !slices.Contains(names, name) {
		t.Errorf("list-deleted lists %v", names)
	}
	c.refused(2, `\(409\); keyquorum key recover`, "key", "create", name)
	if o := c.object("key", "recover", name); o.ID != two.ID {
		t.Errorf("recovered it is %+v", o)
	}
	if o := c.object("key", "show", one.ID); o.ID != one.ID {
		t.Errorf("its first version is %+v", o)
	}
	c.ok("key", "delete", name)
	c.ok("key", "purge", name)
	c.refused(2, `\(404\)`, "key", "show-deleted", name)
}

func backsKeysUp(t *testing.T, c *caller) {
	name := strings.ReplaceAll(filepath.Base(t.Name()), "_", "-")
	signed := newKey(t, "P-256")
	one := c.object("key", "import", name, "--file", c.file("key.pem", signed.pkcs8PEM(t)))
	two := c.object("key", "rotate", name)
	c.ok("key", "backup", name, "--file=saved")
	blob := c.read("saved")
	c.refused(2, `\(409\)`, "key", "restore", "--file=saved")
	c.ok("key", "delete", name)
	c.ok("key", "purge", name)
	if o := c.object("key", "restore", "--file=saved"); o.ID != two.ID {
		t.Errorf("restored it is %+v", o)
	}
	signature := c.okGiven("text", "key", "sign", one.ID, "--out=-")
	if err := signed.verifies("ES256", crypto.SHA256, "text", []byte(signature)); err != nil {
		t.Errorf("what the restored key signs: %v", err)
	}
	blob[len(blob)/2] ^= 1
	c.refused(2, `\(400\)`, "key", "restore", "--file", c.file("broken", blob))
}
