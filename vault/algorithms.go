package vault

import (
	"crypto"
	"slices"
	"strings"
)

// A keyOp is what is done with a key, by the name that key_ops, permissions and messages use (RFC
// 7517 section 4.3).
type keyOp string

const (
	opEncrypt   keyOp = "encrypt"
	opDecrypt   keyOp = "decrypt"
	opSign      keyOp = "sign"
	opVerify    keyOp = "verify"
	opWrapKey   keyOp = "wrapKey"
	opUnwrapKey keyOp = "unwrapKey"
	opImport    keyOp = "import" // a key that others are wrapped with on their way in (byok.go)
	opExport    keyOp = "export" // Azure's; nothing asks for it
)

// knownOps are the values key_ops may have.
var knownOps = []keyOp{opEncrypt, opDecrypt, opSign, opVerify, opWrapKey, opUnwrapKey, opImport,
	opExport}

// A scheme is how an algorithm uses a key.
type scheme uint8

const (
	pkcs1v15   scheme = iota + 1 // RSASSA-PKCS1-v1_5, RFC 8017 section 8.2
	pss                          // RSASSA-PSS, salt as long as the hash, RFC 8017 section 8.1
	ecdsaRaw                     // ECDSA, r and s side by side, RFC 7518 section 3.4
	hmacSum                      // HMAC, RFC 7518 section 3.2
	oaep                         // RSAES-OAEP, empty label, RFC 8017 section 7.1
	rsaes15                      // RSAES-PKCS1-v1_5, RFC 8017 section 7.2
	aesGCM                       // 12 bytes of IV, 16 of tag, NIST SP 800-38D
	aesCBC                       // whole blocks, NIST SP 800-38A
	aesCBCPad                    // CBC with the padding of RFC 5652 section 6.3
	aesKeyWrap                   // RFC 3394
)

// An algorithm is a row of the table of algorithms (RFC 7518 sections 3 and 4, and Azure's names
// beyond them).
type algorithm struct {
	name   string
	scheme scheme
	kty    string      // of the keys it takes, without "-HSM"
	crv    string      // of the EC keys it takes
	bits   int         // of the oct keys it takes; 0: any
	hash   crypto.Hash // that the caller's digest was made with; with oaep, OAEP's own; with hmacSum, the HMAC's
	ops    []keyOp
	weak   bool // a vault may refuse it: what it encrypts is not authenticated, or its padding has a history of oracles
}

var (
	signing     = []keyOp{opSign, opVerify}
	encrypting  = []keyOp{opEncrypt, opDecrypt}
	wrapping    = []keyOp{opWrapKey, opUnwrapKey}
	enciphering = []keyOp{opEncrypt, opDecrypt, opWrapKey, opUnwrapKey}
)

var algorithms = []algorithm{
	{name: "RS256", scheme: pkcs1v15, kty: "RSA", hash: crypto.SHA256, ops: signing},
	{name: "RS384", scheme: pkcs1v15, kty: "RSA", hash: crypto.SHA384, ops: signing},
	{name: "RS512", scheme: pkcs1v15, kty: "RSA", hash: crypto.SHA512, ops: signing},
	{name: "PS256", scheme: pss, kty: "RSA", hash: crypto.SHA256, ops: signing},
	{name: "PS384", scheme: pss, kty: "RSA", hash: crypto.SHA384, ops: signing},
	{name: "PS512", scheme: pss, kty: "RSA", hash: crypto.SHA512, ops: signing},
	{name: "ES256", scheme: ecdsaRaw, kty: "EC", crv: "P-256", hash: crypto.SHA256, ops: signing},
	{name: "ES384", scheme: ecdsaRaw, kty: "EC", crv: "P-384", hash: crypto.SHA384, ops: signing},
	{name: "ES512", scheme: ecdsaRaw, kty: "EC", crv: "P-521", hash: crypto.SHA512, ops: signing},
	{name: "ES256K", scheme: ecdsaRaw, kty: "EC", crv: "P-256K", hash: crypto.SHA256, ops: signing},
	{name: "HS256", scheme: hmacSum, kty: "oct", hash: crypto.SHA256, ops: signing},
	{name: "HS384", scheme: hmacSum, kty: "oct", hash: crypto.SHA384, ops: signing},
	{name: "HS512", scheme: hmacSum, kty: "oct", hash: crypto.SHA512, ops: signing},
	{name: "RSA-OAEP", scheme: oaep, kty: "RSA", hash: crypto.SHA1, ops: enciphering},
	{name: "RSA-OAEP-256", scheme: oaep, kty: "RSA", hash: crypto.SHA256, ops: enciphering},
	{name: "RSA1_5", scheme: rsaes15, kty: "RSA", ops: enciphering, weak: true},
	{name: "A128GCM", scheme: aesGCM, kty: "oct", bits: 128, ops: encrypting},
	{name: "A192GCM", scheme: aesGCM, kty: "oct", bits: 192, ops: encrypting},
	{name: "A256GCM", scheme: aesGCM, kty: "oct", bits: 256, ops: encrypting},
	{name: "A128KW", scheme: aesKeyWrap, kty: "oct", bits: 128, ops: wrapping},
	{name: "A192KW", scheme: aesKeyWrap, kty: "oct", bits: 192, ops: wrapping},
	{name: "A256KW", scheme: aesKeyWrap, kty: "oct", bits: 256, ops: wrapping},
	{name: "A128CBC", scheme: aesCBC, kty: "oct", bits: 128, ops: encrypting, weak: true},
	{name: "A192CBC", scheme: aesCBC, kty: "oct", bits: 192, ops: encrypting, weak: true},
	{name: "A256CBC", scheme: aesCBC, kty: "oct", bits: 256, ops: encrypting, weak: true},
	{name: "A128CBCPAD", scheme: aesCBCPad, kty: "oct", bits: 128, ops: encrypting, weak: true},
	{name: "A192CBCPAD", scheme: aesCBCPad, kty: "oct", bits: 192, ops: encrypting, weak: true},
	{name: "A256CBCPAD", scheme: aesCBCPad, kty: "oct", bits: 256, ops: encrypting, weak: true},
}

