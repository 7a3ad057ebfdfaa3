package httpapi_test

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"keyquorum/httpapi"
)

// The error table of Azure Key Vault, row by row and through the wire, for keys and for secrets.
// What can't be had of one node by HTTP is tested elsewhere or isn't there:
//
//	ObjectIsBeingDeleted            a purge stopped between two of its steps: vault.TestPurgeInSteps
//	ObjectIsBeingRecovered          a restore stopped between two of its steps: vault.TestALongRestoreIsResumed
//	429 Throttled                   wherever requests are throttled; headersOfRefusal holds it to Retry-After
//	503 without a leader            testcluster: one node is its own majority
//	503 AuthorityUnreachable        vault: the node of these tests may not ask attestation authorities
//	ForbiddenByRbac, by firewall    there are access policies alone, and no firewall
//	certificates, issuers, contacts there are none yet
//	500 other than UsageRecordFailed only for bugs; a panic: TestPanicsAreAnsweredInThePlanesFormat
//	400 and 431 in plain text       what net/http can't parse it answers itself, before anything of ours

// A wrong is a row: a request and the refusal of it. Message is a regular expression for all of the
// message.
type wrong struct {
	name                 string
	method, path, body   string
	status               int
	code, inner, message string
}

// ask sends the request of a row and holds the answer to it, and to what every refusal must be.
func (w wrong) ask(c *client) {
	c.t.Helper()
	w.check(c.t, c.call(w.method, w.path, w.body))
}

func (w wrong) check(t testing.TB, a answer) {
	t.Helper()
	var body struct {
		Error *struct {
			Code, Message *string
			InnerError    *struct{ Code string }
		}
	}
	strict := json.NewDecoder(strings.NewReader(a.body))
	strict.DisallowUnknownFields()
	if err := strict.Decode(&body); err != nil || body.Error == nil || body.Error.Code == nil ||
		body.Error.Message == nil {
		t.Fatalf("%d, a body that is no error of Azure's: %s", a.status, a.body)
	}
	inner := ""
	if body.Error.InnerError != nil {
		inner = body.Error.InnerError.Code
		if inner == "" || !strings.Contains(a.body, `"innererror":`) {
			t.Errorf("innererror is written %s", a.body)
		}
	}
	if a.status != w.status || *body.Error.Code != w.code || inner != w.inner {
		t.Errorf("%d %s, want %d %s %s", a.status, a.body, w.status, w.code, w.inner)
	}
	if message := w.message; !regexp.MustCompile("^(?:" + message +
		")$").MatchString(*body.Error.Message) {
		t.Errorf("the message %q is not %q", *body.Error.Message, message)
	}
	headersOfRefusal(t, a)
}

func headersOfRefusal(t testing.TB, a answer) {
	t.Helper()
	challenged := a.header.Get("Www-Authenticate") != ""
	waits := a.header.Get("Retry-After") != ""
	if challenged != (a.status == 401) || waits != (a.status == 503 || a.status == 429) ||
		(a.header.Get("Allow") != "") != (a.status == 405) {
		t.Errorf("%d with headers %v", a.status, a.header)
	}
	if a.header.Get("Content-Type") != "application/json; charset=utf-8" ||
		a.header.Get("Location") != "" || a.header.Get("X-Ms-Request-Id") == "" {
		t.Errorf("headers %v", a.header)
	}
}

func (w wrong) run(t *testing.T, c *client) {
	t.Run(w.name, func(t *testing.T) {
		mine := *c
		mine.t = t
		w.ask(&mine)
	})
}

// A kind is a collection as the wire knows it.
type kind struct {
	path, noun, article string
	method, suffix      string // of the request that makes one
	body                string
}

var (
	secretKind = kind{"secrets", "Secret", "A secret", "PUT", "", `{"value":"x"}`}
	keyKind    = kind{"keys", "Key", "A key", "POST", "/create", `{"kty":"EC"}`}
	kinds      = []kind{secretKind, keyKind}
)

func (k kind) missing() string { return k.noun + "NotFound" }

// make adds a version of name; it is disabled where off is true.
func (k kind) make(c *client, name string, off bool) answer {
	c.t.Helper()
	body := k.body
	if off {
		body = strings.TrimSuffix(body, "}") + `,"attributes":{"enabled":false}}`
	}
	return c.ok(k.method, "/"+k.path+"/"+name+k.suffix, body)
}

const noVersion = "0123456789abcdef0123456789abcdef"

