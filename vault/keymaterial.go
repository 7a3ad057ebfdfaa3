package vault

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"errors"
	"reflect"

	"keyquorum/seal"
)

// A material is a private or symmetric key, parsed and ready for use; each kind has its file
// (rsakey.go, eckey.go, octkey.go).
type material interface {
	bits() int
	// encode gives what a record keeps: one encoding for each key. It is called inside seal.Do.
	encode() (seal.Plaintext, error)
	// jwk is the public half, in which kty is echoed.
	jwk(kty string) (PublicKey, error)
}

var (
	// errKeyKind says that a key is not what its record says. Only a bug or a damaged record can bring
	// it.
	errKeyKind = errors.New("vault: a key does not fit its record")
	// errInconsistent is for keys from outside.
	errInconsistent = badParameter("Property key is not a private key whose parts belong together.")
)

// asMaterial takes what x509 has parsed.
func asMaterial(parsed any) (material, error) {
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		return rsaKey{key}, nil
	case *ecdsa.PrivateKey:
		return ecKey{key}, nil
	default:
		return nil, errKeyKind
	}
}

// parseMaterial is the inverse of material.encode, and as strict. What it returns is erased when
// nobody holds it any more.
func parseMaterial(kty, crv string, kept seal.Plaintext) (m material, err error) {
	seal.Do(func() {
		switch {
		case baseType(kty) == "oct":
			m, err = parseOct(kept)
		case crv == koblitzCurve:
			m, err = parseKoblitz(kept)
		default:
			m, err = parsePKCS8(kept)
		}
	})
	return m, err
}

// halves gives what a record keeps of a key. It is called inside seal.Do.
func halves(m material, kty string) (private seal.Plaintext, public PublicKey, err error) {
	if public, err = m.jwk(kty); err != nil {
		return nil, public, err
	}
	private, err = m.encode()
	return private, public, err
}

// A keyRecord is one version of a key: vault/<id>/key/<folded name>/version/<32 hex>. Its tail is
// the private key.
type keyRecord struct {
	_          struct{} `cbor:",toarray"`
	Attributes storedAttributes
	Ops        []string
	Tags       map[string]string
	Kty, Crv   string
	N, E, X, Y []byte // as in PublicKey
	Exportable bool
	Release    *ReleasePolicy
}

func (keyRecord) shape() byte { return 0x02 }

// A keyRecord1 is the shape without the last two members.
type keyRecord1 struct {
	_          struct{} `cbor:",toarray"`
	Attributes storedAttributes
	Ops        []string
	Tags       map[string]string
	Kty, Crv   string
	N, E, X, Y []byte
}

// decodeKeyRecord reads either shape.
func decodeKeyRecord(b []byte) (*keyRecord, []byte, error) {
	if len(b) == 0 || b[0] != shapeOf(&keyRecord1{}) {
		r, tail, err := decodeRecord[keyRecord](b)
		return &r, tail, err
	}
	r, tail, err := decodeRecord[keyRecord1](b)
	return &keyRecord{Attributes: r.Attributes, Ops: r.Ops, Tags: r.Tags, Kty: r.Kty, Crv: r.Crv,
		N: r.N, E: r.E, X: r.X, Y: r.Y}, tail, err
}

func (r *keyRecord) public() PublicKey {
	return PublicKey{Kty: r.Kty, Crv: r.Crv, N: r.N, E: r.E, X: r.X, Y: r.Y}
}

func (r keyRecord) withPublic(p PublicKey) keyRecord {
	r.Kty, r.Crv, r.N, r.E, r.X, r.Y = p.Kty, p.Crv, p.N, p.E, p.X, p.Y
	return r
}

// An openedKey is a version of a key, ready to be used.
type openedKey struct {
	record   keyRecord // without tags
	material material
	size     int64 // bytes that it takes, about
}

// openKey opens a version's record; the tail that the private key is parsed from is the caller's to
// clear.
func openKey(record seal.Plaintext) (*openedKey, error) {
	r, kept, err := decodeKeyRecord(record)
	if err != nil {
		return nil, err
	}
	m, err := parseMaterial(r.Kty, r.Crv, kept)
	if err != nil {
		return nil, err
	}
	if again, err := m.jwk(r.Kty); err != nil || !reflect.DeepEqual(again, r.public()) {
		return nil, errKeyKind
	}
	opened := *r
	opened.Tags = nil
	return &openedKey{record: opened, material: m, size: openedSize(kept)}, nil
}

// slow says that a use of the private half takes about a millisecond or more.
func (k *openedKey) slow() bool {
	_, isRSA := k.material.(rsaKey)
	return isRSA
}

// openedSize is what a parsed key takes, bookkeeping for its erasure included (measured: a test
// holds it).
func openedSize(der []byte) int64 { return 3*int64(len(der)) + 3<<10 }

// withPrivate runs f, which uses a private key. Here, and nowhere else, is decided that a use
// erases its traces. An RSA operation costs nothing more for it; an ES256 signature two to three
// times as much, because the library allocates sixty times and the runtime keeps a list of such
// objects that it walks each time. Without it the nonces of ES256 signatures stay in memory after
// the key is gone, and a nonce with its signature gives the key (a test searches for them).
func withPrivate(f func()) { seal.Do(f) }
