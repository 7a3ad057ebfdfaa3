package httpapi_test

import "testing"

// Refusals of what clients of Azure are known to do say what would be right.
func TestRefusalsThatHelp(t *testing.T) {
	c := unsealed(t).application(t, "hints", everything)
	c.ok("POST", "/keys/rsa/create", `{"kty":"RSA"}`)
	old := c.ok("POST", "/keys/rsa/encrypt", `{"alg":"RSA-OAEP","value":"AAAA"}`).text("value")
	c.ok("POST", "/keys/rsa/rotate", "")
	c.ok("POST", "/keys/oct/create", `{"kty":"oct"}`)
	const undecrypted = `Unable to decrypt specified value with this key\.`
	oldGCM := c.ok("POST", "/keys/oct/encrypt", `{"alg":"A256GCM","value":"AAAA"}`)
	gcm := `{"alg":"A256GCM","value":"` + oldGCM.text("value") + `","iv":"` + oldGCM.text("iv") +
		`","tag":"` + oldGCM.text("tag") + `"}`
	wrapped := c.ok("POST", "/keys/oct/wrapkey",
		`{"alg":"A256KW","value":"AAAAAAAAAAAAAAAAAAAAAA"}`).text("value")
	c.ok("POST", "/keys/oct/rotate", "")
	c.ok("POST", "/keys/ec/create", `{"kty":"EC","crv":"P-256K"}`)
	const curves = `it is P-256, P-384, P-521 or P-256K, which others call secp256k1\.`
	bad := func(name, method, path, body, message string) {
		wrong{name, method, path, body, 400, "BadParameter", "", message}.run(t, c)
	}
	for _, op := range []string{"decrypt", "unwrapkey"} {
		bad(op+" of an older version's text", "POST", "/keys/rsa/"+op,
			`{"alg":"RSA-OAEP","value":"`+old+`"}`, undecrypted)
		bad(op+" of a text of another length", "POST", "/keys/rsa/"+op,
			`{"alg":"RSA-OAEP","value":"AAAA"}`, undecrypted)
	}
	bad("an older version's GCM", "POST", "/keys/oct/decrypt", gcm, undecrypted)
	bad("an older version's wrapped key", "POST", "/keys/oct/unwrapkey",
		`{"alg":"A256KW","value":"`+wrapped+`"}`, undecrypted)
	bad("the curve's old name", "POST", "/keys/k/create", `{"kty":"EC","crv":"SECP256K1"}`,
		`Property crv has invalid value: `+curves)
	bad("the curve's old name in an import", "PUT", "/keys/k",
		`{"key":{"kty":"EC","crv":"SECP256K1"}}`, `Property key\.crv has invalid value: `+curves)
	bad("the old name of ES256K", "POST", "/keys/ec/sign", `{"alg":"ECDSA256","value":"AAAA"}`,
		`Property alg has invalid value: there is no algorithm of this name; this key takes ES256K to sign\.`)
	for op, body := range map[string]string{"create": `{"kty":"EC","key_ops":["sign","wrapKey"]}`,
		"oct": `{"kty":"oct","key_ops":["encrypt","sign"]}`} {
		if op == "oct" {
			c.ok("POST", "/keys/hmac/create", body)
			continue
		}
		bad("key_ops that no EC key has", "POST", "/keys/k/create", body,
			`Property key_ops has invalid value: wrapKey is not for EC keys; they take sign, verify\.`)
	}
	jwk := privateJWKs(t)["P-256"]
	jwk["key_ops"] = []string{"encrypt"}
	bad("and in an import", "PUT", "/keys/k", encoded(t, map[string]any{"key": jwk}),
		`Property key_ops has invalid value: encrypt is not for EC keys; they take sign, verify\.`)
	bad("and in a change", "PATCH", "/keys/ec", `{"key_ops":["decrypt"]}`,
		`Property key_ops has invalid value: decrypt is not for EC keys; they take sign, verify\.`)
	if a := c.ok("POST", "/keys/ec/create",
		`{"kty":"EC-HSM","key_ops":["verify","export"]}`); a.at("key", "kty") != "EC-HSM" {
		t.Errorf("%s", a.body)
	}
}
