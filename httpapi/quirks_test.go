package httpapi_test

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"testing"
)

// What clients of Azure Key Vault are known to send and to rely on, beside what has a test of its
// own:
//
//	the first request has no token and no body, whatever its method   TestApplicationRoutesWantAToken
//	GET /x/name/, POST /keys/name//op, wrapKey and wrapkey             TestFormsOfPathsThatClientsSend, TestAllSpellingsOfANameAreOneObject
//	api%2Dversion, $skiptoken as %24skiptoken                          TestApiVersionIsRequired, TestTokensOfOtherListingsAreRefused
//	a bare ? and client-request-id at the token endpoint, more scopes  TestOpenIDConfigurationNamesTheHostThatWasAsked, and every test's token
//	dates after 2038 from JavaScript                                   TestTimesAreKeptAsTheyCome, TestWhatStatesOfKeysAllow
//	innererror in lower case                                           the error tables
//	nextLink is called verbatim                                        TestEveryListingIsFollowedToItsEnd
//	HTTP/2, and no redirect                                            TestOverTheNetwork

// Pollers of deletions and recoveries look at the other side until it is there: 404 is "not yet",
// and 403 would end them for callers who may get. What they are shown is what the deletion
// answered, and a recovery changes nothing of an object.
func TestPollersOfDeletionsAndRecoveries(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "pollers", everything)
	for _, k := range kinds {
		k.make(c, "Thing", false)
		at, gone := "/"+k.path+"/thing", "/deleted"+k.path+"/thing"
		before := c.ok("PATCH", at, `{"tags":{"a":"b"},"attributes":{"nbf":2208988800,"exp":2524608000}}`)
		if a := c.call("GET", gone, ""); a.status != 404 || a.at("error", "code") != k.missing() {
			t.Errorf("%s before the deletion: %d %s", k.path, a.status, a.body)
		}
		deleted := c.ok("DELETE", at, "")
		if a := c.ok("GET", gone, ""); a.body != deleted.body {
			t.Errorf("deleted %s is shown as %s, the deletion said %s", k.path, a.body, deleted.body)
		}
		if deleted.json["deletedDate"].(float64)+90*86400 != deleted.json["scheduledPurgeDate"] {
			t.Errorf("dates of %s", deleted.body)
		}
		if a := c.call("GET", at, ""); a.status != 404 ||
			a.at("error", "code") != k.missing() { // the first thing a recovery looks at
			t.Errorf("%s before the recovery: %d %s", k.path, a.status, a.body)
		}
		if a := c.ok("POST", gone+"/recover", ""); a.body != before.body {
			t.Errorf("the recovery says %s, it was %s", a.body, before.body)
		}
		after := c.ok("GET", at, "")
		if fmt.Sprint(after.json["attributes"]) != fmt.Sprint(before.json["attributes"]) ||
			after.version() != before.version() {
			t.Errorf("%s came back as %s, it was %s", k.path, after.body, before.body)
		}
	}
	grant := func(rights string) {
		if a := s.operate("PUT", "/v1/keyquorum/vaults/"+strings.SplitN(c.host, ".", 2)[0]+"/grants/"+
			c.id, s.token, rights); a.status != 200 {
			t.Fatalf("grant: %d %s", a.status, a.body)
		}
	}
	for _, k := range kinds {
		c.ok("DELETE", "/"+k.path+"/thing", "")
	}
	grant(`{"keys":["get"],"secrets":["get"]}`)
	for _, k := range kinds {
		for path, status := range map[string]int{"/deleted" + k.path + "/thing": 200,
			"/deleted" + k.path + "/none": 404, "/" + k.path + "/thing": 404} {
			if a := c.call("GET", path, ""); a.status != status {
				t.Errorf("%s for who may only get: %d %s", path, a.status, a.body)
			}
		}
	}
}

// What a deletion means is said by each bundle, and kept by each deletion.
func TestRecoveryLevels(t *testing.T) {
	c := unsealed(t).application(t, "levels", everything)
	for settings, row := range map[string]struct {
		level string
		days  float64
	}{
		"": {"Recoverable+Purgeable", 90}, `,"purge_protection":true`: {"Recoverable", 90},
		`,"retention_days":7`:                          {"CustomizedRecoverable+Purgeable", 7},
		`,"retention_days":89,"purge_protection":true`: {"CustomizedRecoverable", 89},
	} {
		c := c.elsewhere(settings)
		for _, k := range kinds {
			made := k.make(c, "n", false)
			deleted := c.ok("DELETE", "/"+k.path+"/n", "")
			for _, a := range []answer{made, deleted, c.ok("GET", "/deleted"+k.path+"/n", "")} {
				if a.at("attributes", "recoveryLevel") != row.level ||
					a.at("attributes", "recoverableDays") != row.days {
					t.Errorf("%s in a vault with %q: %s", k.path, settings, a.body)
				}
			}
			if deleted.json["scheduledPurgeDate"] != deleted.json["deletedDate"].(float64)+86400*row.days {
				t.Errorf("%s in a vault with %q: %s", k.path, settings, deleted.body)
			}
		}
	}
}