// forOne are the operations that need a live object, with bodies that mean something. at is its
// path, with a version where there can be one.
func (k kind) forOne(name, version string) []wrong {
	at, one := "/"+k.path+"/"+name, "/"+k.path+"/"+name
	if version != "" {
		at += "/" + version
	}
	rows := []wrong{{method: "GET", path: at}, {method: "PATCH", path: at, body: `{"tags":{}}`}}
	if version == "" {
		rows = append(rows, wrong{method: "DELETE", path: one},
			wrong{method: "POST", path: one + "/backup"})
	}
	if k.path == "secrets" {
		return rows
	}
	for _, u := range keyUses {
		rows = append(rows, wrong{method: "POST", path: at + "/" + u.op, body: u.body})
	}
	if version == "" {
		policy := `{"lifetimeActions":[],"attributes":{"expiryTime":"P90D"}}`
		rows = append(rows, wrong{method: "GET", path: one + "/rotationpolicy"},
			wrong{method: "PUT", path: one + "/rotationpolicy", body: policy})
	}
	return rows
}

// keyUses are what is done with a key, with bodies that an oct key of 256 bits takes, but for
// release.
var keyUses = []struct{ op, body string }{
	{"sign", `{"alg":"HS256","value":"AAAA"}`},
	{"verify", `{"alg":"HS256","digest":"AAAA","value":"AAAA"}`},
	{"encrypt", `{"alg":"A256GCM","value":"AAAA"}`}, {"decrypt",
		`{"alg":"A256GCM","value":"AAAA","iv":"AAAAAAAAAAAAAAAA","tag":"AAAAAAAAAAAAAAAAAAAAAA"}`},
	{"wrapkey", `{"alg":"A256KW","value":"AAAAAAAAAAAAAAAAAAAAAA"}`},
	{"unwrapkey", `{"alg":"A256KW","value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`},
	{"release", `{"target":"e30.e30.e30"}`},
}

func TestErrorsOfExistence(t *testing.T) {
	c := unsealed(t).application(t, "existence", everything)
	for _, k := range kinds {
		at := "/" + k.path + "/"
		k.make(c, "Live", false)
		k.make(c, "Gone", false)
		blob := c.ok("POST", at+"gone/backup", "").body
		c.ok("DELETE", at+"gone", "")
		missing := func(name string) string {
			return k.article + ` with \(name/id\) ` + name +
				` was not found in this key vault\. If you recently deleted this ` + strings.ToLower(k.noun) +
				` you may be able to ` +
				`recover it using the correct recovery command\. For help resolving this issue, please see https://go\.microsoft\.com/fwlink/\?linkid=2125182`
		}
		for name, rows := range map[string][]wrong{"none": k.forOne("none", ""),
			"gone": k.forOne("gone", ""), "live/" + noVersion: k.forOne("live", noVersion),
			"none/" + noVersion: k.forOne("none", noVersion)} {
			for _, row := range rows {
				row.name = row.method + " " + row.path
				row.status, row.code, row.message = 404, k.missing(), missing(name)
				row.run(t, c)
			}
		}
		for _, name := range []string{"none", "live"} {
			for _, q := range [][2]string{{"GET", ""}, {"POST", "/recover"}, {"DELETE", ""}} {
				wrong{q[0] + " deleted " + k.path + " " + name + q[1], q[0],
					"/deleted" + k.path + "/" + name + q[1], "", 404, k.missing(), "",
					"Deleted " + k.noun + " not found: " + name}.run(t, c)
			}
		}
		deleted := k.noun + ` %s is currently in a deleted but recoverable state, and its name cannot be reused; in this state, the ` +
			strings.ToLower(k.noun) +
			` can only be recovered or purged\.`
		for _, row := range append(k.makers("gone"),
			wrong{method: "POST", path: at + "restore", body: blob}) {
			spelt := "gone"
			if row.body == blob {
				spelt = "Gone" // as the backup has it
			}
			row.name, row.status, row.code, row.inner = row.method+" "+row.path+" while soft-deleted", 409,
				"Conflict", "ObjectIsDeletedButRecoverable"
			row.message = fmt.Sprintf(deleted, spelt)
			row.run(t, c)
		}
		there := c.ok("POST", at+"live/backup", "").body
		wrong{"restore over a live " + k.noun, "POST", at + "restore", there, 409, "Conflict", "",
			k.noun + " Live already exists."}.run(t, c)
	}
	wrong{"rotate nothing", "POST", "/keys/none/rotate", "", 404, "KeyNotFound", "",
		`A key with \(name/id\) none was not found .*`}.run(t, c)
}

// makers are the requests that add a version.
func (k kind) makers(name string) []wrong {
	at := "/" + k.path + "/" + name
	rows := []wrong{{method: k.method, path: at + k.suffix, body: k.body}}
	if k.path == "keys" {
		rows = append(rows, wrong{method: "PUT", path: at, body: octJWK},
			wrong{method: "POST", path: at + "/rotate"})
	}
	return rows
}

const octJWK = `{"key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}}`

