package vault

import (
	"crypto/rsa"
	encasn1 "encoding/asn1"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// importRSA builds a key from the members of a private JWK (RFC 7518 section 6.3.2), however they
// came from outside. The primes must be there; dp, dq and qi are worked out anew, and must agree
// where they are given.
//
// A key is taken if FIPS 186-5 (sections 5.1, 5.4 and appendix A.1.1) lets it be made: two primes
// of half its bits each that are not near each other, and a d that undoes e and is not small.
// Nobody's tools make others, and who may only import must not be able to plant as the latest
// version a key that everybody can open. Lengths come first: no number goes into arithmetic that is
// longer than a key's.
func importRSA(j *JWK) (material, error) {
	n, e, d, p, q := number(j.N), number(j.E), number(j.D), number(j.P), number(j.Q)
	bits := n.BitLen()
	if bits != 2048 && bits != 3072 && bits != 4096 {
		return nil, badProperty("key.n")
	}
	for _, m := range [...]struct {
		name     string
		value    *big.Int
		min, max int // bits
	}{{"e", e, minExponentBits, maxExponentBits}, {"d", d, bits/2 + 1, bits},
		{"p", p, bits / 2, bits / 2}, {"q", q, bits / 2, bits / 2}} {
		if got := m.value.BitLen(); got < m.min || got > m.max {
			return nil, badProperty("key." + m.name)
		}
	}
	key := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: n, E: int(e.Int64())}, D: d,
		Primes: []*big.Int{p, q}}
	if !belongTogether(key) || !agrees(j.DP, key.Precomputed.Dp) ||
		!agrees(j.DQ, key.Precomputed.Dq) || !agrees(j.QI, key.Precomputed.Qinv) ||
		!primes(p, q) {
		return nil, errInconsistent
	}
	return rsaKey{key}, nil
}

const (
	// An odd e of 17 bits is 65537 at least, as FIPS 186-5 section 5.4 wants it: smaller ones forgive
	// no mistake in a padding. It would allow 256 bits; the standard library takes 31.
	minExponentBits, maxExponentBits = 17, 31
	// primeRounds of Miller and Rabin's test come beside Baillie and Wagstaff's. Whoever makes a
	// number up can foresee the bases of the first; of the second nobody has found a composite that
	// passes.
	primeRounds = 20
)

func number(b []byte) *big.Int { return new(big.Int).SetBytes(b) }

// belongTogether says whether the parts are a key's if the primes are primes, and works out the
// rest. The standard library looks whether e is odd, e·d is 1 modulo p-1 and q-1, and p and q
// differ in their first hundred bits (appendix A.1.1).
func belongTogether(key *rsa.PrivateKey) bool {
	if new(big.Int).Mul(key.Primes[0], key.Primes[1]).Cmp(key.N) != 0 {
		return false
	}
	key.Precompute()
	return key.Validate() == nil
}

// primes looks at both briefly before it looks at either for long, so that a key that is none costs
// little.
func primes(p, q *big.Int) bool {
	for _, rounds := range [...]int{0, primeRounds} {
		if !p.ProbablyPrime(rounds) || !q.ProbablyPrime(rounds) {
			return false
		}
	}
	return true
}

// agrees: what is not given agrees with everything.
func agrees(given []byte, want *big.Int) bool {
	return len(given) == 0 ||
		number(given).Cmp(want) == 0
}

var rsaEncryption = encasn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}

// readRSA8 takes a key of two primes in PKCS #8 (RFC 5958 around RFC 8017 appendix A.1.2) apart;
// its numbers lie in der. nil is for whatever else der is. x509 would do arithmetic with the
// numbers before anybody has looked at their lengths.
func readRSA8(der []byte) *JWK {
	var version, inner int64
	var info, algorithm, octets, key cryptobyte.String
	var kind encasn1.ObjectIdentifier
	input := cryptobyte.String(der)
	if !input.ReadASN1(&info, asn1.SEQUENCE) || !input.Empty() ||
		!info.ReadASN1Integer(&version) || version != 0 ||
		!info.ReadASN1(&algorithm, asn1.SEQUENCE) || !algorithm.ReadASN1ObjectIdentifier(&kind) ||
		!kind.Equal(rsaEncryption) ||
		!info.ReadASN1(&octets, asn1.OCTET_STRING) || !octets.ReadASN1(&key, asn1.SEQUENCE) ||
		!octets.Empty() ||
		!key.ReadASN1Integer(&inner) || inner != 0 {
		return nil
	}
	var j JWK
	for _, into := range []*[]byte{&j.N, &j.E, &j.D, &j.P, &j.Q, &j.DP, &j.DQ, &j.QI} {
		if !key.ReadASN1Integer(into) {
			return nil
		}
	}
	if !key.Empty() {
		return nil
	}
	return &j
}
