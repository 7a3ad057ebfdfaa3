package httpapi_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"keyquorum/node"
)

const objectPath = "/v1/keyquorum/snapshot/object"

// A kept is a snapshot of a service, out of which single objects are brought back.
type kept struct {
	s    *service
	file string
	log  *logText
}

// keeping makes a service and what fill puts into a vault, and takes a snapshot.
func keeping(t *testing.T, fill func(c *client)) (*kept, *client) {
	t.Helper()
	k := &kept{log: new(logText)}
	k.s = newService(t, func(c *node.Config) { c.Logger = k.log.logger() })
	if err := k.s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	c := k.s.application(t, "past", everything)
	fill(c)
	k.file = k.s.operate("GET", snapshotPath, k.s.token, "").body
	k.s.usage.take()
	return k, c
}

// asks names an object of the client's vault. restore is "" or "/restore".
func (k *kept) asks(c *client, restore, object string) answer {
	parts := strings.Split(object+"/", "/")
	vault, _, _ := strings.Cut(c.host, ".")
	return k.s.operate("POST", objectPath+restore+"?vault="+vault+"&type="+parts[0]+"&name="+parts[1]+
		"&version="+parts[2], k.s.token, k.file)
}

// states are what an object was and is, and how many of its versions are missing, differ and are
// the same.
func states(t *testing.T, a answer) string {
	t.Helper()
	if a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	missing, other, same := 0, 0, 0
	for _, v := range a.at("data", "versions").([]any) {
		switch v := v.(map[string]any); {
		case v["is"] == nil:
			missing++
		case v["same_data"] == true:
			same++
		default:
			other++
		}
	}
	return fmt.Sprintf("%s %s, missing %d, other %d, same %d", a.at("was", "state"),
		a.at("is", "state"), missing, other, same)
}

func requireStates(t *testing.T, what string, a answer, want string) {
	t.Helper()
	if got := states(t, a); got != want {
		t.Errorf("%s: %s", what, got)
	}
}

// gone purges objects.
func (c *client) gone(paths ...string) {
	c.t.Helper()
	for _, path := range paths {
		c.ok("DELETE", "/"+path, "")
		c.ok("DELETE", "/deleted"+path, "")
	}
}

// What was purged comes back as it was, with its versions' ids, and can be used. Nothing that is
// shown, recorded or logged on the way has a value in it.
func TestObjectsComeBack(t *testing.T) {
	const canary = "canary-8128-of-a-secret"
	digest := base64.RawURLEncoding.EncodeToString(make([]byte, 32))
	var versions []string
	var key, signature string
	k, c := keeping(t, func(c *client) {
		for i := range 3 {
			a := c.ok("PUT", "/secrets/Pass", fmt.Sprintf(
				`{"value":"%s-%d","contentType":"text/plain","tags":{"n":"%d"}}`, canary, i, i))
			versions = append(versions, a.version())
		}
		c.ok("PATCH", "/secrets/pass/"+versions[0], `{"attributes":{"enabled":false}}`)
		key = c.ok("POST", "/keys/k/create", `{"kty":"EC"}`).version()
		c.ok("POST", "/keys/k/rotate", "")
		c.ok("PUT", "/keys/k/rotationpolicy",
			`{"lifetimeActions":[{"action":{"type":"Rotate"},"trigger":{"timeAfterCreate":"P30D"}}]}`)
		a := c.ok("POST", "/keys/k/"+key+"/sign", `{"alg":"ES256","value":"`+digest+`"}`)
		signature, _ = a.json["value"].(string)
	})
	requireStates(t, "before it is purged", k.asks(c, "", "secrets/PASS"),
		"live live, missing 0, other 0, same 3")
	c.gone("secrets/pass", "keys/k")
	k.s.usage.take()
	var seen []string
	for _, object := range []string{"secrets/pass", "keys/k"} {
		for _, restore := range []string{"", "/restore", "/restore"} {
			a := k.asks(c, restore, object)
			seen = append(seen, states(t, a)+" "+fmt.Sprint(a.at("data", "brought_back")))
			if strings.Contains(a.body, canary) {
				t.Errorf("the answer shows a value: %s", a.body)
			}
		}
	}
	if got, want := strings.Join(seen, "\n"), `live absent, missing 3, other 0, same 0 false
live absent, missing 3, other 0, same 0 true
live live, missing 0, other 0, same 3 true
live absent, missing 2, other 0, same 0 false
live absent, missing 2, other 0, same 0 true
live live, missing 0, other 0, same 2 true`; got != want {
		t.Errorf("it says\n%s", got)
	}
	for i, version := range versions {
		if i == 0 { // it was disabled, and is
			if a := c.call("GET", "/secrets/pass/"+version, ""); a.status != 403 {
				t.Errorf("a disabled version: %d %s", a.status, a.body)
			}
			continue
		}
		a := c.ok("GET", "/secrets/pass/"+version, "")
		if a.text("value") != fmt.Sprint(canary, "-", i) || a.at("tags", "n") != fmt.Sprint(i) {
			t.Errorf("version %d is %s", i, a.body)
		}
	}
	if a := c.ok("GET", "/secrets/pass", ""); a.version() != versions[2] ||
		!strings.Contains(a.text("id"), "/secrets/Pass/") {
		t.Errorf("the newest is %s", a.body)
	}
	a := c.ok("POST", "/keys/k/"+key+"/verify",
		`{"alg":"ES256","digest":"`+digest+`","value":"`+signature+`"}`)
	if a.json["value"] != true {
		t.Errorf("the old version is another key: %s", a.body)
	}
	if a := c.ok("GET", "/keys/k/rotationpolicy", ""); !strings.Contains(a.body, "P30D") {
		t.Errorf("the policy is %s", a.body)
	}
	k.recorded(t, c, versions[2], canary)
}

