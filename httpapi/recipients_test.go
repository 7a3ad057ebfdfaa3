package httpapi_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A holder has an OpenPGP key.
type holder struct{ *openpgp.Entity }

func newHolder(t *testing.T) holder {
	t.Helper()
	e, err := openpgp.NewEntity("holder", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	if err != nil {
		t.Fatal(err)
	}
	return holder{e}
}

// key is how it is given.
func (h holder) key(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	if err := h.Serialize(&b); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// reads what was encrypted for it, and shown in base64.
func (h holder) reads(t *testing.T, shown string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(shown)
	if err != nil {
		t.Fatalf("%q: %v", shown, err)
	}
	m, err := openpgp.ReadMessage(bytes.NewReader(b), openpgp.EntityList{h.Entity}, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(m.UnverifiedBody)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

// What an init, a rekey and a root generation show can be for the eyes of some alone.
func TestRecipients(t *testing.T) {
	s := newService(t)
	first, second, third := newHolder(t), newHolder(t), newHolder(t)
	two := fmt.Sprintf(`"pgp_keys":[%q,%q]`, first.key(t), second.key(t))
	const split = `"secret_shares":2,"secret_threshold":2,`
	for body, says := range map[string]string{
		`{"secret_shares":1,"secret_threshold":1,` + two + `}`: "incorrect number of PGP keys",
		`{` + split + two + `,"root_token_pgp_key":"AAAA"}`:    "error parsing root_token_pgp_key",
	} {
		requireRefused(t, s.operate("PUT", "/v1/sys/init", "", body), says)
	}
	a := s.operate("PUT", "/v1/sys/init", "",
		`{`+split+two+fmt.Sprintf(`,"root_token_pgp_key":%q}`, third.key(t)))
	shown := texts(a.json["keys_base64"])
	if a.status != 200 || len(shown) != 2 || len(texts(a.json["keys"])) != 2 {
		t.Fatalf("init: %d", a.status)
	}
	s.token = third.reads(t, a.text("root_token"))
	s.shares = []string{first.reads(t, shown[0]), second.reads(t, shown[1])}
	if err := s.unseal(2); err != nil {
		t.Fatal(err)
	}

	a = s.operate("PUT", "/v1/sys/rekey/init", s.token, `{`+split+two+`,"require_verification":true}`)
	if prints := fmt.Sprint(a.json["pgp_fingerprints"]); a.status != 200 ||
		!strings.Contains(prints, fmt.Sprintf("%x", second.PrimaryKey.Fingerprint)) {
		t.Fatalf("rekey: %d %s", a.status, a.body)
	}
	recorded := fmt.Sprint(s.usage.take())
	for _, h := range []holder{first, second} {
		if !strings.Contains(recorded, fmt.Sprintf("%x", h.PrimaryKey.Fingerprint)) {
			t.Errorf("the usage records don't say for whom: %s", recorded)
		}
	}
	for _, share := range s.shares {
		a = s.give("rekey/update", a.text("nonce"), share)
	}
	shown = texts(a.json["keys_base64"])
	back := a.text("verification_nonce")
	s.give("rekey/verify", back, second.reads(t, shown[1]))
	require(t, s.give("rekey/verify", back, first.reads(t, shown[0])), 200,
		map[string]any{"complete": true})

	a = s.operate("PUT", "/v1/sys/generate-root/attempt", s.token,
		fmt.Sprintf(`{"pgp_key":%q}`, third.key(t)))
	require(t, a, 200, map[string]any{"started": true, "otp": "",
		"pgp_fingerprint": fmt.Sprintf("%x", third.PrimaryKey.Fingerprint)})
	for i, h := range []holder{first, second} {
		a = s.give("generate-root/update", a.text("nonce"), h.reads(t, shown[i]))
	}
	token := third.reads(t, a.text("encoded_token"))
	if self := s.operate("GET", "/v1/auth/token/lookup-self", token, ""); self.status != 200 {
		t.Errorf("the new token: %d %s", self.status, self.body)
	}
}
