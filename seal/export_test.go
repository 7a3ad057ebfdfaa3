package seal

import (
	"encoding/binary"
	"fmt"
)

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

// MaskedKeys are all keys of the chain from the scalar down to the key of each term's records, each xored with the
// mask, so that a search for them in memory doesn't find what it searches with.
func MaskedKeys(record Record, shares []Plaintext, r *Root, k *Keyring, mask [32]byte) (masked map[string][32]byte) {
	masked = map[string][32]byte{}
	take := func(name string, key []byte, err error) {
		if err != nil {
			panic(err)
		}
		var m [32]byte
		for i := range m {
			m[i] = key[i] ^ mask[i]
		}
		masked[name] = m
	}
	derived := func(name string, key []byte, label string, context ...[]byte) {
		b, err := derive(key, label, context...)
		take(name, b, err)
	}
	Do(func() {
		c := NewCeremony(record)
		for _, s := range shares[:record.Threshold] {
			take(fmt.Sprint("share ", s[0]), s[1:], c.add(s))
		}
		scalar, err := c.recoverScalar()
		if err != nil {
			panic(err)
		}
		b, err := scalar.MarshalBinary()
		take("scalar", b, err)
		derived("key-encryption key", b, labelKEK, record.ClusterID[:], binary.BigEndian.AppendUint64(nil, record.Generation))
		take("root key", r.key[:], nil)
		derived("keyring's key", r.key[:], labelKeyring)
		derived("join key", r.key[:], labelJoin, r.clusterID[:])
		for term, d := range k.terms {
			take(fmt.Sprint("data key ", term), d.key[:], nil)
			derived(fmt.Sprint("record key ", term), d.key[:], labelRecord)
		}
		c.Reset()
	})
	return masked
}

// InCluster is the same keys as another cluster would hold them.
func InCluster(k *Keyring, clusterID [16]byte) *Keyring {
	return &Keyring{clusterID: clusterID, terms: k.terms, newest: k.newest}
}