// recorded looks for the usage records of what TestObjectsComeBack did.
func (k *kept) recorded(t *testing.T, c *client, newest, canary string) {
	t.Helper()
	if strings.Contains(k.log.String(), canary) || strings.Contains(k.s.usage.text(), canary) {
		t.Error("a log has a value")
	}
	vault, _, _ := strings.Cut(c.host, ".")
	var got []string
	for _, u := range k.s.usage.take() {
		if u["plane"] != "operator" {
			continue
		}
		if u["vault"] != vault || u["accessor"] == nil || u["status"] != 200.0 {
			t.Errorf("the usage log has %v", u)
		}
		detail, _ := u["detail"].(string)
		kind, rest, _ := strings.Cut(detail, " snapshot=")
		_, rest, _ = strings.Cut(rest, " ")
		got = append(got, fmt.Sprintf("%v %v %s %s", u["operation"], u["object"], kind, rest))
		if u["operation"] == "admin/objects/bring-back" && kind == "secrets" && len(got) < 3 &&
			u["version"] != newest {
			t.Errorf("the record has the version %v", u["version"])
		}
	}
	if want := `admin/objects/compare pass secrets 
admin/objects/bring-back pass secrets versions=3
admin/objects/bring-back pass secrets versions=0
admin/objects/compare k keys 
admin/objects/bring-back k keys versions=2
admin/objects/bring-back k keys versions=0`; strings.Join(got, "\n") != want {
		t.Errorf("the usage log has\n%s", strings.Join(got, "\n"))
	}
}

