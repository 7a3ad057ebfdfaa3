package frontdoor

import (
	"encoding/json"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestFormats asks for the same in every form.
func TestFormats(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	value := "it's \"quoted\" $HOME `id`\nand " + private()
	one := c.setSecret("formed-secret", value, "--tag=b=2", "--tag=a=1", "--expires=2031-01-31")
	key := c.object("key", "create", "formed-key", "--kty=EC")
	for _, row := range []struct {
		want string // a regular expression
		args string
	}{
		{`^Key +Value\n--- +-----\nName +formed-secret\nVersion +` + one.Version +
			`\n(?s:.*)Tags +a=1, b=2\n$`, "secret show formed-secret"},
		{`Value +\(\d+ bytes with line breaks or the like; --field=value prints them\)`,
			"secret show formed-secret"},
		{`Expires +2031-01-31 00:00:00 UTC \(in \d years\)`, "secret show formed-secret"},
		{"^" + regexp.QuoteMeta(value) + "$", "secret show formed-secret --field=value"},
		{"^" + regexp.QuoteMeta(value) + "$", "secret show formed-secret -field value"},
		{"^" + regexp.QuoteMeta(one.ID) + "\n$", "secret show formed-secret -q"},
		{"^" + regexp.QuoteMeta(one.ID) + "$", "secret show formed-secret --field=id"},
		{"^2031-01-31T00:00:00Z$", "secret show formed-secret --field=expires"},
		{`^{"a":"1","b":"2"}$`, "secret show formed-secret --field=tags"},
		{"^true$", "secret show formed-secret --field=enabled"},
		{"^$", "secret show formed-secret --field=not_before"},
		{"(?m)^formed-secret$", "secret list -q"},
		{"(?m)^formed-secret$", "secret list --field name"},
		{`(?m)^Name +Enabled +Updated +Expires\n.*(?s:.*)^formed-secret +yes +.* in \d years$`,
			"secret list"},
		{"^" + one.Version + "\n$", "secret list-versions formed-secret -q"},
		{`(?m)^Type +EC P-256$`, "key show formed-key"},
		{`(?m)^TYPE=EC$`, "key show formed-key --format=env"},
		{`(?m)^ID=` + regexp.QuoteMeta(key.ID) + `$`, "key show formed-key -format env"},
	} {
		args := strings.Fields(row.args)
		if got := c.ok(args...); !regexp.MustCompile(row.want).MatchString(got) {
			t.Errorf("%s prints\n%s\nwhich is not %s", row.args, got, row.want)
		}
	}
	c.refused(1, "no field \"nonsense\"; there are id, vault, name", "secret", "show",
		"formed-secret", "--field=nonsense")
	c.refused(1, "table, json or env", "secret", "show", "formed-secret", "--format=xml")
	c.refused(1, "this is a list; use json", "secret", "list", "--format=env")
	evaluates(t, c, value)
	namesMembers(t, c)
}

// evaluates what --format=env prints in a shell.
func evaluates(t *testing.T, c *caller, value string) {
	text := c.ok("secret", "show", "formed-secret", "--format=env")
	got, err := exec.Command("sh", "-c", text+"\nprintf %s \"$FORMED_SECRET\"").Output()
	if err != nil || string(got) != value {
		t.Errorf("a shell reads %q as %q (%v)", text, got, err)
	}
}

// namesMembers: the JSON has the members that scripts know, and RFC 3339.
func namesMembers(t *testing.T, c *caller) {
	var members map[string]any
	if err := json.Unmarshal([]byte(c.ok("secret", "show", "formed-secret", "--format=json")),
		&members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"id", "vault", "name", "version", "value", "enabled", "created",
		"updated", "expires", "recovery_level", "tags"} {
		if members[name] == nil {
			t.Errorf("there is no %s in %v", name, members)
		}
	}
	form := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	for _, name := range []string{"created", "updated", "expires"} {
		if text, _ := members[name].(string); !form.MatchString(text) {
			t.Errorf("%s is %v, which is not RFC 3339 in UTC", name, members[name])
		}
	}
	if got := c.ok("secret", "list-deleted", "--format=json", "--vault=demo"); got == "null\n" {
		t.Error("an empty list is null")
	}
}
