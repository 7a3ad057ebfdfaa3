package commands_test

import (
	"bytes"
	"encoding/base64"
	"io"
	"strings"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// wrongShare has the form of a share, and opens nothing.
var wrongShare = strings.Repeat("ab", 33)

// newHolders makes people with OpenPGP keys, who alone can read what is encrypted for them.
func newHolders(t *testing.T, n int) (all []*openpgp.Entity) {
	t.Helper()
	for range n {
		e, err := openpgp.NewEntity("holder", "", "holder@example.org",
			&packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
		must(t, err)
		all = append(all, e)
	}
	return all
}

// publicKey is as commands send one: base64 of its binary form.
func publicKey(t *testing.T, e *openpgp.Entity) string {
	t.Helper()
	var b bytes.Buffer
	must(t, e.Serialize(&b))
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// publicKeys are those of the holders of shares.
func (s *scene) publicKeys(n int) (all []string) {
	for _, e := range s.holders[:n] {
		all = append(all, publicKey(s.t, e))
	}
	return all
}

// decrypted opens what is encrypted for the holders of shares, in their order.
func (s *scene) decrypted(messages []string) (all []string) {
	for i, message := range messages {
		all = append(all, decrypted(s.t, s.holders[i], message))
	}
	return all
}

func decrypted(t *testing.T, e *openpgp.Entity, message string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(message)
	must(t, err)
	opened, err := openpgp.ReadMessage(bytes.NewReader(b), openpgp.EntityList{e}, nil, nil)
	must(t, err)
	plain, err := io.ReadAll(opened.UnverifiedBody)
	must(t, err)
	return string(plain)
}
