package vault

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"math/big"
	"slices"
	"strings"
	"testing"

	"gitlab.com/yawning/secp256k1-voi/secec"

	"keyquorum/internal/vectors"
)

// Vectors of signatures come with public keys alone, which nobody can import: these are proved
// here, all others over the wire (TestVectors of httpapi).
type tally struct {
	t                       *testing.T
	valid, invalid, skipped int
}

// verdict wants a signature to be what a vector says.
func (y *tally) verdict(v *vectors.Vector, got bool) {
	switch v.Result {
	case "valid":
		y.valid++
	case "invalid":
		y.invalid++
	default:
		y.skipped++
		return
	}
	if got != (v.Result == "valid") {
		y.t.Errorf("%d (%s, %s): verified %v, want %s", v.ID, v.Comment, v.Flags, got, v.Result)
	}
}

func (y *tally) report(alg string) {
	y.t.Logf("%-6s %3d valid, %3d invalid, %d that may be either", alg, y.valid, y.invalid, y.skipped)
	if y.valid == 0 || y.invalid == 0 {
		y.t.Errorf("%s has no vector", alg)
	}
}

func sumOf(hash crypto.Hash, message []byte) []byte {
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

func TestVectorsOfECDSA(t *testing.T) {
	for alg, file := range map[string]string{"ES256": "secp256r1_sha256", "ES384": "secp384r1_sha384",
		"ES512": "secp521r1_sha512", "ES256K": "secp256k1_sha256"} {
		a, y := row(t, alg), tally{t: t}
		for _, g := range vectors.Wycheproof(t, "ecdsa_"+file+"_p1363") {
			verify := verifierFor(t, a, g.PublicKey.Uncompressed)
			for _, v := range g.Tests {
				y.verdict(&v, verify(sumOf(a.hash, v.Msg), v.Sig))
			}
		}
		y.report(alg)
	}
}

// verifierFor is the half of the algorithm that needs no private key.
func verifierFor(t *testing.T, a *algorithm, point []byte) func(digest, signature []byte) bool {
	t.Helper()
	if a.crv == koblitzCurve {
		public := must1(secec.NewPublicKey(point))
		return func(digest, signature []byte) bool { return verifyKoblitz(public, digest, signature) }
	}
	curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(),
		"P-521": elliptic.P521()}[a.crv]
	public, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		t.Fatal(err)
	}
	key := ecKey{&ecdsa.PrivateKey{PublicKey: *public}}
	return func(digest, signature []byte) bool { return a.verify(key, digest, signature) }
}

func TestVectorsOfRSASignatures(t *testing.T) {
	for alg, files := range map[string]string{
		"RS256": "signature_2048_sha256 signature_3072_sha256 signature_4096_sha256",
		"RS384": "signature_2048_sha384 signature_3072_sha384 signature_4096_sha384",
		"RS512": "signature_2048_sha512 signature_3072_sha512 signature_4096_sha512",
		"PS256": "pss_2048_sha256_mgf1_32 pss_3072_sha256_mgf1_32 pss_4096_sha256_mgf1_32",
		"PS384": "pss_2048_sha384_mgf1_48 pss_4096_sha384_mgf1_48", "PS512": "pss_4096_sha512_mgf1_64",
	} {
		a, y := row(t, alg), tally{t: t}
		for file := range strings.FieldsSeq(files) {
			for _, g := range vectors.Wycheproof(t, "rsa_"+file) {
				n, e := new(big.Int).SetBytes(g.PublicKey.Modulus),
					new(big.Int).SetBytes(g.PublicKey.PublicExponent)
				key := rsaKey{&rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())}}}
				for _, v := range g.Tests {
					y.verdict(&v, a.verify(key, sumOf(a.hash, v.Msg), v.Sig))
				}
			}
		}
		y.report(alg)
	}
}

// A salt of another length than the hash's is another algorithm (RFC 7518 section 3.5).
func TestPSSTakesSaltsOfTheHashesLengthAlone(t *testing.T) {
	a := row(t, "PS256")
	for _, g := range vectors.Wycheproof(t, "rsa_pss_2048_sha256_mgf1_0") {
		key := rsaKey{&rsa.PrivateKey{PublicKey: rsa.PublicKey{
			N: new(big.Int).SetBytes(g.PublicKey.Modulus), E: 65537}}}
		for _, v := range g.Tests {
			if v.Result == "valid" && a.verify(key, sumOf(a.hash, v.Msg), v.Sig) {
				t.Errorf("%d (%s): verified, and its salt is empty", v.ID, v.Comment)
			}
		}
	}
}

// RFC 5649 inside a transfer: what unwraps is what was wrapped, all else sounds the same. Keys
// other than AES-256 are refused before it.
func TestVectorsOfTransfers(t *testing.T) {
	key, y := rsaTestKey(), tally{t: t}
	refused := map[string]bool{}
	for _, g := range vectors.Wycheproof(t, "aes_kwp") {
		for _, v := range g.Tests {
			kek, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, &key.PublicKey, v.Key, nil)
			if err != nil {
				t.Fatal(err)
			}
			if g.KeySize != 8*transferKey {
				v.Result = "invalid"
			}
			got, err := openTransfer(key, slices.Concat(kek, v.CT))
			if err != nil {
				refused[err.Error()] = true
			}
			if len(v.Msg) < 16 && v.Result == "valid" {
				v.Result = "acceptable" // the library wraps nothing shorter, and no key is
			}
			y.verdict(&v, err == nil)
			if err == nil && !bytes.Equal(got, v.Msg) {
				t.Errorf("%d: %x, want %x", v.ID, got, v.Msg)
			}
		}
	}
	y.report("KWP")
	if len(refused) != 1 {
		t.Errorf("refused in different words: %v", refused)
	}
}

// Keys of three primes (RFC 8017 section 3.2) are refused as those are that come as a JWK, which
// has no room for them.
func TestWrappedKeysOfThreePrimesAreRefused(t *testing.T) {
	for _, g := range vectors.Wycheproof(t, "rsa_three_primes_oaep_2048_sha1_mgf1sha1") {
		_, err := (&JWK{Kty: "RSA"}).unwrapped(func() ([]byte,
			error) {
			return bytes.Clone(g.PrivateKeyPKCS8), nil
		})
		wantBadParameter(t, err)
	}
}
