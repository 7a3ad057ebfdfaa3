package frontdoor

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRestoreObject loses a secret and a key of a cluster of processes, and brings them back
// through each of its nodes, so that followers are among those who are asked.
func TestRestoreObject(t *testing.T) {
	t.Parallel()
	h := own(t, "--nodes=3")
	c := h.caller(t)
	value := private()
	c.okGiven(value, "secret", "set", "lost", "--tag", "owner=billing")
	c.ok("key", "create", "lost", "--kty", "EC")
	version := c.object("secret", "show", "lost").Version
	saved := filepath.Join(c.dir, "saved.snap")
	c.does("operator", "raft", "snapshot", "save", saved)
	restore := func(by *caller, object string, flags ...string) string {
		return by.does(append([]string{"restore-object", object, "--vault", "demo", "--snapshot", saved},
			flags...)...)
	}
	for number := 1; number <= 3; number++ {
		by := c.at(number)
		for _, kind := range []string{"secret", "key"} {
			c.ok(kind, "delete", "lost")
			if said := restore(by, kind+"s/lost"); !strings.Contains(said,
				"keyquorum "+kind+" recover lost") {
				t.Errorf("of what is deleted it says %s", said)
			}
			c.refused(2, "recovered or purged", "restore-object", kind+"s/lost", "--vault", "demo",
				"--snapshot", saved, "--bring-back")
			c.ok(kind, "purge", "lost")
			if said := restore(by, kind+"s/lost"); !strings.Contains(said, "missing") ||
				!strings.Contains(said, "Now it is gone: --bring-back brings it back.") {
				t.Errorf("of what is gone it says %s", said)
			}
			if said := restore(by, kind+"s/lost", "--bring-back"); !strings.Contains(said,
				"What was missing is back: 1 of its versions.") {
				t.Errorf("of what is back it says %s", said)
			}
		}
		if got := c.ok("secret", "show", "lost", "--version", version, "--field=value"); got != value {
			t.Errorf("node %d brings back another value", number)
		}
		c.okGiven("other", "secret", "set", "lost")
		if said := restore(by, "secrets/lost/"+version); !strings.Contains(said, "lacks none of these") ||
			!strings.Contains(said, "owner=billing") {
			t.Errorf("of what lives it says %s", said)
		}
		var found struct {
			Was, Is struct {
				State    string
				Versions int
			}
		}
		said := restore(by, "secrets/lost", "--format=json")
		if err := json.Unmarshal([]byte(said), &found); err != nil || found.Was.Versions != 1 ||
			found.Is.Versions != 2 {
			t.Errorf("%v: %s", err, said)
		}
	}
	h.usedBy(t, "admin/objects/bring-back", 6)

	damaged := c.read(saved)
	damaged[len(damaged)/2] ^= 1
	c.refused(1, "damaged.snap: ", "restore-object", "secrets/lost", "--vault", "demo", "--snapshot",
		c.file("damaged.snap", damaged), "--bring-back")
	foreign := own(t, "--nodes=1").caller(t)
	foreign.refused(2, "could not verify the snapshot", "restore-object", "secrets/lost", "--vault",
		"demo", "--snapshot", saved, "--bring-back")
	for says, args := range map[string]string{
		"--vault":             "secrets/lost --snapshot saved.snap",
		"--snapshot":          "secrets/lost --vault demo",
		"secrets/NAME":        "lost --vault demo --snapshot saved.snap",
		"no such file":        "secrets/lost --vault demo --snapshot nothing.snap",
		"Unknown|unknown|not": "secrets/lost --vault demo --snapshot saved.snap --overwrite",
	} {
		c.refused(1, says, append([]string{"restore-object"}, strings.Fields(args)...)...)
	}
	c.refused(2, "no secret called never", "restore-object", "secrets/never", "--vault", "demo",
		"--snapshot", saved)
	stranger := c.set("KEYQUORUM_TOKEN", "").set("BAO_TOKEN", "").set("VAULT_TOKEN", "")
	stranger.refused(2, "set KEYQUORUM_TOKEN", "restore-object", "secrets/lost", "--vault", "demo",
		"--snapshot", saved)
}

