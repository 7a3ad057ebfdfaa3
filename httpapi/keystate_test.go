package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
)

// What may be done with a key in which state, through the wire: the table of states of Azure Key
// Vault. Each row is a key of its own, of a type that signs, encrypts and wraps.
func TestWhatStatesOfKeysAllow(t *testing.T) {
	c := unsealed(t).application(t, "key-states", everything)
	const ops = `"key_ops":["sign","verify","encrypt","decrypt","wrapKey","unwrapKey"]`
	for state, row := range map[string]struct {
		attributes string
		produce    string // innererror of encrypt, wrapKey and sign; "" where they are allowed
		consume    string // and of decrypt, unwrapKey and verify
		release    string
	}{
		"in its window":    {`{"nbf":1,"exp":4102444800}`, "", "", ""},
		"without a window": {`{}`, "", "", ""},
		"before its nbf":   {`{"nbf":4102444800}`, "KeyNotYetValid", "", ""},
		"after its exp":    {`{"exp":1}`, "KeyExpired", "", ""},
		"disabled":         {`{"enabled":false}`, "KeyDisabled", "KeyDisabled", "KeyDisabled"},
		"disabled and expired": {`{"enabled":false,"exp":1}`, "KeyDisabled", "KeyDisabled",
			"KeyDisabled"},
		"JavaScript's 2050": {`{"exp":-1769367296}`, "KeyExpired", "", ""},
	} {
		t.Run(state, func(t *testing.T) {
			c := *c
			c.t = t
			name := strings.NewReplacer(" ", "-", "'", "").Replace(state)
			version := c.ok("POST", "/keys/"+name+"/create",
				`{"kty":"oct-HSM","key_size":256,`+ops+`}`).version()
			at := "/keys/" + name + "/" + version
			bodies := usable(&c, at)
			c.ok("PATCH", at, `{"attributes":`+row.attributes+`}`)
			for _, path := range []string{"/keys/" + name, at, "/keys/" + name + "/versions",
				"/keys/" + name + "/rotationpolicy"} {
				c.ok("GET", path, "")
			}
			c.ok("POST", "/keys/"+name+"/backup", "")
			c.ok("POST", "/keys/"+name+"/rotate", "") // the version that this makes has a life of its own
			for op, body := range bodies {
				want := row.consume
				if op == "sign" || op == "encrypt" || op == "wrapkey" {
					want = row.produce
				}
				a := c.call("POST", at+"/"+op, body)
				if want == "" {
					if a.status != 200 {
						t.Errorf("%s: %d %s", op, a.status, a.body)
					}
					continue
				}
				if a.status != 403 || a.at("error", "code") != "Forbidden" ||
					a.at("error", "innererror", "code") != want {
					t.Errorf("%s: %d %s, want %s", op, a.status, a.body, want)
				}
				if word := opWord(op); !strings.HasPrefix(fmt.Sprint(a.at("error", "message")),
					"Operation "+word+" is not allowed on a") {
					t.Errorf("%s: %s", op, a.body)
				}
				if a := c.call("POST", "/keys/"+name+"/"+op, body); a.status == 403 {
					t.Errorf("%s with the new version: %s", op, a.body)
				}
			}
			if a := c.call("POST", at+"/release",
				`{"target":"x"}`); a.status == 403 != (row.release != "") || row.release == "" &&
				a.status != 400 {
				t.Errorf("release: %d %s", a.status, a.body)
			}
		})
	}
}

// opWord is an operation as messages and key_ops spell it.
func opWord(op string) string { return strings.Replace(op, "key", "Key", 1) }

// usable gives bodies of all uses that this key carries out.
func usable(c *client, at string) map[string]string {
	encrypted := c.ok("POST", at+"/encrypt", `{"alg":"A256GCM","value":"AAAA","aad":"AQ"}`)
	wrapped := c.ok("POST", at+"/wrapkey", `{"alg":"A256KW","value":"AAAAAAAAAAAAAAAAAAAAAA"}`)
	signed := c.ok("POST", at+"/sign", `{"alg":"HS256","value":"AAAA"}`)
	return map[string]string{
		"sign":    `{"alg":"HS256","value":"AAAA"}`,
		"encrypt": `{"alg":"A256GCM","value":"AAAA"}`,
		"wrapkey": `{"alg":"A256KW","value":"AAAAAAAAAAAAAAAAAAAAAA"}`,
		"verify":  `{"alg":"HS256","digest":"AAAA","value":"` + signed.text("value") + `"}`,
		"decrypt": fmt.Sprintf(`{"alg":"A256GCM","value":"%s","iv":"%s","tag":"%s","aad":"AQ"}`,
			encrypted.text("value"), encrypted.text("iv"), encrypted.text("tag")),
		"unwrapkey": `{"alg":"A256KW","value":"` + wrapped.text("value") + `"}`,
	}
}

// key_ops are looked at last of a key's state, and before what the body means.
func TestKeyOpsAreHeldToLast(t *testing.T) {
	c := unsealed(t).application(t, "key-ops", everything)
	c.ok("POST", "/keys/idle/create", `{"kty":"oct","key_ops":["export"]}`)
	use := func(inner func(op string) string) {
		t.Helper()
		for _, u := range keyUses {
			if u.op == "release" {
				continue // it is no key_op
			}
			a := c.call("POST", "/keys/idle/"+u.op, `{"alg":"nonsense"}`)
			if a.status != 403 || a.at("error", "innererror", "code") != inner(u.op) {
				t.Errorf("%s: %d %s", u.op, a.status, a.body)
			}
			if want := "Operation " + opWord(u.op) +
				" is not permitted on this key."; inner(u.op) == "KeyOperationForbidden" &&
				a.at("error", "message") != want {
				t.Errorf("%s: %s", u.op, a.body)
			}
		}
	}
	use(func(string) string { return "KeyOperationForbidden" })
	c.ok("PATCH", "/keys/idle", `{"attributes":{"exp":1}}`)
	use(func(op string) string {
		if op == "sign" || op == "encrypt" || op == "wrapkey" {
			return "KeyExpired"
		}
		return "KeyOperationForbidden"
	})
	c.ok("PATCH", "/keys/idle", `{"attributes":{"enabled":false}}`)
	use(func(string) string { return "KeyDisabled" })
}
