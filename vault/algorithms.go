package vault

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"slices"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// A keyOp is what is done with a key, by the name that key_ops, permissions and messages use (RFC 7517 section 4.3).
type keyOp string

const (
	opEncrypt   keyOp = "encrypt"
	opDecrypt   keyOp = "decrypt"
	opSign      keyOp = "sign"
	opVerify    keyOp = "verify"
	opWrapKey   keyOp = "wrapKey"
	opUnwrapKey keyOp = "unwrapKey"
)

// knownOps are the values key_ops may have. "import" and "export" are Azure's; nothing here asks for them.
var knownOps = []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey", "import", "export"}

// A keyShape is a row of the table of keys that can be made.
type keyShape struct {
	kty   string // "RSA" or "EC", without "-HSM"
	bits  int    // RSA modulus
	crv   string // EC curve, by its JWK name
	curve elliptic.Curve
	ops   []string // key_ops when none are given
}

var (
	rsaOps = []string{"encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey"}
	ecOps  = []string{"sign", "verify"}
)

// keyShapes: the first row of a type is its default.
var keyShapes = []keyShape{
	{kty: "RSA", bits: 2048, ops: rsaOps},
	{kty: "RSA", bits: 3072, ops: rsaOps},
	{kty: "RSA", bits: 4096, ops: rsaOps},
	{kty: "EC", crv: "P-256", curve: elliptic.P256(), ops: ecOps},
}

// A scheme is how an algorithm uses a key.
type scheme uint8

const (
	pkcs1v15 scheme = iota + 1 // RSASSA-PKCS1-v1_5, RFC 8017 section 8.2
	pss                        // RSASSA-PSS, salt as long as the hash, RFC 8017 section 8.1
	ecdsaRaw                   // ECDSA, r and s side by side, RFC 7518 section 3.4
	oaep                       // RSAES-OAEP, empty label, RFC 8017 section 7.1
)

// An algorithm is a row of the table of algorithms (RFC 7518).
type algorithm struct {
	name   string
	scheme scheme
	kty    string      // of the keys it takes, without "-HSM"
	crv    string      // of the EC keys it takes
	hash   crypto.Hash // that the caller's digest was made with; with oaep, OAEP's own
	ops    []keyOp
}

var (
	signing     = []keyOp{opSign, opVerify}
	enciphering = []keyOp{opEncrypt, opDecrypt, opWrapKey, opUnwrapKey}
)

var algorithms = []algorithm{
	{"RS256", pkcs1v15, "RSA", "", crypto.SHA256, signing},
	{"PS256", pss, "RSA", "", crypto.SHA256, signing},
	{"ES256", ecdsaRaw, "EC", "P-256", crypto.SHA256, signing},
	{"RSA-OAEP", oaep, "RSA", "", crypto.SHA1, enciphering},
	{"RSA-OAEP-256", oaep, "RSA", "", crypto.SHA256, enciphering},
}

// algorithmFor finds the row for an operation with a key of the given type and curve, or says why there is none.
func algorithmFor(name string, op keyOp, kty, crv string) (*algorithm, error) {
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.name == name })
	if i < 0 || !slices.Contains(algorithms[i].ops, op) {
		return nil, badProperty("alg")
	}
	a := &algorithms[i]
	if a.kty == kty && a.crv == crv {
		return a, nil
	}
	if a.scheme == oaep {
		return nil, badParameter("Key and encryption algorithm combination is not supported.")
	}
	return nil, badParameter("Key and signing algorithm combination is not supported.")
}

// checkDigest refuses a digest that the algorithm's hash can't have made; property names it in the request.
func (a *algorithm) checkDigest(property string, digest []byte) error {
	if len(digest) != a.hash.Size() {
		return badProperty(property)
	}
	return nil
}

// sign signs a digest of the right length.
func (a *algorithm) sign(key crypto.Signer, digest []byte) (signature []byte, err error) {
	withPrivate(func() { signature, err = a.librarySignature(key, digest) })
	if k, ok := key.(*ecdsa.PrivateKey); ok && err == nil {
		return rawSignature(signature, fieldSize(k.Curve))
	}
	return signature, err
}

// librarySignature has the form that the standard library gives: for ECDSA it is ASN.1.
func (a *algorithm) librarySignature(key crypto.Signer, digest []byte) ([]byte, error) {
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if a.scheme == pss {
			return rsa.SignPSS(rand.Reader, k, a.hash, digest, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		return rsa.SignPKCS1v15(rand.Reader, k, a.hash, digest)
	case *ecdsa.PrivateKey:
		return ecdsa.SignASN1(rand.Reader, k, digest)
	}
	return nil, errKeyKind
}

// rawSignature turns an ECDSA-Sig-Value (RFC 3279 section 2.2.3) into r and s, each padded on the left to size.
func rawSignature(der []byte, size int) ([]byte, error) {
	var sequence cryptobyte.String
	var r, s []byte
	input := cryptobyte.String(der)
	if !input.ReadASN1(&sequence, asn1.SEQUENCE) || !sequence.ReadASN1Integer(&r) || !sequence.ReadASN1Integer(&s) || len(r) > size || len(s) > size {
		return nil, errKeyKind
	}
	raw := make([]byte, 2*size)
	copy(raw[size-len(r):], r)
	copy(raw[2*size-len(s):], s)
	return raw, nil
}

// verify says whether the signature is the key's over the digest. A signature of a wrong length is wrong, not an error.
func (a *algorithm) verify(key crypto.PublicKey, digest, signature []byte) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		if a.scheme == pss {
			return rsa.VerifyPSS(k, a.hash, digest, signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
		return rsa.VerifyPKCS1v15(k, a.hash, digest, signature) == nil
	case *ecdsa.PublicKey:
		size := fieldSize(k.Curve)
		if len(signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(signature[:size]), new(big.Int).SetBytes(signature[size:])
		return ecdsa.Verify(k, digest, r, s)
	}
	return false
}

// encrypt enciphers at most the modulus less two hashes less two bytes.
func (a *algorithm) encrypt(key crypto.PublicKey, plaintext []byte) ([]byte, error) {
	k, ok := key.(*rsa.PublicKey)
	if !ok {
		return nil, errKeyKind
	}
	if len(plaintext) > k.Size()-2*a.hash.Size()-2 {
		return nil, badProperty("value")
	}
	return rsa.EncryptOAEP(a.hash.New(), rand.Reader, k, plaintext, nil)
}

// decrypt deciphers. Every ciphertext that doesn't decrypt gets the same answer, so that the answer is no oracle.
func (a *algorithm) decrypt(key crypto.Signer, ciphertext []byte) ([]byte, error) {
	k, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errKeyKind
	}
	if len(ciphertext) != k.Size() {
		return nil, badProperty("value")
	}
	var plaintext []byte
	var err error
	withPrivate(func() { plaintext, err = rsa.DecryptOAEP(a.hash.New(), nil, k, ciphertext, nil) })
	if err != nil {
		return nil, badProperty("value")
	}
	return plaintext, nil
}

// fieldSize is the length of a coordinate, and of r and s, on the wire.
func fieldSize(c elliptic.Curve) int { return (c.Params().BitSize + 7) / 8 }
