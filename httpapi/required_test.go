package httpapi_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// whole are bodies that operations of the application plane carry out, by what the document calls
// them. Whatever such an operation requires stands in its first body at least.
func whole(c *client) map[string][]string {
	c.ok("POST", "/keys/oct/create",
		`{"kty":"oct","key_ops":["encrypt","decrypt","wrapKey","unwrapKey","sign","verify"]}`)
	c.ok("POST", "/keys/rsa/create", `{"kty":"RSA"}`)
	c.ok("PUT", "/secrets/oct", `{"value":"x"}`)
	wrapped := c.ok("POST", "/keys/oct/wrapkey",
		`{"alg":"A256KW","value":"AAAAAAAAAAAAAAAAAAAAAA"}`).text("value")
	sealed := c.ok("POST", "/keys/oct/encrypt", `{"alg":"A256GCM","value":"AAAA"}`)
	gcm := fmt.Sprintf(`{"alg":"A256GCM","value":"%s","iv":"%s","tag":"%s"}`, sealed.text("value"),
		sealed.text("iv"), sealed.text("tag"))
	oaep := c.ok("POST", "/keys/rsa/encrypt", `{"alg":"RSA-OAEP","value":"AAAA"}`).text("value")
	c.ok("PUT", "/secrets/gone", `{"value":"x"}`)
	secret := c.ok("POST", "/secrets/gone/backup", "").body
	key := c.ok("POST", "/keys/oct/backup", "").body
	digest := strings.Repeat("A", 43)
	return map[string][]string{
		"PUT /secrets/{name}":      {`{"value":"x"}`},
		"POST /secrets/restore":    {secret},
		"POST /keys/restore":       {key},
		"POST /keys/{name}/create": {`{"kty":"EC"}`},
		"PUT /keys/{name}":         {octJWK},
		"POST /rng":                {`{"count":1}`},
		"POST /keys/{name}/sign": {`{"alg":"HS256","value":"AAAA"}`,
			`{"alg":"RS256","value":"` + digest + `"}`},
		"POST /keys/{name}/verify": {`{"alg":"HS256","digest":"AAAA","value":"AAAA"}`,
			`{"alg":"RS256","digest":"` + digest + `","value":"AAAA"}`},
		"POST /keys/{name}/encrypt": {`{"alg":"A256GCM","value":"AAAA"}`,
			`{"alg":"RSA-OAEP","value":"AAAA"}`},
		"POST /keys/{name}/decrypt": {gcm, `{"alg":"RSA-OAEP","value":"` + oaep + `"}`},
		"POST /keys/{name}/wrapkey": {`{"alg":"A256KW","value":"AAAAAAAAAAAAAAAAAAAAAA"}`,
			`{"alg":"RSA-OAEP","value":"AAAA"}`},
		"POST /keys/{name}/unwrapkey": {`{"alg":"A256KW","value":"` + wrapped + `"}`,
			`{"alg":"RSA-OAEP","value":"` + oaep + `"}`},
		"POST /keys/{name}/release":       {`{"target":"e30.e30.e30"}`},
		"PATCH /secrets/{name}":           {`{}`},
		"PATCH /keys/{name}":              {`{}`},
		"PUT /keys/{name}/rotationpolicy": {`{}`},
	}
}

// Every member that the document says an operation requires is required: without it, with null, and
// with its name in other letters, the answer is 400 and names it.
func TestRequiredMembersAreRequired(t *testing.T) {
	c := unsealed(t).application(t, "required", everything)
	doc, err := openapi3.NewLoader().LoadFromData(served(t, nodeHost))
	if err != nil {
		t.Fatal(err)
	}
	bodies := whole(c)
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			if op.RequestBody == nil || strings.HasPrefix(path, "/v1/") || strings.HasPrefix(path,
				"/{tenant}/") ||
				strings.Contains(path, "{version}") {
				continue
			}
			required := op.RequestBody.Value.Content["application/json"].Schema.Value.Required
			mine, ok := bodies[method+" "+path]
			if !ok {
				t.Errorf("%s %s takes a body, and this test has none for it", method, path)
			}
			for _, body := range mine {
				name := "oct"
				if strings.HasSuffix(path, "/create") || op.OperationID == "put_keys_name" {
					name = "made"
				} else if strings.Contains(body, `"RS`) {
					name = "rsa"
				}
				at := strings.ReplaceAll(path, "{name}", name)
				if op.OperationID != "post_keys_restore" &&
					op.OperationID != "post_secrets_restore" && !strings.HasSuffix(path,
					"release") {
					c.ok(method, at, body)
				}
				for _, member := range required {
					for what, without := range lacking(t, body, member) {
						a := c.call(method, at, without)
						if a.status != 400 || a.at("error", "code") != "BadParameter" ||
							!strings.Contains(fmt.Sprint(a.at("error", "message")), member) {
							t.Errorf("%s %s, %s %s: %d %s", method, at, member, what, a.status,
								a.body)
						}
					}
				}
			}
		}
	}
}

// lacking are bodies without the member, in the ways in which one can be without it.
func lacking(t *testing.T, body, member string) map[string]string {
	t.Helper()
	var whole map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &whole); err != nil || whole[member] == nil {
		t.Fatalf("%s has no %s: %v", body, member, err)
	}
	without := maps.Clone(whole)
	delete(without, member)
	null, misspelt := maps.Clone(without), maps.Clone(without)
	null[member] = json.RawMessage("null")
	misspelt[strings.ToUpper(member)] = whole[member]
	return map[string]string{"left out": encoded(t, without), "null": encoded(t, null),
		"in capitals": encoded(t, misspelt)}
}

func encoded(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Each member of a private JWK that its type can't be without.
func TestRequiredMembersOfKeysAreRequired(t *testing.T) {
	c := unsealed(t).application(t, "required-jwk", everything)
	for name, jwk := range privateJWKs(t) {
		c.ok("PUT", "/keys/k", encoded(t, map[string]any{"key": jwk}))
		for _, member := range slices.Sorted(maps.Keys(jwk)) {
			if slices.Contains([]string{"dp", "dq", "qi"}, member) {
				continue // they are worked out anew (RFC 7518 section 6.3.2)
			}
			for _, lack := range []any{"none", nil} {
				other := maps.Clone(jwk)
				other[member] = lack
				if lack == "none" {
					delete(other, member)
				}
				a := c.call("PUT", "/keys/k", encoded(t, map[string]any{"key": other}))
				if a.status != 400 || !strings.Contains(fmt.Sprint(a.at("error", "message")),
					"key."+member) {
					t.Errorf("%s without %s: %d %s", name, member, a.status, a.body)
				}
			}
		}
	}
}