// does is what a call prints, whatever it says of its progress.
func (c *caller) does(args ...string) string {
	c.t.Helper()
	o := c.call(args...)
	if o.code != 0 || plainIn([]byte(o.stdout)) != "" {
		c.t.Fatalf("%v: exit code %d, %s%s", args, o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// at is the caller with a node's address.
func (c *caller) at(number int) *caller {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.house.folder, fmt.Sprintf("env-%d", number)))
	if err != nil {
		c.t.Fatal(err)
	}
	address := regexp.MustCompile(`(?m)^export KEYQUORUM_ADDR=(.*)$`).FindSubmatch(text)
	if address == nil {
		c.t.Fatalf("env-%d has no address", number)
	}
	return c.set("KEYQUORUM_ADDR", string(address[1]))
}

// usedBy counts the lines of an operation that was done, in the usage logs of all nodes.
func (h *house) usedBy(t *testing.T, operation string, want int) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(h.folder, "node*", "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, operation) && strings.Contains(line, `"status":200`) &&
				strings.Contains(line, `"accessor"`) && strings.Contains(line, `"object":"lost"`) &&
				strings.Contains(line, "snapshot=") {
				n++
			}
		}
	}
	if n != want {
		t.Errorf("%d lines of %s, want %d", n, operation, want)
	}
}

// lose puts a secret into the vault of docs/running.md, and gives what purges and what reads it.
func (o *operations) lose(said, address string) (purge func(), read func() string) {
	o.t.Helper()
	value := private()
	o.sh("a", address+"\nkeyquorum grant set payments billing --secrets=all --keys=all", "")
	ask := o.application("a", said)
	ask("PUT", "/secrets/db-password", fmt.Sprintf(`{"value":%q}`, value))
	return func() {
			ask("DELETE", "/secrets/db-password", "")
			ask("DELETE", "/deletedsecrets/db-password", "")
		}, func() string {
			if !strings.Contains(ask("GET", "/secrets/db-password", ""), value) {
				return "another value"
			}
			return "the value"
		}
}

// application is the one that the page has made, at a machine: what it is answered in its vault.
func (o *operations) application(machine, said string) func(method, path, body string) string {
	o.t.Helper()
	id := regexp.MustCompile(`(?m)^Client id\s+(\S+)$`).FindStringSubmatch(said)
	secret := regexp.MustCompile(`(?m)^Client secret\s+(\S+)$`).FindStringSubmatch(said)
	if id == nil || secret == nil {
		o.t.Fatalf("no client id and secret are in %s", said)
	}
	keepCredentialOut(secret[1])
	client := o.client(machine)
	do := func(r *http.Request, err error) []byte {
		o.t.Helper()
		if err != nil {
			o.t.Fatal(err)
		}
		answer, err := client.Do(r)
		if err != nil {
			o.t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode >= 300 {
			o.t.Fatalf("%s %s: %d %s (%v)", r.Method, r.URL, answer.StatusCode, text, err)
		}
		return text
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id[1]},
		"client_secret": {secret[1]}, "scope": {"https://vault.example.org/.default"}}
	r, err := http.NewRequest("POST", "https://login.example.org:8200/adfs/oauth2/v2.0/token",
		strings.NewReader(form.Encode()))
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	var token struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal(do(r, err), &token); err != nil {
		o.t.Fatal(err)
	}
	keepCredentialOut(token.Token)
	return func(method, path, body string) string {
		o.t.Helper()
		r, err := http.NewRequest(method,
			"https://payments.vault.example.org:8200"+path+"?api-version=7.4", strings.NewReader(body))
		if err == nil {
			r.Header.Set("Authorization", "Bearer "+token.Token)
			r.Header.Set("Content-Type", "application/json")
		}
		return string(do(r, err))
	}
}