func TestErrorsOfState(t *testing.T) {
	c := unsealed(t).application(t, "state-errors", everything)
	old := secretKind.make(c, "off", true).version()
	secretKind.make(c, "off", false)
	disabled := wrong{"get of a disabled version", "GET", "/secrets/off/" + old, "", 403, "Forbidden",
		"SecretDisabled", `Operation get is not allowed on a disabled secret\.`}
	disabled.run(t, c)
	secretKind.make(c, "off", true)
	disabled.name, disabled.path = "get of a disabled latest version, though there is an older one",
		"/secrets/off"
	disabled.run(t, c)

	secretKind.make(c, "off-gone", true)
	c.ok("DELETE", "/secrets/off-gone", "")
	wrong{"get of a disabled deleted secret", "GET", "/deletedsecrets/off-gone", "", 403, "Forbidden",
		"AccessDenied", `Operation get is not permitted on this object\.`}.run(t, c)
	keyKind.make(c, "off-gone", true)
	c.ok("DELETE", "/keys/off-gone", "")
	c.ok("GET", "/deletedkeys/off-gone", "")

	kept := c.elsewhere(`,"purge_protection":true`)
	for _, k := range kinds {
		k.make(kept, "kept", false)
		kept.ok("DELETE", "/"+k.path+"/kept", "")
		wrong{"purge of " + k.path + " with purge protection", "DELETE", "/deleted" + k.path + "/kept",
			"", 403, "Forbidden", "",
			`Operation "purge" is not allowed because purge protection is enabled for this vault\. Key Vault service will automatically purge it after the retention period has passed\.`}.run(t,
			kept)
		wrong{"purge of nothing with purge protection", "DELETE", "/deleted" + k.path + "/none", "", 404,
			k.missing(), "", "Deleted " + k.noun + " not found: none"}.run(t, kept)
	}
}

func TestErrorsOfPermission(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "no-right", `{"keys":["list"],"secrets":["list"]}`)
	name, _, _ := strings.Cut(c.host, ".")
	for _, k := range kinds {
		wrong{"no right to get " + k.path, "GET", "/" + k.path + "/none", "", 403, "Forbidden",
			"ForbiddenByPolicy",
			`The user, group or application 'appid=` + c.id +
				`;oid=[0-9a-f-]{36};iss=https://[^']+' does not have ` + k.path +
				` get permission on key vault '` + name +
				`;location=[a-z0-9-]+'\. For help resolving this issue, please see https://go\.microsoft\.com/fwlink/\?linkid=2125287`}.run(t,
			c)
	}
	c.host = "no-such-vault.vault.localhost:8200"
	wrong{"unknown vault", "GET", "/secrets/s", "", 404, "VaultNotFound", "",
		`There is no vault of this name\.`}.run(t, c)
	c.host = "a.b.vault.localhost:8200"
	wrong{"a host that no vault can have", "GET", "/secrets/s", "", 404, "VaultNotFound", "",
		`No vault has this host name\.`}.run(t, c)
}

func TestErrorsOfIdentity(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "identity-errors", everything)
	challenge := `Bearer authorization="https://login.localhost:8200/adfs", resource="https://vault.localhost:8200"`
	ask := func(name, message string, a answer) {
		t.Run(name, func(t *testing.T) {
			wrong{status: 401, code: "Unauthorized", message: message}.check(t, a)
			if got := a.header["Www-Authenticate"]; len(got) != 1 || got[0] != challenge {
				t.Errorf("challenge %q", got)
			}
		})
	}
	const absent = `AKV10000: Request is missing a Bearer or PoP token\.`
	with := func(authorization string) answer {
		r := httptest.NewRequest("PUT", "/secrets/s",
			nil) // no body, no api-version: the challenge comes before all that
		r.Host = c.host
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		return s.serve(r)
	}
	ask("no token", absent, with(""))
	ask("a scheme alone", absent, with("Bearer"))
	ask("another scheme", absent, with("Basic "+c.token))
	ask("no token of ours", `Error validating token: IDX10511: Signature validation failed\.`,
		with("Bearer e30.e30.e30"))
	ask("a damaged token", `Error validating token: IDX10511: Signature validation failed\.`,
		with("Bearer "+c.token[:len(c.token)-4]+"AAAA"))

	other := httpapi.Zone{Suffix: "other.localhost", Login: "login.other.localhost"}
	two := *s
	two.h = httpapi.New(s.n, httpapi.Config{Zones: []httpapi.Zone{zone, other}})
	defer two.h.Close()
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.id},
		"client_secret": {c.secret}, "scope": {"https://other.localhost/.default"}}
	foreign := *c
	foreign.token = two.login("POST", "/adfs/oauth2/token", form.Encode()).text("access_token")
	if foreign.token == "" {
		t.Fatal("no token for the other zone")
	}
	ask("a token for another zone", `AKV10022: Invalid audience\. .+`,
		foreign.call("GET", "/secrets", ""))

	s.ahead.Store(int64(2 * time.Hour))
	expired := c.call("GET", "/secrets", "")
	s.ahead.Store(int64(-2 * time.Hour))
	early := c.call("GET", "/secrets", "")
	s.ahead.Store(0)
	ask("an expired token", `Error validating token: IDX10223: .+`, expired)
	ask("a token of the future", `Error validating token: IDX10222: .+`, early)
	c.ok("GET", "/secrets", "")
}
