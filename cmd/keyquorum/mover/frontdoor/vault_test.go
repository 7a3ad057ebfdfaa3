package frontdoor

import (
	"encoding/base64"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// forEach runs a test with each server, and a destination of its own.
func forEach(t *testing.T, test func(t *testing.T, s *server, e environment)) {
	for _, name := range slices.Sorted(maps.Keys(servers)) {
		t.Run(name, func(t *testing.T) {
			s := servers[name](t)
			test(t, s, s.from(cluster(t, "--vault=new")))
		})
	}
}

func TestFromKV2(t *testing.T) {
	forEach(t, func(t *testing.T, s *server, e environment) {
		s.put(t, "apps/db", map[string]any{"password": "one"})
		s.put(t, "apps/db", map[string]any{"password": "lost"})
		s.do(t, http.MethodDelete, "secret/data/apps/db", nil)
		s.put(t, "apps/db", map[string]any{"password": "three", "port": 5432, "gone": "x"})
		s.put(t, "apps/db", map[string]any{"password": "four\n", "port": 5432,
			"options": map[string]any{"tls": true, "hosts": []string{"a", "b"}}})
		s.do(t, http.MethodPost, "secret/metadata/apps/db",
			map[string]any{"custom_metadata": map[string]string{"owner": "ops"}})
		s.put(t, "apps/db/replica", map[string]any{"ü!": "umlaut"})
		s.put(t, "top", map[string]any{"value": ""})
		want := map[string]string{
			"apps-db-password": "to move", "apps-db-port": "to move", "apps-db-options": "to move",
			"apps-db-replica": "to move", "top-value": "to move",
		}
		args := []string{"vault", "--mount", "secret"}
		p := e.plan(t, args...)
		p.expect(t, want)
		if r := p.row(t, "apps-db-password"); r.Versions != 3 ||
			!slices.Contains(r.Left, "1 deleted version") {
			t.Errorf("the password: %+v", r)
		}
		if names := e.must(t, "secret", "list", "-q"); names != "" {
			t.Errorf("the plan has written %s", names)
		}
		e.plan(t, append(args, "--apply")...)
		from := s.address + "/v1/secret/data/apps/db"
		passwords := map[string]string{from + "#password/1": "one", from + "#password/3": "three",
			from + "#password/4": "four\n"}
		if got := e.values(t, "apps-db-password"); !maps.Equal(got, passwords) {
			t.Errorf("the passwords are %q, want %q", got, passwords)
		}
		for name, value := range map[string]string{"apps-db-password": "four\n", "apps-db-port": "5432",
			"apps-db-options": `{"hosts":["a","b"],"tls":true}`, "apps-db-replica": "umlaut",
			"top-value": ""} {
			if o := e.show(t, "secret", name); o.Value != value ||
				strings.HasPrefix(name, "apps-db-p") && o.Tags["owner"] != "ops" {
				t.Errorf("%s is %+v", name, o)
			}
		}
		if o := e.show(t, "secret", "apps-db-options"); o.ContentType != "application/json" {
			t.Errorf("the options are %s", o.ContentType)
		}
		s.put(t, "top", map[string]any{"value": "now"})
		again := e.plan(t, append(args, "--apply")...)
		if again.Versions != 1 || again.Summary["there"] != 4 || again.row(t, "top-value").State !=
			"moved" {
			t.Errorf("the second run: %+v", again)
		}
	})
}

// TestKVBelowAPath names secrets by what follows --path, and can make one of each path.
func TestKVBelowAPath(t *testing.T) {
	forEach(t, func(t *testing.T, s *server, e environment) {
		s.put(t, "teams/billing/db", map[string]any{"user": "app", "password": "p"})
		s.put(t, "teams/billing/db", map[string]any{"user": "app", "password": "q"})
		s.put(t, "teams/other", map[string]any{"x": "y"})
		below := []string{"vault", "--mount=secret/", "--path", "/teams/billing/"}
		e.plan(t, below...).expect(t, map[string]string{"db-user": "to move", "db-password": "to move"})
		whole := append(below, "--json", "--versions=newest")
		e.plan(t, append(whole, "--apply")...).expect(t, map[string]string{"db": "moved"})
		if o := e.show(t, "secret", "db"); o.Value != `{"password":"q","user":"app"}` ||
			o.ContentType != "application/json" || len(e.versions(t, "secret", "db")) != 1 {
			t.Errorf("db is %+v", o)
		}
		leaf := e.plan(t, "vault", "--mount=secret", "--path=teams/other")
		leaf.expect(t, map[string]string{"other-x": "to move"})
	})
}

// TestFromKV1 moves a mount without versions, and what has changed there since.
func TestFromKV1(t *testing.T) {
	forEach(t, func(t *testing.T, s *server, e environment) {
		s.do(t, http.MethodPost, "old/a/b", map[string]any{"c": "one", "d": "same"})
		args := []string{"vault", "--mount", "old", "--apply"}
		e.plan(t, args...).expect(t, map[string]string{"a-b-c": "moved", "a-b-d": "moved"})
		e.plan(t, args...).expect(t, map[string]string{"a-b-c": "there", "a-b-d": "there"})
		s.do(t, http.MethodPost, "old/a/b", map[string]any{"c": "two", "d": "same"})
		e.plan(t, args...).expect(t, map[string]string{"a-b-c": "moved", "a-b-d": "there"})
		e.plan(t, args...).expect(t, map[string]string{"a-b-c": "there", "a-b-d": "there"})
		if o := e.show(t, "secret", "a-b-c"); o.Value != "two" || len(e.versions(t, "secret",
			"a-b-c")) != 2 {
			t.Errorf("it is %+v", o)
		}
	})
}

// TestWhatKVHasAndNoVaultTakes is named row by row before anything is written.
func TestWhatKVHasAndNoVaultTakes(t *testing.T) {
	forEach(t, func(t *testing.T, s *server, e environment) {
		many := map[string]any{}
		for i := range 101 {
			many["f"+strconv.Itoa(i)] = "v"
		}
		s.put(t, "many", many)
		s.put(t, "long", map[string]any{"v": strings.Repeat("a", 25_601), "ok": strings.Repeat("a",
			25_600)})
		s.put(t, "bytes", map[string]any{"v": "a\ufffdb", "nested": []string{"\ufffd"}})
		s.put(t, "none", map[string]any{"v": nil})
		s.put(t, "a/b", map[string]any{"c": "1"})
		s.put(t, "A-B", map[string]any{"c": "2"})
		s.put(t, strings.Repeat("n", 126), map[string]any{"v": "1"})
		s.put(t, "–", map[string]any{"–": "no letter"})
		s.put(t, "off", map[string]any{"v": "1"})
		s.do(t, http.MethodDelete, "secret/data/off", nil)
		s.put(t, "tagged", map[string]any{"v": "1"})
		custom := map[string]string{}
		for i := range 15 {
			custom["t"+strconv.Itoa(i)] = "v"
		}
		s.do(t, http.MethodPost, "secret/metadata/tagged", map[string]any{"custom_metadata": custom})
		want := map[string]string{
			"many": "stays: 101 fields", "long-v": "stays: 25601 bytes", "long-ok": "to move",
			"bytes-v": "stays: no text", "bytes-nested": "stays: no text", "none-v": "stays: null",
			"a-b-c": "stays: its name would be that of", "A-B-c": "stays: its name would be that of",
			strings.Repeat("n", 126) + "-v": "stays: 128 characters", "": "stays: 0 characters",
			"off": "stays: deleted", "tagged-v": "stays: 15 tags",
		}
		args := []string{"vault", "--mount", "secret"}
		e.plan(t, args...).expect(t, want)
		done := e.plan(t, append(args, "--apply")...)
		if names := e.must(t, "secret", "list", "-q"); names != "long-ok\n" || done.Versions != 1 {
			t.Errorf("there are %s", names)
		}
		rest := e.plan(t, append(args, "--apply", "--no-tags", "--json", "--path=tagged")...)
		rest.expect(t, map[string]string{"tagged": "moved"})
	})
}

func TestFromTransit(t *testing.T) {
	forEach(t, func(t *testing.T, s *server, e environment) {
		kinds := []string{"rsa-2048", "ecdsa-p256", "ecdsa-p384", "ecdsa-p521", "aes128-gcm96",
			"aes256-gcm96", "hmac"}
		want := map[string]string{"fixed": "stays: not exportable", "derived": "stays: derived",
			"edwards": "stays: no vault takes a key of type ed25519"}
		for _, kind := range kinds {
			in := map[string]any{"type": kind, "exportable": true}
			if kind == "hmac" {
				in["key_size"] = 32
			}
			s.do(t, http.MethodPost, "transit/keys/k-"+kind, in)
			want["k-"+kind] = "to move"
		}
		s.do(t, http.MethodPost, "transit/keys/fixed", map[string]any{"type": "rsa-2048"})
		s.do(t, http.MethodPost, "transit/keys/derived",
			map[string]any{"type": "aes256-gcm96", "derived": true, "exportable": true})
		s.do(t, http.MethodPost, "transit/keys/edwards", map[string]any{"type": "ed25519",
			"exportable": true})
		for _, name := range []string{"k-rsa-2048", "k-aes256-gcm96", "k-ecdsa-p256"} {
			s.do(t, http.MethodPost, "transit/keys/"+name+"/rotate", nil)
		}
		args := []string{"vault", "--mount", "transit"}
		e.plan(t, args...).expect(t, want)
		if names := e.must(t, "key", "list", "-q"); names != "" {
			t.Errorf("the plan has written %s", names)
		}
		if done := e.plan(t, append(args, "--apply")...); done.Versions != len(kinds)+3 {
			t.Errorf("done: %+v", done)
		}
		for _, kind := range kinds[:4] {
			s.samePublicKeys(t, e, "k-"+kind)
		}
		for _, kind := range []string{"aes128-gcm96", "aes256-gcm96"} {
			s.opensHere(t, e, "k-"+kind)
		}
		if ops := e.show(t, "key", "k-hmac").Operations; !slices.Equal(ops, []string{"sign", "verify"}) {
			t.Errorf("an HMAC key may %q", ops)
		}
		if again := e.plan(t, append(args, "--apply")...); again.Summary["there"] != len(kinds) ||
			again.Versions != 0 {
			t.Errorf("the second run: %+v", again)
		}
		s.do(t, http.MethodPost, "transit/keys/k-hmac/rotate", nil)
		if later := e.plan(t, append(args, "--apply")...); later.Versions != 1 {
			t.Errorf("after a rotation: %+v", later)
		}
	})
}

// samePublicKeys compares each version with the one that it came from.
func (s *server) samePublicKeys(t *testing.T, e environment, name string) {
	t.Helper()
	theirs, _ := s.do(t, http.MethodGet, "transit/keys/"+name, nil)["keys"].(map[string]any)
	ours := e.versions(t, "key", name)
	if len(ours) != len(theirs) {
		t.Errorf("%s has %d versions, want %d", name, len(ours), len(theirs))
	}
	newest := strconv.Itoa(len(theirs))
	for _, v := range ours {
		origin := e.show(t, "key", name, "--version", v.Version).Tags["imported-from"]
		number := origin[strings.LastIndex(origin, "/")+1:]
		want, _ := theirs[number].(map[string]any)["public_key"].(string)
		got := e.must(t, "key", "download", name, "--version", v.Version)
		if want == "" || strings.TrimSpace(got) != strings.TrimSpace(want) {
			t.Errorf("version %s of %s is another key", number, name)
		}
	}
	if got := e.show(t, "key", name).Tags["imported-from"]; !strings.HasSuffix(got, "/"+newest) {
		t.Errorf("the newest version of %s is that of %s", name, got)
	}
}

// opensHere decrypts with the key that was moved what transit has encrypted: a nonce of 12 bytes,
// the ciphertext, and a tag of 16.
func (s *server) opensHere(t *testing.T, e environment, name string) {
	t.Helper()
	text := base64.StdEncoding.EncodeToString([]byte("from transit"))
	sealed, _ := s.do(t, http.MethodPost, "transit/encrypt/"+name,
		map[string]any{"plaintext": text})["ciphertext"].(string)
	b, err := base64.StdEncoding.DecodeString(sealed[strings.LastIndex(sealed, ":")+1:])
	if err != nil || len(b) < 28 {
		t.Fatalf("%q: %v", sealed, err)
	}
	url := base64.RawURLEncoding.EncodeToString
	algorithm := "A256GCM"
	if strings.Contains(name, "128") {
		algorithm = "A128GCM"
	}
	got := e.must(t, "key", "decrypt", name, "--algorithm", algorithm, "--out=-", "--iv", url(b[:12]),
		"--auth-tag", url(b[len(b)-16:]), "--value", url(b[12:len(b)-16]))
	if got != "from transit" {
		t.Errorf("%s opens it to %q", name, got)
	}
}

// TestVaultsThatRefuse ends with one line that says what to look at.
func TestVaultsThatRefuse(t *testing.T) {
	forEach(t, func(t *testing.T, s *server, e environment) {
		s.put(t, "a", map[string]any{"b": "c"})
		all := []string{"import", "vault", "--mount", "secret"}
		other := filepath.Join(t.TempDir(), "none.pem")
		if err := os.WriteFile(other, []byte("none"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			e    environment
			code int
			says string
			args []string
		}{
			{e, 1, "which mount?", []string{"import", "vault"}},
			{e, 1, "no part of it is ..", append(all, "--path=a/../../sys")},
			{e, 2, "is there no mount nothing", []string{"import", "vault", "--mount=nothing"}},
			{e, 1, "say --mount secret --path a", []string{"import", "vault", "--mount=secret/a"}},
			{e, 1, "of type pki: kv and transit", []string{"import", "vault", "--mount=pki"}},
			{e, 1, "--path and --json are for KV",
				[]string{"import", "vault", "--mount=transit", "--json"}},
			{e.with("VAULT_TOKEN", "s.wrong"), 2, "(403)", all},
			{e.with("VAULT_TOKEN", ""), 1, "Set VAULT_TOKEN or BAO_TOKEN", all},
			{e.with("KEYQUORUM_TOKEN", s.token), 1, "operators' token of your Keyquorum", all},
			{e.with("VAULT_ADDR", ""), 1, "set VAULT_ADDR", all},
			{e.with("VAULT_ADDR", "http://vault.example.org:8200"), 1, "in the clear", all},
			{e.with("VAULT_ADDR", "https://127.0.0.1:1"), 2, "connection refused", all},
			{e.with("VAULT_CACERT", ""), 2, "--from-ca-cert (VAULT_CACERT)", all},
			{e.with("VAULT_CACERT", other), 1, "holds no PEM certificate", all},
		} {
			c.e.refused(t, c.code, c.says, c.args...)
		}
		if names := e.must(t, "secret", "list", "-q"); names != "" {
			t.Errorf("it has written %s", names)
		}
	})
}
