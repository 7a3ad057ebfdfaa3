package azure_test

import (
	"strings"
	"testing"

	"keyquorum/httpapi/azure"
)

// Nothing that a stranger sends as a body may panic, and no error may repeat it.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{`{"value":"dGVzdA","alg":"ES256","digest":"_-8="}`,
		`{"key":"AAAA","reset":true,"migrate":false}`, `{"secret_shares":5,"secret_threshold":3}`,
		`{"kty":"RSA","key_size":2048,"key_ops":["sign"],"attributes":{"enabled":true,"nbf":1,"exp":2},"tags":{"a":"b","c":null}}`,
		`{"name":"v","retention_days":7,"purge_protection":true,"enabled":false,"ttl":"1h","keys":["get"],"secrets":null}`,
		`{"ttl":3600}`,
		`{"key":{"kty":"RSA","n":"AAAA","d":"","key_hsm":"e30","key_ops":["import",null]},"Hsm":true,"release_policy":{"contentType":null,"data":"e30","immutable":false}}`,
		`{"target":"e30.e30.e30","nonce":"\u0000","enc":"CKM_RSA_AES_KEY_WRAP","count":128}`,
		`{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P30D"},"action":{"type":"ROTATE"}},null],"attributes":{"expiryTime":"P1Y2M3W4D","created":1}}`,
		`{"server_id":"0123","nonce":"AAAA","answer":"AAAA","csr":"AAAA","cluster_addr":"127.0.0.1:8201"}`,
		`{"server_id":"x","force":true}`} {
		f.Add([]byte(seed))
	}
	types := azure.BodyTypes()
	f.Fuzz(func(t *testing.T, body []byte) {
		for name, decode := range types {
			if err := decode(append([]byte(nil), body...)); err != nil && len(body) > 100 &&
				strings.Contains(err.Error(), string(body)) {
				t.Fatalf("%s repeats its body: %v", name, err)
			}
		}
	})
}

func TestDecodedSecretLiesInTheBody(t *testing.T) {
	body := []byte(`{"contentType":"a","value":"\u0061bc\ndef"}`)
	value, err := azure.DecodeSecret(body)
	if err != nil || string(value) != "abc\ndef" {
		t.Fatalf("%q, %v", value, err)
	}
	clear(body)
	if string(value) != strings.Repeat("\x00", len(value)) {
		t.Errorf("%q outlives the body's buffer", value)
	}
}
