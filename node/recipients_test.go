package node_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"keyquorum/node"
	"keyquorum/seal"
)

// A recipient whose key takes nothing any more, if there is an error.
type recipient struct{ err error }

func (r recipient) Fingerprint() string              { return "" }
func (r recipient) Encrypt(p []byte) ([]byte, error) { return []byte("message"), r.err }

// Where one of those for whom an init encrypts can't be, nothing of it stays in memory.
func TestNothingStaysOfAnInitThatCannotBeShown(t *testing.T) {
	over := errors.New("this key is over")
	for name, to := range map[string]node.InitRecipients{
		"the second share": {Shares: []node.Recipient{recipient{}, recipient{over}, recipient{}}},
		"the token":        {Token: recipient{over}},
	} {
		shares := make([]seal.Plaintext, 3)
		for i := range shares {
			shares[i] = bytes.Repeat([]byte{1}, 33)
		}
		token := seal.Plaintext("token")
		secrets := append(slices.Clone(shares), token)
		if err := node.EncryptShown(shares, token, to); !errors.Is(err, over) {
			t.Fatalf("%s: %v", name, err)
		}
		for i, secret := range secrets {
			if !bytes.Equal(secret, make([]byte, len(secret))) {
				t.Errorf("%s: secret %d of 4 is in memory yet", name, i+1)
			}
		}
	}
}
