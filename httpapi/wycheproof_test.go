package httpapi_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strings"

	"keyquorum/internal/vectors"
)

func (p *prover) aes() {
	for _, g := range vectors.Wycheproof(p.t, "aes_gcm") {
		if g.IVSize != 96 || g.TagSize != 128 {
			p.skipped["AES-GCM with an IV of other than 96 bits"] += len(g.Tests)
			continue
		}
		for _, v := range g.Tests {
			p.undo(&v, "decrypt", p.oct(v.Key), fmt.Sprintf("A%dGCM", g.KeySize),
				map[string][]byte{"value": v.CT, "iv": v.IV, "aad": v.AAD, "tag": v.Tag})
		}
	}
	for _, g := range vectors.Wycheproof(p.t, "aes_cbc_pkcs5") {
		alg := fmt.Sprintf("A%dCBCPAD", g.KeySize)
		for _, v := range g.Tests {
			p.undo(&v, "decrypt", p.oct(v.Key), alg, map[string][]byte{"value": v.CT, "iv": v.IV})
			p.redo(&v, "encrypt", alg, map[string][]byte{"value": v.Msg, "iv": v.IV})
		}
	}
	for _, g := range vectors.Wycheproof(p.t, "aes_wrap") {
		alg := fmt.Sprintf("A%dKW", g.KeySize)
		for _, v := range g.Tests {
			p.undo(&v, "unwrapKey", p.oct(v.Key), alg, map[string][]byte{"value": v.CT})
			p.redo(&v, "wrapKey", alg, map[string][]byte{"value": v.Msg})
		}
	}
}

// redo wants what a valid vector encrypts to.
func (p *prover) redo(v *vectors.Vector, op, alg string, members map[string][]byte) {
	p.t.Helper()
	if v.Result != "valid" {
		return
	}
	if got := p.use(op, p.oct(v.Key), alg, members); !bytes.Equal(got, v.CT) {
		p.t.Errorf("%s, %d: %x, want %x", alg, v.ID, got, v.CT)
	}
}

func (p *prover) hmac() {
	for alg, hash := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384,
		"HS512": crypto.SHA512} {
		for _, g := range vectors.Wycheproof(p.t, fmt.Sprintf("hmac_sha%d", 8*hash.Size())) {
			switch {
			case g.TagSize != 8*hash.Size():
				p.skipped["HMACs that are cut"] += len(g.Tests)
				continue
			case g.KeySize != 128 && g.KeySize != 192 && g.KeySize != 256:
				p.skipped["HMAC keys of other than 128, 192 and 256 bits"] += len(g.Tests)
				continue
			}
			for _, v := range g.Tests {
				key := p.oct(v.Key)
				p.verdict(&v, key, alg, v.Msg, v.Tag)
				if got := p.use("sign", key, alg, map[string][]byte{"value": v.Msg}); bytes.Equal(got,
					v.Tag) != (v.Result == "valid") {
					p.t.Errorf("%s, %d (%s): %x", alg, v.ID, v.Comment, got)
				}
			}
		}
	}
}

// keysPerFile bounds how many RSA keys of a file are imported where time matters; make vectors
// takes all.
const keysPerFile = 8

func (p *prover) rsaDecryption() {
	for _, file := range strings.Fields("rsa_oaep_2048_sha1_mgf1sha1 rsa_oaep_2048_sha256_mgf1sha256 rsa_oaep_3072_sha256_mgf1sha256 " +
		"rsa_oaep_4096_sha256_mgf1sha256 rsa_oaep_misc rsa_pkcs1_2048 rsa_pkcs1_3072 rsa_pkcs1_4096") {
		for i, g := range vectors.Wycheproof(p.t, file) {
			alg := map[string]string{"": "RSA1_5", "SHA-1": "RSA-OAEP", "SHA-256": "RSA-OAEP-256"}[g.SHA]
			switch {
			case g.KeySize != 2048 && g.KeySize != 3072 && g.KeySize != 4096:
				p.skipped["RSA keys of other than 2048, 3072 and 4096 bits"] += len(g.Tests)
				continue
			case alg == "" || g.SHA != g.MGFSHA:
				p.skipped["OAEP with hashes that no algorithm has"] += len(g.Tests)
				continue
			case i >= keysPerFile && os.Getenv("KEYQUORUM_VECTORS") == "":
				p.skipped["RSA keys that are left to make vectors"] += len(g.Tests)
				continue
			}
			key := p.imported(string(g.PrivateKeyJWK))
			for _, v := range g.Tests {
				if len(v.Label) != 0 {
					p.skipped["OAEP with a label"]++
					continue
				}
				p.undo(&v, "decrypt", key, alg, map[string][]byte{"value": v.CT})
			}
		}
	}
}

