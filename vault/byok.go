package vault

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/tink-crypto/tink-go/v2/kwp/subtle"
)

// A wrapped key comes in as Azure's tools for bringing keys make it, a "key transfer blob": JSON of
//
//	{"schema_version":"1.0.0",
//	 "header":{"kid":"https://…/keys/<name>/<version>","alg":"dir","enc":"CKM_RSA_AES_KEY_WRAP"},
//	 "ciphertext":"<base64url>"}
//
// The header names an RSA key of the vault whose key_ops have "import". The ciphertext is PKCS
// #11's CKM_RSA_AES_KEY_WRAP: an AES-256 key under RSA-OAEP (SHA-1, empty label), then the key
// under that AES key with padding (RFC 5649). A private key is wrapped as PKCS #8, a symmetric one
// as its bytes.
type transferBlob struct {
	Schema string `json:"schema_version"`
	Header struct {
		KID string `json:"kid"`
		Alg string `json:"alg"`
		Enc string `json:"enc"`
	} `json:"header"`
	Ciphertext string `json:"ciphertext"`
}

const (
	transferSchema = "1.0.0"
	transferWrap   = "CKM_RSA_AES_KEY_WRAP"
	maxTransfer    = 16 << 10 // bytes of JSON
	transferKey    = 32       // bytes of the AES key
)

// wrappingKey finds the key that a wrapped one was wrapped for, and gives what unwraps it; nil
// where nothing is wrapped.
func (d *decision) wrappingKey(j *JWK) (unwrap func() ([]byte, error), err error) {
	if j.HSM == nil {
		return nil, nil
	}
	kid, ciphertext, err := parseTransfer(j.HSM)
	if err != nil {
		return nil, err
	}
	name, version, ok := d.ownKey(kid)
	if !ok {
		return nil, badParameter("Property key.key_hsm was not wrapped for a key of this vault.")
	}
	made := d.version // the usage record names the version that is made in "version", and this one in "with"
	o, err := keyCollection.find(d, name, version)
	d.version = made
	if err != nil {
		return nil, badParameter("Property key.key_hsm was wrapped for a key that is not in this vault.")
	}
	k, err := d.key(o)
	if err != nil {
		return nil, err
	}
	key, ok := k.material.(rsaKey)
	if !ok || !k.record.Attributes.Enabled || !slices.Contains(k.record.Ops, string(opImport)) {
		return nil, badParameter("Property key.key_hsm was wrapped for a key that is no enabled RSA key with import among its key_ops.")
	}
	d.with = fold(name) + "/" + o.version // before it is used: an attempt that fails uses it too
	return func() ([]byte, error) { return openTransfer(key.PrivateKey, ciphertext) }, nil
}

func parseTransfer(b []byte) (kid string, ciphertext []byte, err error) {
	var t transferBlob
	if len(b) > maxTransfer || json.Unmarshal(b, &t) != nil || t.Schema != transferSchema ||
		t.Header.Alg != "dir" || t.Header.Enc != transferWrap {
		return "", nil, badParameter("Property key.key_hsm is not a key transfer blob of schema 1.0.0 with CKM_RSA_AES_KEY_WRAP.")
	}
	ciphertext, err = strictBase64.DecodeString(strings.TrimRight(t.Ciphertext, "="))
	if err != nil {
		return "", nil, badParameter("Property key.key_hsm has a ciphertext that is not base64url.")
	}
	return t.Header.KID, ciphertext, nil
}

// ownKey takes a key's URL apart. Its host must begin with this vault's name.
func (d *decision) ownKey(kid string) (name, version string, ok bool) {
	u, err := url.Parse(kid)
	if err != nil || u.Scheme != "https" {
		return "", "", false
	}
	vault, _, _ := strings.Cut(u.Hostname(), ".")
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	if fold(vault) != d.vault.Name || len(parts) < 2 || len(parts) > 3 ||
		!strings.EqualFold(parts[0], "keys") || !validName(parts[1]) {
		return "", "", false
	}
	if len(parts) == 3 {
		version = parts[2]
	}
	return parts[1], version, version == "" || validVersion(version)
}

var errTransfer = badParameter("Property key.key_hsm does not unwrap with the key that it names.")

func openTransfer(key *rsa.PrivateKey, ciphertext []byte) ([]byte, error) {
	if len(ciphertext) < key.Size() {
		return nil, errTransfer
	}
	kek, err := rsa.DecryptOAEP(sha1.New(), nil, key, ciphertext[:key.Size()], nil)
	if err != nil || len(kek) != transferKey {
		return nil, errTransfer
	}
	defer clear(kek)
	wrap, err := subtle.NewKWP(kek)
	if err != nil {
		return nil, errTransfer
	}
	plain, err := wrap.Unwrap(ciphertext[key.Size():])
	if err != nil {
		return nil, errTransfer
	}
	return plain, nil
}

// unwrapped builds the key that was wrapped; it must be of the type that the request says.
func (j *JWK) unwrapped(unwrap func() ([]byte, error)) (material, error) {
	plain, err := unwrap()
	if err != nil {
		return nil, err
	}
	defer clear(plain)
	switch baseType(j.Kty) {
	case "oct":
		return importOct(&JWK{K: plain})
	case "RSA":
		if key := readRSA8(plain); key != nil {
			return importRSA(key)
		}
	default:
		if m, ok := parseEC8(plain); ok {
			return m, nil
		}
	}
	return nil, badParameter("Property key.key_hsm holds no PKCS #8 private key of the type that the request says.")
}

// maxEC8 is more than a key on P-521 takes in PKCS #8 with its public key, and less than x509 would
// take long over, whatever it finds.
const maxEC8 = 512

// parseEC8 reads a key on one of the curves in PKCS #8.
func parseEC8(der []byte) (material, bool) {
	if m, ok := parseKoblitz8(der); ok || len(der) > maxEC8 {
		return m, ok
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	key, ok := parsed.(*ecdsa.PrivateKey)
	if err != nil || !ok {
		return nil, false
	}
	_, err = shapeFor(KeySpec{Kty: "EC", Crv: key.Params().Name})
	return ecKey{key}, err == nil
}
