package httpapi_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// No member of a request does nothing because of its letters: every name that the document has, in
// capitals, is refused or does what it does.
func TestNamesInOtherLettersAreNotIgnored(t *testing.T) {
	c := unsealed(t).application(t, "letters", everything)
	doc, err := openapi3.NewLoader().LoadFromData(served(t, nodeHost))
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil || strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path,
				"/{tenant}/") || strings.HasSuffix(path, "/rotationpolicy") {
				continue // a policy's names are taken in any letters
			}
			at := strings.NewReplacer("{name}", "k", "{version}", noVersion).Replace(path)
			for place, name := range membersOf(op.RequestBody.Value.Content["application/json"].Schema.Value,
				"") {
				if name == "Hsm" ||
					name == "kid" { // the first is taken in lower case too, the second means nothing
					continue
				}
				for _, spelt := range []string{strings.ToUpper(name), strings.ToUpper(name[:1]) +
					name[1:], strings.ToLower(name)} {
					if spelt == name {
						continue
					}
					body := strings.Replace(place, "NAME", spelt, 1)
					a := c.call(method, at, body)
					if a.status != 400 || !strings.Contains(fmt.Sprint(a.at("error", "message")),
						"Property "+name+" is written with other letters") {
						t.Errorf("%s %s %s: %d %s", method, at, body, a.status, a.body)
					}
					asked++
				}
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d names were asked for", asked)
	}
}

// membersOf are the names of a schema's members, by a body that holds that member alone, as NAME.
func membersOf(s *openapi3.Schema, around string) map[string]string {
	all := map[string]string{}
	for name, of := range s.Properties {
		wrap := func(inner string) string {
			for _, outer := range strings.Fields(around) {
				inner = `{"` + outer + `":` + inner + `}`
			}
			return inner
		}
		all[wrap(`{"NAME":null}`)+strings.Repeat(" ",
			len(all))] = name // the spaces make them differ
		if of.Value != nil && len(of.Value.Properties) > 0 {
			for place, inner := range membersOf(of.Value, name+" "+around) {
				all[place+strings.Repeat(" ", len(all))] = inner
			}
		}
	}
	return all
}

// A policy's names are taken in any letters.
func TestNamesOfARotationPolicyInOtherLetters(t *testing.T) {
	c := unsealed(t).application(t, "policy-letters", everything)
	keyKind.make(c, "k", false)
	a := c.ok("PUT", "/keys/k/rotationpolicy",
		`{"LifetimeActions":[{"Trigger":{"TimeAfterCreate":"P30D"},"Action":{"Type":"Rotate"}}],"Attributes":{"ExpiryTime":"P90D"}}`)
	if a.at("attributes", "expiryTime") != "P90D" || !strings.Contains(a.body,
		`"timeAfterCreate":"P30D"`) {
		t.Errorf("%s", a.body)
	}
}

// A null where it would take something away, and a zero where it would be taken for another number,
// are refused.
func TestNullsAndZerosThatMeanNothing(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "nulls", everything)
	for _, k := range kinds {
		k.make(c, "n", false)
		at := "/" + k.path + "/n"
		c.ok("PATCH", at, `{"tags":{"env":"prod","a":"b"}}`)
		for _, q := range [][2]string{{"PATCH", at}, {k.method, at + k.suffix}} {
			body := `{"tags":{"env":null}}`
			if q[0] != "PATCH" {
				body = strings.TrimSuffix(k.body, "}") + "," + body[1:]
			}
			wrong{q[0] + " of " + k.path + " with a tag that is null", q[0], q[1], body, 400,
				"BadParameter", "", `Property tags has members, and all of them are null\.`}.run(t, c)
		}
		if a := c.ok("GET", at, ""); a.at("tags", "env") != "prod" || a.at("tags", "a") != "b" {
			t.Errorf("tags are %v", a.json["tags"])
		}
	}
	bad := func(name, body, property string) {
		wrong{name, "POST", "/keys/z/create", body, 400, "BadParameter", "", `Property ` +
			property + ` has invalid value: .+`}.run(t, c)
	}
	bad("RSA of no bits", `{"kty":"RSA","key_size":0}`, "key_size")
	bad("oct of no bits", `{"kty":"oct","key_size":0}`, "key_size")
	bad("no exponent", `{"kty":"RSA","public_exponent":0}`, "public_exponent")
	for _, body := range []string{`{"kty":"EC","key_size":0}`, `{"kty":"EC","key_size":2048}`,
		`{"kty":"oct","key_size":null}`, `{"kty":"EC","crv":""}`} {
		c.ok("POST", "/keys/z/create", body)
	}
	for _, days := range []string{"0", "6", "91", "-1"} {
		if a := s.operate("POST", "/v1/keyquorum/vaults", s.token,
			`{"name":"of-no-days","retention_days":`+days+`}`); a.status != 400 {
			t.Errorf("a vault that keeps for %s days: %d %s", days, a.status, a.body)
		}
	}
	for name, body := range map[string]string{"null": `{"name":"null-days","retention_days":null}`,
		"unsaid": `{"name":"unsaid-days"}`} {
		a := s.operate("POST", "/v1/keyquorum/vaults", s.token, body)
		if a.status != 200 || a.json["retention_days"] != json.Number("90") &&
			a.json["retention_days"] != 90.0 {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
}