// The times a change leaves, and those it makes: created is the version's own, updated the last
// change's.
func TestCreatedIsOfEachVersion(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "created", everything)
	defer s.ahead.Store(0)
	for _, k := range kinds {
		s.ahead.Store(0)
		first := k.make(c, "n", false)
		s.ahead.Store(5e9)
		second := k.make(c, "n", false)
		s.ahead.Store(10e9)
		c.ok("PATCH", "/"+k.path+"/n/"+first.version(), `{}`)
		made, changed := first.at("attributes", "created").(float64),
			c.ok("GET", "/"+k.path+"/n/"+first.version(), "")
		if got := second.at("attributes", "created").(float64) - made; got < 4 || got > 6 {
			t.Errorf("%s: the second version came %v s after the first", k.path, got)
		}
		if got := changed.at("attributes", "updated").(float64) - made; changed.at("attributes",
			"created") != made || got < 9 || got > 12 {
			t.Errorf("%s: changed to %s", k.path, changed.body)
		}
	}
}

// Clients verify and encrypt with what a key's bundle shows: numbers come back to the bit,
// coordinates at their curve's full length.
func TestPublicHalvesAreExact(t *testing.T) {
	c := unsealed(t).application(t, "public-halves", everything)
	b64 := base64.RawURLEncoding.EncodeToString
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	n, e := b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes())
	jwk := fmt.Sprintf(`"kty":"RSA","n":"%s","e":"%s","d":"%s","p":"%s","q":"%s","dp":"%s","dq":"%s","qi":"%s"`,
		n, e, b64(key.D.Bytes()),
		b64(key.Primes[0].Bytes()), b64(key.Primes[1].Bytes()), b64(key.Precomputed.Dp.Bytes()),
		b64(key.Precomputed.Dq.Bytes()), b64(key.Precomputed.Qinv.Bytes()))
	a := c.ok("PUT", "/keys/r",
		`{"Hsm":true,"key":{`+jwk+`,"key_ops":["verify","encrypt","wrapKey"],"kid":"x"}}`)
	if a.at("key", "n") != n || a.at("key", "e") != e || a.at("key", "kty") != "RSA-HSM" ||
		!strings.Contains(a.body, `"key_ops":["verify","encrypt","wrapKey"]`) {
		t.Errorf("%s", a.body)
	}
	for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
		if a.at("key", private) != nil {
			t.Errorf("the answer shows %s", private)
		}
	}
	for curve, bytes := range map[string]int{"P-256": 32, "P-256K": 32, "P-384": 48, "P-521": 66} {
		for range 6 { // one in 256 begins with a zero; for P-521 one in two does
			a := c.ok("POST", "/keys/e/create", `{"kty":"EC-HSM","crv":"`+curve+`"}`)
			for _, member := range []string{"x", "y"} {
				if raw, err := base64.RawURLEncoding.DecodeString(a.at("key", member).(string)); err != nil ||
					len(raw) != bytes {
					t.Errorf("%s: %s has %d bytes: %v", curve, member, len(raw), err)
				}
			}
			if a.at("key", "crv") != curve || a.at("key", "kty") != "EC-HSM" {
				t.Errorf("%s", a.body)
			}
		}
	}
	if a := c.ok("POST", "/keys/o/create",
		`{"kty":"oct-HSM"}`); len(a.json["key"].(map[string]any)) != 3 {
		t.Errorf("a symmetric key shows more than kid, kty and key_ops: %s", a.body)
	}
}

