package httpapi_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

// TestOpenSSLSignatures: what the vault signs OpenSSL verifies, with the public half that the vault
// shows, and the other way round.
func TestOpenSSLSignatures(t *testing.T) {
	p, o := newProver(t), newOpenSSL(t)
	for algs, key := range map[string]func() (file, jwk string){
		"RS256 RS384 RS512 PS256 PS384 PS512": func() (string, string) { return o.newRSA(2048) },
		"ES256":                               func() (string, string) { return o.newEC("P-256") },
		"ES384":                               func() (string, string) { return o.newEC("P-384") },
		"ES512":                               func() (string, string) { return o.newEC("P-521") },
		"ES256K":                              func() (string, string) { return o.newEC("P-256K") },
	} {
		file, jwk := key()
		name := p.imported(jwk)
		public := o.public(p.client, name)
		for alg := range strings.FieldsSeq(algs) {
			digest := digestOf(alg, []byte(rand.Text()))
			options := append(signatureOptions(alg), "-in", o.file("digest", digest))
			ours := p.use("sign", name, alg, map[string][]byte{"value": digest})
			o.file("signature", o.signature(alg, ours))
			verify := append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", public, "-sigfile",
				"signature"}, options...)
			if out, err := o.run(nil, verify...); err != nil {
				t.Errorf("%s: OpenSSL refuses what the vault signed: %s", alg, out)
			}
			theirs := o.raw(alg, o.must(nil,
				append([]string{"pkeyutl", "-sign", "-inkey", file}, options...)...), len(ours)/2)
			if !p.verified(name, alg, digest, theirs) || p.verified(name, alg, digest, flipped(theirs)) {
				t.Errorf("%s: the vault is wrong about what OpenSSL signed", alg)
			}
			o.file("signature", flipped(o.signature(alg, ours)))
			if _, err := o.run(nil, verify...); err == nil {
				t.Errorf("%s: OpenSSL takes a flipped bit", alg)
			}
		}
	}
}

// Keys that the vault made: their public halves are what OpenSSL needs to verify and to encrypt.
func TestOpenSSLKnowsMadeKeys(t *testing.T) {
	p, o := newProver(t), newOpenSSL(t)
	for alg, spec := range map[string]string{"RS256": `{"kty":"RSA"}`, "ES256": `{"kty":"EC"}`,
		"ES384": `{"kty":"EC","crv":"P-384"}`,
		"ES512": `{"kty":"EC","crv":"P-521"}`, "ES256K": `{"kty":"EC","crv":"P-256K"}`} {
		name := "made-" + alg
		p.ok("POST", "/keys/"+name+"/create", spec)
		public, digest := o.public(p.client, name), digestOf(alg, []byte(rand.Text()))
		o.file("signature", o.signature(alg,
			p.use("sign", name, alg, map[string][]byte{"value": digest})))
		verify := append(signatureOptions(alg), "-in", o.file("digest", digest))
		if out, err := o.run(nil,
			append([]string{"pkeyutl", "-verify", "-pubin", "-inkey", public, "-sigfile", "signature"},
				verify...)...); err != nil {
			t.Errorf("%s: OpenSSL refuses what the vault signed: %s", alg, out)
		}
	}
}

func TestOpenSSLEncryption(t *testing.T) {
	p, o := newProver(t), newOpenSSL(t)
	file, jwk := o.newRSA(2048)
	name := p.imported(jwk)
	for alg, options := range map[string][]string{
		"RSA-OAEP": {"-pkeyopt", "rsa_padding_mode:oaep"},
		"RSA-OAEP-256": {"-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256",
			"-pkeyopt", "rsa_mgf1_md:sha256"},
		"RSA1_5": {"-pkeyopt", "rsa_padding_mode:pkcs1"},
	} {
		plain := []byte(rand.Text())
		ours := p.use("encrypt", name, alg, map[string][]byte{"value": plain})
		if got := o.must(ours, append([]string{"pkeyutl", "-decrypt", "-inkey", file},
			options...)...); !bytes.Equal(got, plain) {
			t.Errorf("%s: OpenSSL decrypts %q, want %q", alg, got, plain)
		}
		theirs := o.must(plain,
			append([]string{"pkeyutl", "-encrypt", "-pubin", "-inkey", o.public(p.client, name)},
				options...)...)
		if got := p.use("decrypt", name, alg, map[string][]byte{"value": theirs}); !bytes.Equal(got,
			plain) {
			t.Errorf("%s: the vault decrypts %q, want %q", alg, got, plain)
		}
	}
}

// AES-GCM is not among the ciphers of `openssl enc`; vectors have it.
func TestOpenSSLSymmetric(t *testing.T) {
	p, o := newProver(t), newOpenSSL(t)
	for _, bits := range []int{128, 192, 256} {
		key, iv, plain := randomBytes(bits/8), randomBytes(16), randomBytes(48)
		for alg, cipher := range map[string][]string{
			"CBC":    {fmt.Sprintf("-aes-%d-cbc", bits), "-iv", hex.EncodeToString(iv), "-nopad"},
			"CBCPAD": {fmt.Sprintf("-aes-%d-cbc", bits), "-iv", hex.EncodeToString(iv)},
			"KW":     {fmt.Sprintf("-id-aes%d-wrap", bits), "-iv", "A6A6A6A6A6A6A6A6"},
		} {
			alg = fmt.Sprintf("A%d%s", bits, alg)
			cipher = append(cipher, "-K", hex.EncodeToString(key))
			do, undo := "encrypt", "decrypt"
			if strings.HasSuffix(alg, "KW") {
				do, undo = "wrapKey", "unwrapKey"
			}
			ours := p.use(do, p.oct(key), alg, map[string][]byte{"value": plain, "iv": iv})
			theirs := o.must(plain, append([]string{"enc", "-e"}, cipher...)...)
			if !bytes.Equal(ours, theirs) {
				t.Errorf("%s: the vault says %x, OpenSSL %x", alg, ours, theirs)
			}
			if got := o.must(ours, append([]string{"enc", "-d"}, cipher...)...); !bytes.Equal(got, plain) {
				t.Errorf("%s: OpenSSL decrypts %x, want %x", alg, got, plain)
			}
			if got := p.use(undo, p.oct(key), alg,
				map[string][]byte{"value": theirs, "iv": iv}); !bytes.Equal(got, plain) {
				t.Errorf("%s: the vault decrypts %x, want %x", alg, got, plain)
			}
		}
		for alg, hash := range map[string]string{"HS256": "-sha256", "HS384": "-sha384",
			"HS512": "-sha512"} {
			theirs := o.must(plain, "dgst", hash, "-mac", "HMAC", "-macopt",
				"hexkey:"+hex.EncodeToString(key), "-binary")
			if ours := p.use("sign", p.oct(key), alg, map[string][]byte{"value": plain}); !bytes.Equal(ours,
				theirs) || !p.verified(p.oct(key), alg, plain, theirs) {
				t.Errorf("%s with %d bits: the vault says %x, OpenSSL %x", alg, bits, ours, theirs)
			}
		}
	}
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}
