package httpapi_test

import (
	"fmt"
	"strings"
	"testing"
)

func TestErrorsOfRequests(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "request-errors", everything)
	c.ok("POST", "/keys/ec/create", `{"kty":"EC"}`)
	const syntax, invalid = `The request body .+`, `Property %s has invalid value(: .+\.)?`
	bad := func(name, method, path, body, message string) {
		wrong{name, method, path, body, 400, "BadParameter", "", message}.run(t, c)
	}
	for name, body := range map[string]string{"malformed JSON": `{"value":`, "no object": `[]`,
		"text behind the object": `{}x`} {
		bad(name+" in a secret", "PUT", "/secrets/s", body, syntax)
		bad(name+" in a key", "POST", "/keys/k/create", body, syntax)
		bad(name+" in an import", "PUT", "/keys/k", body, syntax)
		bad(name+" in a restore", "POST", "/keys/restore", body, syntax)
		bad(name+" in a policy", "PUT", "/keys/ec/rotationpolicy", body, syntax)
		bad(name+" for random bytes", "POST", "/rng", body, syntax)
		bad(name+" in a release", "POST", "/keys/ec/release", body, syntax)
	}
	for _, k := range kinds {
		for _, name := range []string{"a_b", "a%2fb", "%00", "n%C3%A4me", strings.Repeat("a", 128),
			"restore", "Restore"} {
			bad("the name "+name+" for "+k.path, "GET", "/"+k.path+"/"+name, "",
				`The request URI contains an invalid name: .+`)
			bad("the deleted name "+name+" for "+k.path, "GET", "/deleted"+k.path+"/"+name, "",
				`The request URI contains an invalid name: .+`)
		}
		for _, version := range []string{"x", strings.ToUpper(noVersion), noVersion + "0",
			noVersion[1:]} {
			bad("the version "+version+" for "+k.path, "GET", "/"+k.path+"/ec/"+version, "",
				`The request URI contains an invalid version: .+`)
		}
		wrong{"an unknown path below " + k.path, "GET", "/" + k.path + "/a/b/c/d", "", 404, "NotFound",
			"", `No such path\.`}.run(t, c)
		wrong{"a method that " + k.path + " does not have", "POST", "/" + k.path, "", 405,
			"MethodNotAllowed", "", `The path does not have this method\.`}.run(t, c)
		bad("no backup for "+k.path, "POST", "/"+k.path+"/restore", `{"value":"AAAA"}`,
			`Backup blob contains invalid or corrupt version\.`)
		bad("an empty restore for "+k.path, "POST", "/"+k.path+"/restore", `{}`,
			`Property value is required\.`)
	}
	wrong{"an unknown collection", "GET", "/nowhere/s", "", 404, "NotFound", "",
		`No such path\.`}.run(t, c)
	for name, row := range map[string][2]string{
		"kty": {`{"kty":"DSA"}`, "kty"}, "no kty": {`{}`, "kty"},
		"kty in lower case": {`{"kty":"ec"}`, "kty"}, "crv": {`{"kty":"EC","crv":"P-224"}`, "crv"},
		"RSA size":                 {`{"kty":"RSA","key_size":1024}`, "key_size"},
		"oct size":                 {`{"kty":"oct","key_size":64}`, "key_size"},
		"exponent":                 {`{"kty":"RSA","public_exponent":3}`, "public_exponent"},
		"key_ops":                  {`{"kty":"EC","key_ops":["dance"]}`, "key_ops"},
		"key_ops twice":            {`{"kty":"EC","key_ops":["sign","sign"]}`, "key_ops"},
		"a size that is no number": {`{"kty":"RSA","key_size":"2048"}`, "key_size"},
	} {
		bad("create: "+name, "POST", "/keys/k/create", row[0], fmt.Sprintf(invalid, row[1]))
	}
	for name, row := range map[string][2]string{
		"no key": {`{}`, "key.kty"}, "no kty": {`{"key":{}}`, "key.kty"},
		"no k":    {`{"key":{"kty":"oct"}}`, "key.k"},
		"short k": {`{"key":{"kty":"oct","k":"AAAA"}}`, "key.k"},
		"a curve": {`{"key":{"kty":"EC","crv":"P-224"}}`,
			"key.crv"}, "no d": {`{"key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`, "key.d"},
		"no n":            {`{"key":{"kty":"RSA"}}`, "key.n"},
		"a key in a list": {`{"key":[]}`, "key"},
		"Hsm as text":     {`{"Hsm":"yes","key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"}}`, "Hsm"},
	} {
		bad("import: "+name, "PUT", "/keys/k", row[0], fmt.Sprintf(invalid, row[1]))
	}
	for name, row := range map[string][3]string{
		"unknown algorithm": {"sign", `{"alg":"XX","value":"AAAA"}`, fmt.Sprintf(invalid,
			"alg")}, "no algorithm": {"verify", `{}`, `Property alg is required\.`},
		"the algorithm of another key": {"sign", `{"alg":"RS256","value":"AAAA"}`,
			`Key and signing algorithm combination is not supported\.`},
		"the algorithm of another operation": {"sign", `{"alg":"RSA-OAEP","value":"AAAA"}`,
			fmt.Sprintf(invalid, "alg")},
		"short digest": {"sign", `{"alg":"ES256","value":"AAAA"}`,
			fmt.Sprintf(invalid, "value")},
		"short digest to verify": {"verify", `{"alg":"ES256","digest":"AAAA","value":"AAAA"}`,
			fmt.Sprintf(invalid, "digest")},
		"no release policy": {"release", `{"target":"x"}`, `The key has no release policy\.`},
	} {
		bad("use: "+name, "POST", "/keys/ec/"+row[0], row[1], row[2])
	}
	for _, body := range []string{`{}`, `{"count":0}`, `{"count":129}`, `{"count":-1}`} {
		bad("random bytes: "+body, "POST", "/rng", body, `Property count must be from 1 to 128\.`)
	}
	bad("the exp of a secret before its nbf", "PUT", "/secrets/s",
		`{"value":"x","attributes":{"nbf":2,"exp":1}}`, `Property exp is before nbf\.`)
	bad("the exp of a key before its nbf", "POST", "/keys/k/create",
		`{"kty":"EC","attributes":{"nbf":2,"exp":1}}`, `Property exp is before nbf\.`)
	bad("an unknown consistency", "GET", "/secrets?maxresults=0", "",
		`maxresults must be between 1 and 25\.`)
}

