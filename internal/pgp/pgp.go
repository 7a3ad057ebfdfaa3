// Package pgp encrypts what is shown once for the one person whom it is for, in OpenPGP (RFC 9580).
// It knows public keys alone.
package pgp

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// A Recipient is whoever has the private half of an OpenPGP key.
type Recipient struct {
	key *openpgp.Entity
	now func() time.Time
}

// Parse reads a public key: standard base64 of its binary form, as Vault's clients send it. A key
// that nothing can be encrypted for at this time is refused: it was revoked, is over, is too short,
// or is for signatures only. now is asked again at each encryption.
func Parse(text string, now func() time.Time) (*Recipient, error) {
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return nil, errors.New("it is not base64 of a binary OpenPGP public key")
	}
	keys, err := openpgp.ReadKeyRing(bytes.NewReader(b))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it is not an OpenPGP public key: %w", err)
	case len(keys) != 1:
		return nil, fmt.Errorf("it holds %d OpenPGP keys, where one belongs", len(keys))
	case keys[0].PrivateKey != nil:
		return nil, errors.New("it is a private key, which nobody but its owner should have; " +
			"give the public one")
	}
	r := &Recipient{keys[0], now}
	if err := r.strong(); err != nil {
		return nil, err
	}
	if _, err := r.Encrypt(nil); err != nil {
		return nil, fmt.Errorf("nothing can be encrypted for it: %w", err)
	}
	return r, nil
}

// leastRSA is what RFC 9580 section 12.4 wants of an RSA key, in bits.
const leastRSA = 2048

// strong refuses what the years break for which a share may lie in somebody's mail.
func (r *Recipient) strong() error {
	used, ok := r.key.EncryptionKey(r.now())
	if !ok {
		return errors.New("it has no key that something can be encrypted for now")
	}
	for _, k := range []*packet.PublicKey{r.key.PrimaryKey, used.PublicKey} {
		bits, err := k.BitLength()
		if isRSA(k.PubKeyAlgo) && (err != nil || bits < leastRSA) {
			return fmt.Errorf("it is an RSA key of %d bits, where %d are the least", bits, leastRSA)
		}
	}
	return nil
}

func isRSA(a packet.PublicKeyAlgorithm) bool {
	return a == packet.PubKeyAlgoRSA || a == packet.PubKeyAlgoRSAEncryptOnly ||
		a == packet.PubKeyAlgoRSASignOnly
}

// Fingerprint is that of the primary key, in hexadecimal.
func (r *Recipient) Fingerprint() string { return hex.EncodeToString(r.key.PrimaryKey.Fingerprint) }

// Encrypt makes a binary message. The plaintext stays the caller's.
func (r *Recipient) Encrypt(plaintext []byte) ([]byte, error) {
	var message bytes.Buffer
	w, err := openpgp.Encrypt(&message, []*openpgp.Entity{r.key}, nil,
		&openpgp.FileHints{IsBinary: true},
		&packet.Config{Time: r.now, DefaultCipher: packet.CipherAES256})
	if err != nil {
		return nil, err
	}
	_, err = w.Write(plaintext)
	if err = errors.Join(err, w.Close()); err != nil {
		return nil, err
	}
	return message.Bytes(), nil
}
