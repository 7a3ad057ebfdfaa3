package seal

import "crypto/cipher"

// MessageCipher is the AES-256-GCM that XAES-256-GCM uses for one message: its nonce is the second half of nonce.
func MessageCipher(key, nonce []byte) (cipher.AEAD, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return x.message(nonce)
}

// SealXAES and OpenXAES are nonce ‖ ciphertext ‖ tag with a random nonce, without envelope and commitment.
func SealXAES(key, plaintext, associated []byte) ([]byte, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return x.seal(nil, plaintext, associated)
}

func OpenXAES(key, sealed, associated []byte) ([]byte, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return x.open(sealed, associated)
}

// RecodeKeyring decodes a keyring's plaintext and encodes it again.
func RecodeKeyring(b []byte) ([]byte, error) {
	k, err := decodeKeyring([16]byte{}, b)
	if err != nil {
		return nil, err
	}
	return k.encode()
}

// MaskedKeys are the root key, the key that wraps keyrings, each data key and each record key derived from one, each
// xored with the mask, so that a search for them in memory doesn't find what it searches with.
func MaskedKeys(r *Root, k *Keyring, mask [32]byte) (masked [][32]byte) {
	masked = make([][32]byte, 0, 2+2*len(k.terms))
	take := func(key []byte) {
		var m [32]byte
		for i := range m {
			m[i] = key[i] ^ mask[i]
		}
		masked = append(masked, m)
	}
	takeBoth := func(key []byte, label string) {
		derived, err := derive(key, label)
		if err != nil {
			panic(err)
		}
		take(key)
		take(derived)
	}
	Do(func() {
		takeBoth(r.key[:], labelKeyring)
		for _, d := range k.terms {
			takeBoth(d.key[:], labelRecord)
		}
	})
	return masked
}

// InCluster is the same keys as another cluster would hold them.
func InCluster(k *Keyring, clusterID [16]byte) *Keyring {
	return &Keyring{clusterID: clusterID, terms: k.terms, newest: k.newest}
}