// What an operator has switched off, or taken away.
func TestErrorsOfVaultsThatWereChanged(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "changed-vault", everything)
	name, _, _ := strings.Cut(c.host, ".")
	change := func(method, path, body string) {
		t.Helper()
		if a := s.operate(method, "/v1/keyquorum/"+path, s.token, body); a.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
	}
	c.ok("POST", "/keys/k/create", `{"kty":"oct"}`)
	for _, op := range []string{"encrypt", "decrypt"} {
		body := `{"alg":"A256CBCPAD","value":"AAAAAAAAAAAAAAAAAAAAAA","iv":"AAAAAAAAAAAAAAAAAAAAAA"}`
		change("POST", "vaults/"+name, `{"weak_algorithms":true}`)
		if a := c.call("POST", "/keys/k/"+op, body); a.status != 200 && op == "encrypt" {
			t.Errorf("%s: %d %s", op, a.status, a.body)
		}
		change("POST", "vaults/"+name, `{"weak_algorithms":false}`)
		wrong{op + " with an algorithm that the vault refuses", "POST", "/keys/k/" + op, body, 400,
			"BadParameter", "", `The algorithm A256CBCPAD is switched off in this vault\.`}.run(t, c)
	}
	change("DELETE", "vaults/"+name, "")
	for _, k := range kinds {
		for _, row := range append(k.forOne("k", ""), k.makers("k")...) {
			row.name = row.method + " " + row.path + " in a deleted vault"
			row.status, row.code, row.message = 404, "VaultNotFound", `There is no vault of this name\.`
			row.run(t, c)
		}
	}
}