// text is everything that was written since the last take.
func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// What is there stays what it is: a deleted object is not brought back, and one that was made anew
// gets the versions that it lacks beside its own.
func TestWhatIsThereStays(t *testing.T) {
	var old []string
	k, c := keeping(t, func(c *client) {
		for i := range 2 {
			a := c.ok("PUT", "/secrets/s", fmt.Sprintf(`{"value":"then-%d"}`, i))
			old = append(old, a.version())
		}
	})
	c.ok("PATCH", "/secrets/s/"+old[1], `{"tags":{"since":"yes"}}`)
	newer := c.ok("PUT", "/secrets/s", `{"value":"now"}`).version()
	c.ok("DELETE", "/secrets/s", "")
	requireStates(t, "deleted", k.asks(c, "", "secrets/s"),
		"live deleted, missing 0, other 0, same 2")
	a := k.asks(c, "/restore", "secrets/s")
	if a.status != 409 || !strings.Contains(a.body, "recovered or purged") {
		t.Errorf("a deleted one is brought back: %d %s", a.status, a.body)
	}
	c.ok("POST", "/deletedsecrets/s/recover", "")
	requireStates(t, "live", k.asks(c, "/restore", "secrets/s"),
		"live live, missing 0, other 0, same 2")
	if a := c.ok("GET", "/secrets/s", ""); a.version() != newer || a.text("value") != "now" {
		t.Errorf("the newest is %s", a.body)
	}
	if a := c.ok("GET", "/secrets/s/"+old[1], ""); a.at("tags", "since") != "yes" {
		t.Errorf("what was changed since is %s", a.body)
	}

	c.gone("secrets/s")
	newer = c.ok("PUT", "/secrets/s", `{"value":"anew"}`).version()
	requireStates(t, "one version", k.asks(c, "/restore", "secrets/s/"+old[1]),
		"live live, missing 1, other 0, same 0")
	if a := c.call("GET", "/secrets/s/"+old[0], ""); a.status != 404 {
		t.Errorf("a version that nobody named: %d", a.status)
	}
	requireStates(t, "the rest", k.asks(c, "/restore", "secrets/s"),
		"live live, missing 1, other 0, same 1")
	for i, version := range old {
		if a := c.ok("GET", "/secrets/s/"+version, ""); a.text("value") != fmt.Sprint("then-", i) {
			t.Errorf("version %d is %s", i, a.body)
		}
	}
	if a := c.ok("GET", "/secrets/s", ""); a.version() != newer || a.text("value") != "anew" {
		t.Errorf("the newest is %s", a.body)
	}

	c.gone("secrets/s")
	states(t, k.asks(c, "/restore", "secrets/s/"+old[0]))
	if a := c.ok("GET", "/secrets/s", ""); a.version() != old[0] {
		t.Errorf("one that is gone comes back as %s", a.body)
	}
}

// A snapshot is opened by its own keyring, after rotations too. A vault that was made anew under
// the same name is as good as the one that was; one that is deleted is not.
func TestObjectsComeBackIntoTheVaultOfNow(t *testing.T) {
	k, c := keeping(t, func(c *client) { c.ok("PUT", "/secrets/s", `{"value":"then"}`) })
	vault, _, _ := strings.Cut(c.host, ".")
	admin := func(method, path, body string) {
		t.Helper()
		if a := k.s.operate(method, "/v1/keyquorum/"+path, k.s.token, body); a.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
	}
	admin("PUT", "rotate/keyring", "")
	c.gone("secrets/s")
	admin("DELETE", "vaults/"+vault, "")
	if a := k.asks(c, "/restore", "secrets/s"); a.status != 404 ||
		!strings.Contains(a.body, "recover it") {
		t.Errorf("into a deleted vault: %d %s", a.status, a.body)
	}
	admin("DELETE", "deleted-vaults/"+vault, "")
	if a := k.asks(c, "/restore", "secrets/s"); a.status != 404 ||
		!strings.Contains(a.body, "There is no vault called "+vault) {
		t.Errorf("into no vault: %d %s", a.status, a.body)
	}
	admin("POST", "vaults", `{"name":"`+vault+`"}`)
	admin("PUT", "vaults/"+vault+"/grants/"+c.id, everything)
	requireStates(t, "into a vault that was made anew", k.asks(c, "/restore", "secrets/s"),
		"live absent, missing 1, other 0, same 0")
	if a := c.ok("GET", "/secrets/s", ""); a.text("value") != "then" {
		t.Errorf("it is %s", a.body)
	}
}

