package httpapi_test

import (
	"maps"
	"strings"
	"testing"
)

// Nobody but this cluster has, or gets, the private half of a key that others are wrapped with: who
// may import keys could otherwise read those that come in after.
func TestExchangeKeysAreMadeHereAndStay(t *testing.T) {
	c := unsealed(t).application(t, "exchange", everything)
	made := c.ok("POST", "/keys/kek/create", `{"kty":"RSA-HSM","key_ops":["import"]}`)
	jwk := maps.Clone(privateJWKs(t)["RSA"])
	jwk["key_ops"] = []string{"import"}
	import_ := encoded(t, map[string]any{"key": jwk})
	policy := `"attributes":{"exportable":true},"release_policy":{"data":"` +
		policyOf("https://attest.example") + `"}`
	for name, w := range map[string]wrong{
		"a new version of one's own": {method: "PUT", path: "/keys/kek", body: import_},
		"a new key of one's own":     {method: "PUT", path: "/keys/own", body: import_},
		"one that is exportable": {method: "POST", path: "/keys/kek/create",
			body: `{"kty":"RSA-HSM","key_ops":["import"],` + policy + `}`},
		"a change to exportable": {method: "PATCH", path: "/keys/kek", body: `{` + policy +
			`}`},
		"a key that becomes one": {method: "PATCH", path: "/keys/other",
			body: `{"key_ops":["import"]}`},
	} {
		c.ok("POST", "/keys/other/create", `{"kty":"RSA-HSM",`+policy+`}`)
		w.name, w.status, w.code, w.message = name, 400, "BadParameter",
			`Property .*(key_ops|exportable).+`
		w.run(t, c)
	}
	if a := c.ok("GET", "/keys/kek", ""); a.version() != made.version() {
		t.Error("the key to wrap for has a new version")
	}
	if a := c.ok("POST", "/keys/kek/rotate", ""); !strings.Contains(a.body,
		`"key_ops":["import"]`) {
		t.Errorf("rotated here: %s", a.body)
	}
}
