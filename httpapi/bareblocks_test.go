package httpapi_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// rights gives an application in the same vault other permissions.
func (c *client) rights(keys ...string) {
	c.t.Helper()
	list, _ := json.Marshal(keys)
	vault, _, _ := strings.Cut(c.host, ".")
	a := c.s.operate("PUT", "/v1/keyquorum/vaults/"+vault+"/grants/"+c.id, c.s.token,
		`{"keys":`+string(list)+`}`)
	if a.status != 200 {
		c.t.Fatalf("grant: %d %s", a.status, a.body)
	}
}

// AES-CBC with an IV of one's own computes the bare cipher. Who may only encrypt must not undo
// AES-GCM with it, block by block.
func TestEncryptAloneDoesNotUndoGCM(t *testing.T) {
	c := unsealed(t).application(t, "bare-blocks", everything)
	c.ok("POST", "/keys/k/create", `{"kty":"oct"}`)
	const secret = "the secret text!" // a block
	sealed := c.ok("POST", "/keys/k/encrypt", `{"alg":"A256GCM","value":"`+b64([]byte(secret))+`"}`)
	// The first block of GCM's key stream is the cipher of IV and 2 (NIST SP 800-38D section 7.1);
	// CBC gives it for a text of zeros.
	iv, err := base64.RawURLEncoding.DecodeString(sealed.text("iv"))
	if err != nil {
		t.Fatal(err)
	}
	counter := b64(append(iv, 0, 0, 0, 2))
	for _, alg := range []string{"A256CBC", "A256CBCPAD"} {
		attack := fmt.Sprintf(`{"alg":"%s","value":"%s","iv":"%s"}`, alg, b64(make([]byte, 16)),
			counter)
		c.rights("encrypt")
		a := c.call("POST", "/keys/k/encrypt", attack)
		if a.status == 200 {
			stream, err := base64.RawURLEncoding.DecodeString(a.text("value"))
			text, err2 := base64.RawURLEncoding.DecodeString(sealed.text("value"))
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			for i := range text {
				text[i] ^= stream[i]
			}
			t.Errorf("with encrypt alone and %s the text is %q", alg, text)
		}
		for _, row := range []struct {
			op     string
			ops    string // of the key
			rights []string
			inner  string // "" for 200
		}{
			{"encrypt", "", []string{"encrypt"}, "ForbiddenByPolicy"},
			{"encrypt", "", []string{"encrypt", "decrypt"}, "ForbiddenByPolicy"},
			{"encrypt", "", []string{"encrypt", "decrypt", "wrapKey"}, ""},
			{"encrypt", `"encrypt","decrypt"`, []string{"encrypt", "decrypt"}, ""},
			{"encrypt", `"encrypt"`, []string{"encrypt", "decrypt"}, "KeyOperationForbidden"},
			{"decrypt", "", []string{"decrypt"}, "ForbiddenByPolicy"},
			{"decrypt", "", []string{"decrypt", "unwrapKey"}, ""},
			{"decrypt", `"encrypt","decrypt"`, []string{"decrypt"}, ""},
			{"decrypt", `"decrypt"`, []string{"decrypt"}, ""},
		} {
			c.rights("all")
			spec := `{"kty":"oct"`
			if row.ops != "" {
				spec += `,"key_ops":[` + row.ops + `]`
			}
			c.ok("POST", "/keys/row/create", spec+`}`)
			whole := strings.TrimSuffix(alg, "PAD")
			body := fmt.Sprintf(`{"alg":"%s","value":"%s","iv":"%s"}`,
				whole, b64(make([]byte, 16)), counter)
			c.rights(row.rights...)
			a := c.call("POST", "/keys/row/"+row.op, body)
			inner, _ := a.at("error", "innererror", "code").(string)
			if (a.status == 200) != (row.inner == "") || inner != row.inner {
				t.Errorf("%s of a key for %q with %v: %d %s, want %q", row.op, row.ops, row.rights,
					a.status, a.body, row.inner)
			}
		}
		c.rights("encrypt") // the rest is as it was
		c.ok("POST", "/keys/k/encrypt", `{"alg":"A256GCM","value":"AAAA"}`)
	}
}