// Whatever is asked for wrongly changes nothing, and says what is wrong.
func TestBringingBackIsRefused(t *testing.T) {
	k, c := keeping(t, func(c *client) {
		c.ok("PUT", "/secrets/s", `{"value":"then"}`)
		c.ok("PUT", "/secrets/other", `{"value":"then"}`)
	})
	c.gone("secrets/s")
	c.ok("PUT", "/secrets/since", `{"value":"now"}`)
	foreign := newService(t)
	if err := foreign.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	theirs := foreign.operate("GET", snapshotPath, foreign.token, "").body
	before := c.ok("GET", "/secrets", "").body
	vault, _, _ := strings.Cut(c.host, ".")
	good := "?vault=" + vault + "&type=secrets&name=s"
	k.s.usage.take()
	for _, row := range []struct {
		what, query, body string
		status            int
		says              string
	}{
		{"nothing", good, "", 400, "Nothing was brought back"},
		{"no archive", good, "null", 400, "Nothing was brought back"},
		{"cut off", good, k.file[:len(k.file)-20], 400, "Nothing was brought back"},
		{"more", good, k.file + "x", 400, "follows the end"},
		{"another cluster's", good, theirs, 400, "could not verify the snapshot"},
		{"two in one", good, repacked(t, k.file, theirs), 400, "could not verify the snapshot"},
		{"no query", "", k.file, 400, "secrets or keys"},
		{"no such type", "?vault=" + vault + "&type=certificates&name=s", k.file, 400,
			"secrets or keys"},
		{"no vault", "?type=secrets&name=s", k.file, 404, "no vault"},
		{"a path for a vault", "?vault=../x&type=secrets&name=s", k.file, 404, "no vault"},
		{"an unknown vault", "?vault=nowhere&type=secrets&name=s", k.file, 404, "nowhere"},
		{"no name", "?vault=" + vault + "&type=secrets", k.file, 400, "name"},
		{"a path for a name", "?vault=" + vault + "&type=secrets&name=s%2Fversion", k.file, 400,
			"name"},
		{"a name that is a call", "?vault=" + vault + "&type=secrets&name=restore", k.file, 400,
			"name"},
		{"a long name", "?vault=" + vault + "&type=secrets&name=" + strings.Repeat("x", 128), k.file,
			400, "name"},
		{"bytes for a name", "?vault=" + vault + "&type=secrets&name=%00%ff", k.file, 400, "name"},
		{"no version", good + "&version=latest", k.file, 400, "32 hexadecimal digits"},
		{"a version that was not", good + "&version=" + noVersion, k.file, 404, "no version"},
		{"a secret that came since", "?vault=" + vault + "&type=secrets&name=since", k.file, 404,
			"no secret called since"},
		{"a key that was not", "?vault=" + vault + "&type=keys&name=s", k.file, 404,
			"no key called s"},
	} {
		for _, restore := range []string{"", "/restore"} {
			a := k.s.operate("POST", objectPath+restore+row.query, k.s.token, row.body)
			if a.status != row.status || !strings.Contains(a.body, row.says) {
				t.Errorf("%s: %d %s", row.what, a.status, a.body)
			}
			used := k.s.usage.take()
			if len(used) != 1 || used[0]["status"] != float64(row.status) || used[0]["accessor"] == nil {
				t.Errorf("%s: the usage log has %v", row.what, used)
			}
		}
	}
	for _, restore := range []string{"", "/restore"} {
		if a := k.s.operate("POST", objectPath+restore+good, "", k.file); a.status != 403 {
			t.Errorf("without a token: %d %s", a.status, a.body)
		}
	}
	k.s.usage.breakDown(true)
	if a := k.asks(c, "", "secrets/other"); a.status != 500 || strings.Contains(a.body, "versions") {
		t.Errorf("without a usage record: %d %s", a.status, a.body)
	}
	k.s.usage.breakDown(false)
	if after := c.ok("GET", "/secrets", "").body; after != before {
		t.Error("something was changed")
	}
	k.s.operate("PUT", "/v1/sys/seal", k.s.token, "")
	if a := k.asks(c, "/restore", "secrets/s"); a.status != 503 {
		t.Errorf("of a sealed node: %d %s", a.status, a.body)
	}
}