// algorithmFor finds the row for an operation with a key, or says why there is none.
func algorithmFor(name string, op keyOp, k *openedKey) (*algorithm, error) {
	i := slices.IndexFunc(algorithms, func(a algorithm) bool { return a.name == name })
	switch {
	case name == "":
		return nil, missing("alg")
	case i < 0:
		return nil, badValue("alg", "there is no algorithm of this name; this key takes %s to %s",
			fitting(op, k), op)
	case !slices.Contains(algorithms[i].ops, op):
		return nil, badValue("alg", "%s is not for the operation %s; this key takes %s",
			name, op, fitting(op, k))
	}
	if a := &algorithms[i]; a.fits(k) {
		return a, nil
	}
	if op == opSign || op == opVerify {
		return nil, badParameter("Key and signing algorithm combination is not supported.")
	}
	return nil, badParameter("Key and encryption algorithm combination is not supported.")
}

func (a *algorithm) fits(k *openedKey) bool {
	return a.kty == baseType(k.record.Kty) && a.crv == k.record.Crv &&
		(a.bits == 0 || a.bits == k.material.bits())
}

// fitting are the names of the algorithms that an operation may have with a key.
func fitting(op keyOp, k *openedKey) string {
	var names []string
	for i := range algorithms {
		if a := &algorithms[i]; a.fits(k) && slices.Contains(a.ops, op) {
			names = append(names, a.name)
		}
	}
	if names == nil {
		return "nothing"
	}
	return strings.Join(names, ", ")
}

// opsOf are the operations that some algorithm has for keys of a type, in the order of knownOps.
func opsOf(kty string) []keyOp {
	return slices.DeleteFunc(slices.Clone(knownOps), func(op keyOp) bool {
		return !slices.ContainsFunc(algorithms, func(a algorithm) bool {
			return a.kty == kty && slices.Contains(a.ops, op)
		})
	})
}

// checkDigest refuses a digest that the algorithm's hash can't have made; property names it in the
// request. An HMAC takes whatever there is.
func (a *algorithm) checkDigest(property string, digest []byte) error {
	if a.scheme != hmacSum && len(digest) != a.hash.Size() {
		return badValue(property, "%s takes a digest of %d bytes, and %d were given", a.name,
			a.hash.Size(), len(digest))
	}
	return nil
}

// errDecrypt is for all that does not decrypt, in Azure's words.
var errDecrypt = badParameter("Unable to decrypt specified value with this key.")

// A Cipher is what an encryption takes and gives, or a decryption. IV, AAD and Tag are nil where
// the algorithm has none.
type Cipher struct {
	Value []byte
	IV    []byte // 12 bytes with GCM, which draws it; 16 with CBC, where the caller does
	AAD   []byte // additional authenticated data, GCM
	Tag   []byte // 16 bytes, GCM
}

// A signer is a key that signs. What it does with its private half it does inside withPrivate.
type signer interface {
	// sign signs a digest that checkDigest has seen.
	sign(a *algorithm, digest []byte) ([]byte, error)
	// verify says whether the signature is the key's over the digest. One of a wrong length is wrong,
	// not an error.
	verify(a *algorithm, digest, signature []byte) bool
}

// A cipherer is a key that encrypts.
type cipherer interface {
	encrypt(a *algorithm, in Cipher) (Cipher, error)
	// decrypt refuses all that doesn't decrypt in the same words, so that the answer is no oracle.
	decrypt(a *algorithm, in Cipher) (Cipher, error)
}

func (a *algorithm) sign(m material, digest []byte) ([]byte, error) {
	if s, ok := m.(signer); ok {
		return s.sign(a, digest)
	}
	return nil, errKeyKind
}

func (a *algorithm) verify(m material, digest, signature []byte) bool {
	s, ok := m.(signer)
	return ok && s.verify(a, digest, signature)
}

func (a *algorithm) encrypt(m material, in Cipher) (Cipher, error) {
	if c, ok := m.(cipherer); ok {
		return c.encrypt(a, in)
	}
	return Cipher{}, errKeyKind
}

func (a *algorithm) decrypt(m material, in Cipher) (Cipher, error) {
	if c, ok := m.(cipherer); ok {
		return c.decrypt(a, in)
	}
	return Cipher{}, errKeyKind
}