// Rules of rotation policies, each broken once.
func TestErrorsOfRotationPolicies(t *testing.T) {
	c := unsealed(t).application(t, "policy-errors", everything)
	keyKind.make(c, "k", false)
	action := func(kind, trigger, period string) string {
		return fmt.Sprintf(`{"trigger":{"%s":"%s"},"action":{"type":"%s"}}`, trigger, period, kind)
	}
	rotate := func(trigger, period string) string { return action("rotate", trigger, period) }
	for name, row := range map[string]struct {
		expiry, actions string
		ok              bool
	}{
		"nothing":                        {"", "", true},
		"28 days":                        {"P28D", "", true},
		"27 days":                        {"P27D", "", false},
		"four weeks":                     {"P4W", "", true},
		"a month and a year":             {"P1Y1M", "", true},
		"hours":                          {"PT2400H", "", false},
		"no duration":                    {"90", "", false},
		"rotate after 7 days":            {"P28D", rotate("timeAfterCreate", "P7D"), true},
		"rotate after 6 days":            {"P28D", rotate("timeAfterCreate", "P6D"), false},
		"rotate 7 days before expiry":    {"P28D", rotate("timeBeforeExpiry", "P7D"), true},
		"rotate 6 days before expiry":    {"P28D", rotate("timeBeforeExpiry", "P6D"), false},
		"rotate 21 days before of 28":    {"P28D", rotate("timeBeforeExpiry", "P21D"), true},
		"rotate 22 days before of 28":    {"P28D", rotate("timeBeforeExpiry", "P22D"), false},
		"rotate after 22 days of 28":     {"P28D", rotate("timeAfterCreate", "P22D"), false},
		"rotate before an expiry unsaid": {"", rotate("timeBeforeExpiry", "P30D"), false},
		"rotate and notify": {"P90D", rotate("timeAfterCreate", "P30D") + "," +
			action("Notify", "timeBeforeExpiry", "P30D"), true},
		"rotate twice": {"P90D",
			rotate("timeAfterCreate", "P30D") + "," + rotate("timeAfterCreate", "P40D"), false},
		"no trigger": {"P90D", `{"trigger":{},"action":{"type":"Rotate"}}`, false},
		"both triggers": {"P90D",
			`{"trigger":{"timeAfterCreate":"P30D","timeBeforeExpiry":"P30D"},"action":{"type":"Rotate"}}`,
			false},
		"another action": {"P90D", action("Destroy", "timeAfterCreate", "P30D"), false},
		"a number for a duration": {"P90D",
			`{"trigger":{"timeAfterCreate":30},"action":{"type":"Rotate"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := c.call("PUT", "/keys/k/rotationpolicy",
				`{"lifetimeActions":[`+row.actions+`],"attributes":{"expiryTime":"`+row.expiry+`"}}`)
			if row.ok && a.status == 200 {
				return
			}
			wrong{status: 400, code: "BadParameter", message: `.+`}.check(t, a)
			if row.ok {
				t.Errorf("refused: %s", a.body)
			}
		})
	}
}

func TestErrorsOfTheService(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "service-errors", everything)
	secretKind.make(c, "s", false)
	const large = `request body too large`
	wrong{"a secret over a mebibyte", "PUT", "/secrets/s", `{"value":"` + strings.Repeat("a", 1<<20) +
		`"}`, 413, "RequestEntityTooLarge", "", large}.run(t, c)
	wrong{"a digest over 64 KiB", "POST", "/keys/k/sign", `{"value":"` + strings.Repeat("a", 64<<10) +
		`"}`, 413, "RequestEntityTooLarge", "", large}.run(t, c)
	wrong{"a long URL", "GET", "/secrets/" + strings.Repeat("a", 9000), "", 414, "RequestUriTooLong",
		"", `The URL is too long\.`}.run(t, c)
	wide := *c
	wide.s = s.with("X-Filler", strings.Repeat("f", 17<<10))
	wrong{"large headers", "GET", "/secrets", "", 431, "RequestHeadersTooLarge", "",
		`The request headers are too large\.`}.run(t, &wide)
	odd := *c
	odd.s = s.with("X-Keyquorum-Consistency", "sometimes")
	wrong{"an unknown consistency", "GET", "/secrets", "", 400, "BadParameter", "",
		`The only consistency that can be asked for is "fenced"\.`}.run(t, &odd)

	s.usage.breakDown(true)
	failed := map[string]answer{"of a read": c.call("GET", "/secrets/s", ""),
		"of a write":     c.call("PUT", "/secrets/s", `{"value":"y"}`),
		"of a key's use": c.call("POST", "/keys/none/sign", `{"alg":"ES256"}`),
		"of a stranger":  (&client{t: t, s: s, host: c.host}).call("GET", "/secrets", "")}
	s.usage.breakDown(false)
	for name, a := range failed {
		t.Run("no room for the usage record "+name, func(t *testing.T) {
			message := `The usage record could not be written\.`
			if name == "of a write" {
				message += ` The write may have happened\.`
			}
			wrong{status: 500, code: "InternalServerError", inner: "UsageRecordFailed",
				message: message}.check(t, a)
		})
	}

	sealed := &client{t: t, s: newService(t), host: c.host}
	wrong{"a node that is not unsealed", "GET", "/secrets/s", "", 503, "ServiceUnavailable", "",
		`The vault service is sealed or not ready on this node\.`}.run(t, sealed)
}
