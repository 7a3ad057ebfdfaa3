package seal

import (
	"crypto/sha512"
	"encoding/binary"
	"fmt"
	"math/big"
	"slices"
)

// SealXAES and OpenXAES are nonce ‖ ciphertext ‖ tag with a random nonce, without envelope and
// commitment.
func SealXAES(key, plaintext, associated []byte) ([]byte, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return x.seal(nil, plaintext, associated)
}

// SealXAESWith is SealXAES with a nonce that is given, and not in front.
func SealXAESWith(key, nonce, plaintext, associated []byte) ([]byte, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	aead, err := x.message(nonce[:saltSize])
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nonce[saltSize:], plaintext, associated), nil
}

func OpenXAES(key, sealed, associated []byte) ([]byte, error) {
	x, err := newXAES(key)
	if err != nil {
		return nil, err
	}
	return x.open(nil, sealed, associated)
}

// RecodeKeyring decodes a keyring's plaintext and encodes it again.
func RecodeKeyring(b []byte) ([]byte, error) {
	k, err := decodeKeyring([16]byte{}, b)
	if err != nil {
		return nil, err
	}
	return k.encode()
}

// DecodeKeyring is a keyring of cluster zero with this plaintext.
func DecodeKeyring(b []byte) (*Keyring, error) { return decodeKeyring([16]byte{}, b) }

// SignedMessage is what the signatures that MaskedKeys knows the nonces of are over.
const SignedMessage = "a signature's nonce gives the key"

// MaskedKeys are all keys of the chain from the scalar down to the keys of each term, each xored
// with the mask, so that a search for them in memory doesn't find what it searches with.
func MaskedKeys(record Record, shares []Plaintext, r *Root, k *Keyring,
	mask [32]byte) (masked map[string][32]byte) {
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
		context := binary.BigEndian.AppendUint64(record.ClusterID[:], record.Generation)
		derived("key-encryption key", b, labelKEK, context)
		derived("join key", b, labelJoin, context)
		take("root key", r.key[:], nil)
		derived("keyring's key", r.key[:], labelKeyring)
		for term, d := range k.terms {
			take(fmt.Sprint("data key ", term), d.key[:], nil)
			derived(fmt.Sprint("record key ", term), d.key[:], labelRecord)
			for name, part := range signingParts(d.signing[:32]) {
				take(fmt.Sprint(name, " ", term), part, nil)
			}
		}
		c.Reset()
	})
	return masked
}

// signingParts are the forms in which a signature with the key of seed handles its secrets: RFC
// 8032 section 5.1, and the Montgomery form in which crypto/ed25519 computes.
func signingParts(seed []byte) map[string][]byte {
	expanded := sha512.Sum512(seed)
	scalar, prefix := expanded[:32], expanded[32:]
	clamped := slices.Clone(scalar)
	clamped[0] &= 248
	clamped[31] = clamped[31]&63 | 64
	nonce := sha512.Sum512(append(slices.Clone(prefix), SignedMessage...))
	return map[string][]byte{
		"signing seed": seed, "expanded seed": scalar, "signing prefix": prefix,
		"signing scalar": montgomery(clamped), "signing nonce, whole": nonce[:32],
		"signing nonce": montgomery(nonce[:]),
	}
}

// montgomery is b, little-endian, times 2^256 modulo the order of edwards25519, little-endian.
func montgomery(b []byte) []byte {
	order, _ := new(big.Int).SetString("27742317777372353535851937790883648493", 10)
	order.Add(order, new(big.Int).Lsh(big.NewInt(1), 252))
	b = slices.Clone(b)
	slices.Reverse(b)
	x := new(big.Int).SetBytes(b)
	form := x.Mod(x.Lsh(x, 256), order).FillBytes(make([]byte, 32))
	slices.Reverse(form)
	return form
}

// InCluster is the same keys as another cluster would hold them.
func InCluster(k *Keyring, clusterID [16]byte) *Keyring {
	return &Keyring{clusterID: clusterID, terms: k.terms, newest: k.newest}
}

// Relist puts a list into a record without the root key, under the word that vouched for another.
func Relist(r Record, revision uint64, list []Wrapper) (Record, error) {
	tail, err := appendWrappers(nil, list)
	r.revision, r.list = revision, string(tail)
	return r, err
}

// Unlisted encodes a record without its list of wrappers.
func Unlisted(r Record) []byte { return append(r.header(), r.wrappedRoot...) }
