package frontdoor

import (
	"bytes"
	"encoding/base64"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// near says whether a time is the one that is wanted, but for what calls take.
func near(got, want time.Time) bool { return got.Sub(want).Abs() < time.Minute }

// setSecret makes a version of a secret and returns it.
func (c *caller) setSecret(name, value string, more ...string) object {
	c.t.Helper()
	return c.objectGiven(value, append([]string{"secret", "set", name}, more...)...)
}

// value is that of a secret, byte for byte, with what else says where it is.
func (c *caller) value(name string, more ...string) string {
	c.t.Helper()
	return c.ok(append([]string{"secret", "show", name, "--field=value"}, more...)...)
}

func setsSecrets(t *testing.T, c *caller) {
	for source, value := range map[string]string{
		"file":    "a file\n" + private() + "\r\n\n",
		"stdin":   private() + "\n",
		"unicode": "ключ ☃ \t" + private(),
	} {
		var o object
		if source == "file" {
			o = c.object("secret", "set", "set-file", "--file", c.file("value", []byte(value)))
		} else {
			o = c.setSecret("set-"+source, value)
		}
		if !asID(c.house.urls()[0], "secrets", "set-"+source).MatchString(o.ID) || o.Value != "" ||
			o.Name != "set-"+source || !strings.HasSuffix(o.ID, "/"+o.Version) || !o.Enabled ||
			o.Vault != c.house.urls()[0] || !near(o.Created, time.Now()) {
			t.Errorf("%s: it is %+v", source, o)
		}
		if got := c.value("set-" + source); got != value {
			t.Errorf("%s: %q became %q", source, value, got)
		}
		if got := c.rawSecret("set-" + source).Value; got != value {
			t.Errorf("%s: the vault holds %q, not %q", source, got, value)
		}
	}
	attributes := c.setSecret("set-all", private(), "--expires=30d", "--not-before=2026-01-31",
		"--tag", "a=b", "--tag", "c=d=e", "--content-type=text/plain", "--enabled=false")
	if attributes.Enabled || !near(attributes.Expires, time.Now().AddDate(0, 0, 30)) ||
		attributes.NotBefore.Format(time.RFC3339) != "2026-01-31T00:00:00Z" ||
		!maps.Equal(attributes.Tags, map[string]string{"a": "b", "c": "d=e"}) ||
		attributes.ContentType != "text/plain" {
		t.Errorf("the attributes became %+v", attributes)
	}
	setsOnTheCommandLine(t, c)
	setsBytes(t, c)
}

// setsOnTheCommandLine: it is done, and a warning says who can see it.
func setsOnTheCommandLine(t *testing.T, c *caller) {
	o := c.call("secret", "set", "set-shown", "--value", "seen by all", "-q")
	if o.code != 0 || strings.Count(o.stderr, "\n") != 1 || !strings.Contains(o.stderr, "warning") ||
		!strings.Contains(o.stderr, "--file") || strings.Contains(o.stderr, "seen by all") {
		t.Errorf("exit code %d, %s", o.code, o.stderr)
	}
	if !asID(c.house.urls()[0], "secrets", "set-shown").MatchString(strings.TrimSpace(o.stdout)) {
		t.Errorf("-q prints %q", o.stdout)
	}
	if got := c.value("set-shown"); got != "seen by all" {
		t.Errorf("the value is %q", got)
	}
}

// setsBytes that are no text, in base64, and gets them back.
func setsBytes(t *testing.T, c *caller) {
	value := []byte{0, 0xff, '\n', 0xfe, 0}
	c.setSecret("set-bytes", string(value), "--encoding=base64", "--tag=a=b")
	raw := c.rawSecret("set-bytes")
	if raw.Value != base64.StdEncoding.EncodeToString(value) || raw.Tags["a"] != "b" ||
		raw.Tags["file-encoding"] != "base64" {
		t.Errorf("the vault holds %+v", raw)
	}
	if got := c.ok("secret", "download", "set-bytes"); got != string(value) {
		t.Errorf("%q became %q", value, got)
	}
}

func showsSecrets(t *testing.T, c *caller) {
	first, second := private(), private()
	one := c.setSecret("shown", first, "--content-type=text/plain")
	c.setSecret("shown", second)
	for _, row := range []struct {
		want string
		args []string
	}{
		{second, []string{"shown"}},
		{first, []string{"shown", "--version", one.Version}},
		{first, []string{one.ID}},
		{second, []string{one.Vault + "/secrets/shown"}},
		{first, []string{"akv://demo/shown/" + one.Version}},
		{second, []string{"akv://demo/shown"}},
		{second, []string{"AKV-none"}},
	} {
		if row.args[0] == "AKV-none" {
			c.refused(2, `there is|not found.*\(404\).*secret list`, "secret", "show", row.args[0])
			continue
		}
		if o := c.object(append([]string{"secret", "show"}, row.args...)...); o.Value != row.want ||
			o.Name != "shown" {
			t.Errorf("%v shows %+v", row.args, o)
		}
	}
}

func listsSecrets(t *testing.T, c *caller) {
	c.setSecret("listed-b", private(), "--tag=x=y", "--expires=1h")
	c.setSecret("listed-a", private(), "--enabled=false")
	var names []string
	for _, o := range c.list("secret", "list") {
		if names = append(names, o.Name); o.Version != "" || o.Value != "" {
			t.Errorf("a list has %+v", o)
		}
		if o.Name == "listed-b" && (!near(o.Expires, time.Now().Add(time.Hour)) ||
			o.Tags["x"] != "y") || o.Name == "listed-a" && o.Enabled {
			t.Errorf("it lists %+v", o)
		}
	}
	if !slices.IsSorted(names) || !slices.Contains(names, "listed-a") || !slices.Contains(names,
		"listed-b") {
		t.Errorf("it lists %v", names)
	}
}

func listsSecretVersions(t *testing.T, c *caller) {
	made := []object{c.setSecret("versions", private()), c.setSecret("versions", private()),
		c.setSecret("versions", private())}
	listed := c.list("secret", "list-versions", "akv://demo/versions")
	for _, o := range made {
		if !slices.ContainsFunc(listed, func(l object) bool { return l.ID == o.ID && l.Value == "" }) {
			t.Errorf("%s is not among %+v", o.ID, listed)
		}
	}
	if len(listed) != 3 {
		t.Errorf("%d versions of 3", len(listed))
	}
	c.refused(2, `there is no secret "never-was".*secret list`, "secret", "list-versions", "never-was")
}

func changesSecrets(t *testing.T, c *caller) {
	value := private()
	first := c.setSecret("changed", value, "--tag=a=b")
	second := c.setSecret("changed", private())
	o := c.object("secret", "set-attributes", first.ID, "--enabled=false", "--content-type=x/y",
		"--expires=2030-01-31T12:00:00+01:00", "--tag=c=d")
	if o.ID != first.ID || o.Enabled || o.ContentType != "x/y" || o.Tags["c"] != "d" ||
		o.Tags["a"] != "" || o.Expires.Format(time.RFC3339) != "2030-01-31T11:00:00Z" || o.Value != "" {
		t.Errorf("it became %+v", o)
	}
	if o := c.object("secret", "show", second.ID); !o.Enabled || o.Tags != nil {
		t.Errorf("another version became %+v", o)
	}
	c.refused(2, `disabled.*\(403\).*set-attributes changed --enabled`, "secret", "show", first.ID)
	c.object("secret", "set-attributes", first.ID, "--enabled", "--tag=")
	if o := c.object("secret", "show", first.ID); o.Value != value || o.Tags != nil {
		t.Errorf("enabled again it is %+v", o)
	}
	c.refused(1, "nothing was said that is to change", "secret", "set-attributes", "changed")
}

func deletesSecrets(t *testing.T, c *caller) {
	name := strings.ReplaceAll(filepath.Base(t.Name()), "_", "-")
	c.setSecret(name, private(), "--tag=a=b")
	o := c.object("secret", "delete", name)
	if o.Name != name || !near(o.Deleted, time.Now()) || o.ScheduledPurge.Before(o.Deleted) {
		t.Errorf("deleted it is %+v", o)
	}
	c.refused(2, "(404|409).*", "secret", "show", name)
	if o := c.object("secret", "show-deleted", name); o.Name != name || o.Tags["a"] != "b" ||
		o.Deleted.IsZero() || o.Value != "" {
		t.Errorf("show-deleted shows %+v", o)
	}
	listed := strings.Fields(c.ok("secret", "list-deleted", "-q"))
	if !slices.Contains(listed, name) {
		t.Errorf("list-deleted lists %v", listed)
	}
	c.refusedGiven("x", 2, `deleted.*secret recover `+name+` --vault demo`, "secret", "set", name)
	c.refused(1, "leave the version out", "secret", "delete",
		"akv://demo/"+name+"/0123456789abcdef0123456789abcdef")
}

func recoversSecrets(t *testing.T, c *caller) {
	first, second := private(), private()
	one := c.setSecret("recovered", first)
	two := c.setSecret("recovered", second)
	c.ok("secret", "delete", "recovered")
	if o := c.object("secret", "recover", "recovered"); o.ID != two.ID || o.Value != "" {
		t.Errorf("recovered it is %+v", o)
	}
	if got := c.value(one.ID) + c.value("recovered"); got != first+second {
		t.Errorf("the values are %q", got)
	}
	c.refused(2, `\(404\)`, "secret", "recover", "recovered")
}

func purgesSecrets(t *testing.T, c *caller) {
	c.setSecret("purged", private())
	c.ok("secret", "delete", "purged")
	if o := c.object("secret", "purge", "purged"); o.Name != "purged" {
		t.Errorf("purged it is %+v", o)
	}
	c.refused(2, `\(404\); keyquorum secret list-deleted --vault demo shows`, "secret", "show-deleted",
		"purged")
	c.refused(2, `\(404\)`, "secret", "recover", "purged")
	c.setSecret("purged", private()) // the name is free
	if n := len(c.list("secret", "list-versions", "purged")); n != 1 {
		t.Errorf("%d versions after a purge", n)
	}
}

func downloadsSecrets(t *testing.T, c *caller) {
	value := "first\n" + private() + "\n\n"
	one := c.setSecret("downloaded", value)
	c.setSecret("downloaded", private())
	if got := c.ok("secret", "download", one.ID); got != value {
		t.Errorf("%q became %q", value, got)
	}
	o := c.object("secret", "download", "downloaded", "--version", one.Version, "--file", "value")
	if o.File != "value" || !bytes.Equal(c.read("value"), []byte(value)) {
		t.Errorf("the file holds %q, it says %+v", c.read("value"), o)
	}
	c.refused(1, "value is there already", "secret", "download", "downloaded", "--file", "value")
	if !bytes.Equal(c.read("value"), []byte(value)) {
		t.Error("a file that was there was written over")
	}
}

func backsSecretsUp(t *testing.T, c *caller) {
	name := strings.ReplaceAll(filepath.Base(t.Name()), "_", "-")
	first, second := private(), private()
	one := c.setSecret(name, first)
	two := c.setSecret(name, second, "--tag=a=b")
	c.ok("secret", "backup", name, "--file", "saved")
	blob := c.read("saved")
	if found := plainIn(blob); found != "" || len(blob) < 100 {
		t.Errorf("a backup of %d bytes holds %s", len(blob), found)
	}
	c.refused(2, `\(409\); a backup comes back where there is none`, "secret", "restore", "--file",
		"saved")
	c.ok("secret", "delete", name)
	c.ok("secret", "purge", name)
	if o := c.objectGiven(string(blob), "secret", "restore", "--file=-"); o.ID != two.ID ||
		o.Tags["a"] != "b" {
		t.Errorf("restored it is %+v", o)
	}
	if got := c.value(one.ID) + c.value(two.ID); got != first+second {
		t.Errorf("the values are %q", got)
	}
	blob[len(blob)/2] ^= 1
	c.refused(2, `\(400\); it has to be what keyquorum secret backup has written`, "secret", "restore",
		"--file", c.file("broken", blob))
	c.refused(1, "--file", "secret", "restore")
	c.refused(1, "--file", "secret", "backup", name)
}