// Ids have a collection, a name, and a version of 32 lower-case digits; times are whole seconds;
// nothing binary has padding.
func TestFormsOfAnswers(t *testing.T) {
	c := unsealed(t).application(t, "answer-forms", everything)
	id := regexp.MustCompile(`"https://[^"/]+/(?:deleted)?(?:keys|secrets)/[0-9A-Za-z-]+(?:/(?:[0-9a-f]{32}|rotationpolicy))?"`)
	url := regexp.MustCompile(`"https://[^"]*"`)
	number := regexp.MustCompile(`":(-?[0-9][^,}\]]*)`)
	for _, k := range kinds {
		at := "/" + k.path + "/Name"
		answers := []answer{c.ok(k.method, at+k.suffix,
			strings.TrimSuffix(k.body, "}")+`,"attributes":{"nbf":0,"exp":253402300799}}`)}
		for _, q := range []string{"GET " + at, "GET " + at + "/versions", "GET /" + k.path,
			"PATCH " + at, "POST " + at + "/backup", "DELETE " + at, "GET /deleted" + k.path,
			"GET /deleted" + k.path + "/name",
			"POST /deleted" + k.path + "/name/recover"} {
			method, path, _ := strings.Cut(q, " ")
			answers = append(answers, c.ok(method, path, ""))
		}
		if k.path == "keys" {
			answers = append(answers, c.ok("PUT", at+"/rotationpolicy",
				`{"attributes":{"expiryTime":"P90D"}}`), c.ok("POST", at+"/rotate", ""))
		}
		for _, a := range answers {
			for _, u := range url.FindAllString(a.body, -1) {
				if !id.MatchString(u) {
					t.Errorf("%s is no id: %s", u, a.body)
				}
			}
			for _, n := range number.FindAllStringSubmatch(a.body, -1) {
				if strings.ContainsAny(n[1], ".eE") {
					t.Errorf("%s is no integer: %s", n[1], a.body)
				}
			}
			if strings.Contains(a.body, "=") || a.at("attributes", "recoverableDays") != nil &&
				a.at("attributes", "recoveryLevel") != "Recoverable+Purgeable" {
				t.Errorf("%s", a.body)
			}
		}
	}
}

// Empty and null members are not supplied.
func TestEmptyMembersAreNotSupplied(t *testing.T) {
	c := unsealed(t).application(t, "empty-members", everything)
	const empty = `"attributes":{},"tags":{},"key_ops":[],"release_policy":{},"contentType":null`
	const null = `"attributes":null,"tags":null,"key_ops":null,"release_policy":null,"contentType":null,"key_size":null,"crv":null,"Hsm":null`
	for _, nothing := range []string{empty, null} {
		c.ok("PUT", "/secrets/s", `{"value":"x",`+nothing+`}`)
		c.ok("POST", "/keys/k/create", `{"kty":"EC",`+nothing+`}`)
		c.ok("PUT", "/keys/i",
			`{"key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","key_ops":[],"kid":null,"n":null},`+nothing+
				`}`)
		for _, path := range []string{"/secrets/s", "/keys/k", "/keys/i"} {
			c.ok("PATCH", path, `{"tags":{"a":"b"},"attributes":{"enabled":true,"exp":4102444800}}`)
			before := c.ok("GET", path, "")
			c.ok("PATCH", path, `{`+strings.Replace(nothing, `"tags":{},`, "", 1)+
				`}`) // tags that are supplied replace the others
			after := c.ok("GET", path, "")
			if fmt.Sprint(before.json["tags"], before.json["key"], before.at("attributes",
				"exp")) != fmt.Sprint(after.json["tags"], after.json["key"], after.at("attributes", "exp")) {
				t.Errorf("%s became %s by %s", before.body, after.body, nothing)
			}
		}
	}
	c.ok("PATCH", "/secrets/s", `{"tags":{}}`)
	if a := c.ok("GET", "/secrets/s", ""); a.json["tags"] != nil {
		t.Errorf("tags that were taken away: %s", a.body)
	}
	c.ok("PATCH", "/secrets/s", "")
	c.ok("POST", "/keys/k/backup", "null")
}

// Whatever a path holds, it is answered where it was asked for.
func TestNothingIsRedirected(t *testing.T) {
	c := unsealed(t).application(t, "redirects", everything)
	keyKind.make(c, "n", false)
	for _, path := range []string{"/", "//", "/keys/..", "/keys/./n", "/keys/n/../n", "/keys/n/.",
		"/keys//n//", "/./keys/n", "/keys/%2e%2e/n", "//keys", "/keys/n/versions//", "/secrets/%2F",
		"/index.html", "/favicon.ico"} {
		for _, method := range []string{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"} {
			if method == "DELETE" && strings.Contains(path, "//n") {
				continue // that is one
			}
			a := c.call(method, path, "{}")
			if a.status/100 == 3 || a.header.Get("Location") != "" || a.status != 200 && a.status != 400 &&
				a.status != 404 && a.status != 405 {
				t.Errorf("%s %s: %d %v %s", method, path, a.status, a.header, a.body)
			}
		}
	}
}
