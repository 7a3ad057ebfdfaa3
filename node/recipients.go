package node

import (
	"encoding/hex"

	"keyquorum/seal"
)

// A Recipient is a person for whom what is shown once is encrypted, so that whoever asks for it
// does not have it thereby.
type Recipient interface {
	Fingerprint() string // of the person's key, for people
	Encrypt(plaintext []byte) ([]byte, error)
}

// encryptFor replaces shares by what their recipients get, in the same order: their hexadecimal
// digits, encrypted. Without recipients they stay as they are.
func encryptFor(to []Recipient, shares []seal.Plaintext) error {
	for i, r := range to {
		digits := make(seal.Plaintext, hex.EncodedLen(len(shares[i])))
		hex.Encode(digits, shares[i])
		shares[i].Zero()
		message, err := encryptedFor(r, digits)
		if err != nil {
			return err
		}
		shares[i] = message
	}
	return nil
}

// encryptedFor zeroes what it encrypts.
func encryptedFor(to Recipient, plaintext seal.Plaintext) (message []byte, err error) {
	defer plaintext.Zero()
	seal.Do(func() { message, err = to.Encrypt(plaintext) })
	return message, err
}

func fingerprints(of []Recipient) (all []string) {
	for _, r := range of {
		all = append(all, r.Fingerprint())
	}
	return all
}

func zeroAll(secrets []seal.Plaintext) {
	for _, s := range secrets {
		s.Zero()
	}
}
