package httpapi_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"maps"
	"math/big"
	"slices"
	"testing"

	"gitlab.com/yawning/secp256k1-voi/secec"
)

// privateJWKs are fresh keys of each type and curve, by name.
func privateJWKs(t *testing.T) map[string]map[string]any {
	t.Helper()
	all := map[string]map[string]any{"oct": {"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAA"}}
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		d, err := key.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		point, err := key.PublicKey.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		all[curve.Params().Name] = ecJWK(curve.Params().Name, d, point)
	}
	koblitz, err := secec.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	all["P-256K"] = ecJWK("P-256K", koblitz.Bytes(), koblitz.PublicKey().Bytes())
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	all["RSA"] = map[string]any{"kty": "RSA"}
	for name, n := range map[string]*big.Int{"n": key.N, "e": big.NewInt(int64(key.E)), "d": key.D,
		"p": key.Primes[0], "q": key.Primes[1],
		"dp": key.Precomputed.Dp, "dq": key.Precomputed.Dq, "qi": key.Precomputed.Qinv} {
		all["RSA"][name] = b64(n.Bytes())
	}
	return all
}

// ecJWK is a private key, from its scalar and its uncompressed point.
func ecJWK(crv string, d, point []byte) map[string]any {
	size := len(point) / 2
	return map[string]any{"kty": "EC", "crv": crv, "d": b64(d), "x": b64(point[1 : 1+size]),
		"y": b64(point[1+size:])}
}

// Java's BigInteger puts a zero before a number whose first bit is one, and others leave zeros out.
// Azure takes each, for each number of a key, and shows the number as it is.
func TestNumbersOfKeysMayBeginWithZeros(t *testing.T) {
	c := unsealed(t).application(t, "leading-zeros", everything)
	for name, jwk := range privateJWKs(t) {
		want := c.ok("PUT", "/keys/plain", encoded(t, map[string]any{"key": jwk}))
		for _, member := range slices.Sorted(maps.Keys(jwk)) {
			if member == "kty" || member == "crv" ||
				member == "k" { // a symmetric key is bytes, no number
				continue
			}
			number, err := base64.RawURLEncoding.DecodeString(jwk[member].(string))
			if err != nil {
				t.Fatal(err)
			}
			for _, zeros := range []int{1, 2, 70} {
				other := maps.Clone(jwk)
				other[member] = b64(append(make([]byte, zeros), number...))
				a := c.call("PUT", "/keys/zeros", encoded(t, map[string]any{"key": other}))
				if a.status != 200 {
					t.Errorf("%s with %d zeros before %s: %d %s", name, zeros, member, a.status,
						a.body)
					continue
				}
				for _, shown := range []string{"n", "e", "x", "y"} {
					if a.at("key", shown) != want.at("key", shown) {
						t.Errorf("%s with %d zeros before %s shows %s as %v, it is %v", name, zeros,
							member, shown, a.at("key", shown), want.at("key", shown))
					}
				}
			}
			other := maps.Clone(jwk)
			other[member] = b64(append([]byte{1}, number...))
			if a := c.call("PUT", "/keys/longer", encoded(t,
				map[string]any{"key": other})); a.status != 400 {
				t.Errorf("%s with a one before %s: %d %s", name, member, a.status, a.body)
			}
		}
	}
	// What Microsoft's SDK for Java sent.
	c.ok("PUT", "/keys/java",
		`{"key":{"kty":"EC","crv":"P-256","x":"AJdSB9NP6XP14nddus5vuKQHELd-RJ66ad2TrxdXP0JW",`+
			`"y":"WJpI9TJGqaDSISd8wF5_LdQpp8QsXvLeNkZHuGDl3eg","d":"DJ5SjI4-Zwu3neU7vYIjCP2k5nZlMNTmE22bNYY0VLg"}}`)
}