// threePrimes: such keys (RFC 8017 section 3.2) are not taken, rather than taken for others.
func (p *prover) threePrimes() {
	for _, g := range vectors.Wycheproof(p.t, "rsa_three_primes_oaep_2048_sha1_mgf1sha1") {
		if a := p.call("PUT", "/keys/three-primes",
			`{"key":`+string(g.PrivateKeyJWK)+`}`); a.status != 400 {
			p.t.Errorf("a key of three primes: %d %s", a.status, a.body)
		}
	}
}

// rsaSignatures proves signatures of RSASSA-PKCS1-v1_5, which are fixed. The file gives keys
// without their primes.
func (p *prover) rsaSignatures() {
	for _, size := range []string{"2048", "3072", "4096"} {
		for _, g := range vectors.Wycheproof(p.t, "rsa_pkcs1_"+size+"_sig_gen") {
			alg := map[string]string{"SHA-256": "RS256", "SHA-384": "RS384", "SHA-512": "RS512"}[g.SHA]
			if alg == "" {
				p.skipped["RSA signatures with hashes that no algorithm has"] += len(g.Tests)
				continue
			}
			n, e, d := g.PrivateKey.Modulus, g.PrivateKey.PublicExponent, g.PrivateKey.PrivateExponent
			first, second := primes(n, e, d)
			jwk := object(map[string][]byte{"n": bytes.TrimLeft(n, "\x00"), "e": e,
				"d": bytes.TrimLeft(d, "\x00"), "p": first, "q": second}, "kty", "RSA")
			if new(big.Int).SetBytes(e).Cmp(big.NewInt(65537)) < 0 {
				p.skipped["RSA keys with small exponents, which are not taken"] += len(g.Tests)
				if a := p.call("PUT", "/keys/small-exponent", `{"key":`+jwk+`}`); a.status != 400 {
					p.t.Errorf("a key with the exponent %x: %d %s", e, a.status, a.body)
				}
				continue
			}
			key := p.imported(jwk)
			for _, v := range g.Tests {
				digest := digestOf(alg, v.Msg)
				p.verdict(&v, key, alg, digest, v.Sig)
				if got := p.use("sign", key, alg, map[string][]byte{"value": digest}); !bytes.Equal(got,
					v.Sig) {
					p.t.Errorf("%s, %d: %x, want %x", alg, v.ID, got, v.Sig)
				}
			}
		}
	}
}

// primes factors a modulus whose exponents are known (NIST SP 800-56B appendix C.1): e·d-1 is a
// multiple of the order of every number, so that the last square root of 1 on the way there is, for
// one number in two, one that shares a prime with the modulus.
func primes(modulus, e, d []byte) (p, q []byte) {
	one := big.NewInt(1)
	n := new(big.Int).SetBytes(modulus)
	odd := new(big.Int).Mul(new(big.Int).SetBytes(e), new(big.Int).SetBytes(d))
	odd.Sub(odd, one)
	odd.Rsh(odd, odd.TrailingZeroBits())
	for base := int64(2); ; base++ {
		x, root := new(big.Int).Exp(big.NewInt(base), odd, n), new(big.Int)
		for x.Cmp(one) != 0 {
			root.Set(x)
			x.Mod(x.Mul(x, x), n)
		}
		if f := new(big.Int).GCD(nil, nil, root.Sub(root, one), n); root.Sign() > 0 && f.Cmp(one) > 0 &&
			f.Cmp(n) < 0 {
			return f.Bytes(), new(big.Int).Div(n, f).Bytes()
		}
	}
}

// jws proves the signatures of JSON Web Signatures. Those that are invalid for what their header
// says are somebody else's business.
func (p *prover) jws() {
	about := []string{"ModifiedPadding", "ModifiedSignature",
		"IntegerOverflow"} // what can be wrong with a signature itself
	for _, g := range vectors.Wycheproof(p.t, "json_web_signature") {
		for _, v := range g.Tests {
			alg, signed, signature := takenApart(v.JWS)
			wrong := slices.ContainsFunc(v.Flags, func(f string) bool { return slices.Contains(about, f) })
			if alg == "" || v.Result != "valid" && !wrong && g.Comment != "SpecialCaseEs256" {
				p.skipped["JWS that are about more than a signature"]++
				continue
			}
			p.verdict(&v, p.imported(withoutOps(g.Private)), alg, digestOf(alg, signed), signature)
		}
	}
}

// takenApart gives the parts of a JWS in compact form. alg is "" if that is what it isn't, or the
// algorithm is no signature of ours.
func takenApart(jws string) (alg string, signed, signature []byte) {
	var header struct{ Alg string }
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return "", nil, nil
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[0])
	signature, err2 := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || err2 != nil || json.Unmarshal(b, &header) != nil || hashes[header.Alg] == 0 {
		return "", nil, nil
	}
	return header.Alg, []byte(parts[0] + "." + parts[1]), signature
}

// withoutOps is a JWK that may be used for all that its type can do.
func withoutOps(jwk []byte) string {
	var members map[string]any
	_ = json.Unmarshal(jwk, &members)
	delete(members, "key_ops")
	b, _ := json.Marshal(members)
	return string(b)
}
