package vault_test

import (
	"bytes"
	crand "crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"math/big"
	"strings"
	"testing"

	"keyquorum/vault"
)

// An rsaParts is a key as whoever makes one up has it: nothing in it needs to be true.
type rsaParts struct{ n, e, d, p, q *big.Int }

var one = big.NewInt(1)

// partsOf gives p·q a private exponent that undoes e, as far as there is one where p and q are no
// primes.
func partsOf(p, q *big.Int, e int64) rsaParts {
	k := rsaParts{n: new(big.Int).Mul(p, q), e: big.NewInt(e), p: p, q: q}
	k.d = new(big.Int).ModInverse(k.e, new(big.Int).Mul(less(p, one), less(q, one)))
	if k.d == nil {
		k.d = new(big.Int)
	}
	return k
}

func less(a, b *big.Int) *big.Int { return new(big.Int).Sub(a, b) }

func (k rsaParts) jwk() *vault.JWK {
	return &vault.JWK{Kty: "RSA", N: k.n.Bytes(), E: k.e.Bytes(), D: k.d.Bytes(), P: k.p.Bytes(),
		Q: k.q.Bytes()}
}

// pkcs8 is RFC 5958 around RFC 8017 appendix A.1.2.
func (k rsaParts) pkcs8(t *testing.T, more ...any) []byte {
	type algorithm struct {
		OID  asn1.ObjectIdentifier
		Null asn1.RawValue
	}
	coefficient := new(big.Int).ModInverse(k.q, k.p)
	if coefficient == nil {
		coefficient = new(big.Int)
	}
	inner := []any{0, k.n, k.e, k.d, k.p, k.q, new(big.Int).Mod(k.d, less(k.p, one)),
		new(big.Int).Mod(k.d, less(k.q, one)), coefficient}
	var body []byte
	for _, v := range append(inner, more...) {
		body = append(body, must(asn1.Marshal(v))(t)...)
	}
	key := must(asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: body}))(t)
	return must(asn1.Marshal(struct {
		Version   int
		Algorithm algorithm
		Key       []byte
	}{0, algorithm{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, asn1.NullRawValue}, key}))(t)
}

// below is 2^bits-less, a prime.
func below(bits uint, less int64) *big.Int {
	return new(big.Int).Sub(new(big.Int).Lsh(one, bits), big.NewInt(less))
}

// primeOf draws a prime of so many bits, the upper two of which are set, that every exponent of
// this file has an inverse for it.
func primeOf(t *testing.T, bits int) *big.Int {
	for exponents := big.NewInt(1<<32 - 1); ; { // 3·5·17·257·65537
		p := must(crand.Prime(crand.Reader, bits))(t)
		if new(big.Int).GCD(nil, nil, less(p, one), exponents).Cmp(one) == 0 {
			return p
		}
	}
}

// withSize is partsOf where the product has 2048 bits and e has an inverse.
func withSize(t *testing.T, p, q *big.Int, e int64) rsaParts {
	t.Helper()
	k := partsOf(p, q, e)
	if k.n.BitLen() != 2048 || k.d.Sign() == 0 {
		t.Fatal("there is no such key")
	}
	return k
}

// carmichael is a number of 1024 bits for which e and d undo each other as they do for a prime,
// with this k: (6k+1)(12k+1)(18k+1).
func carmichael() *big.Int {
	k, _ := new(big.Int).SetString("38974e200cb40efe0e237d5df827db175e1806393479d759a3af12555fd338f7d69cde4fb983b9808eebd",
		16)
	product := big.NewInt(1)
	for _, m := range []int64{6, 12, 18} {
		product.Mul(product, new(big.Int).Add(new(big.Int).Mul(k, big.NewInt(m)), one))
	}
	return product
}

// Whoever may import must not be able to make a key the latest version of which is none: its
// factors are in everybody's reach, or what it encrypts is in the open. Each of these signs, and
// its signature verifies.
func TestImportedRSAKeysAreKeys(t *testing.T) {
	w, c := demo(t)
	kek := must(w.CreateKey(ctx, c, "kek", rsaSpec, vault.Change{KeyOps: []string{"import"}}))(t)
	wrapped := func(private []byte) *vault.JWK {
		return &vault.JWK{Kty: "RSA",
			HSM: transfer(t, "https://demo.vault.example/keys/kek", rsaOf(kek.Public), private)}
	}
	own := must(rsa.GenerateKey(crand.Reader, 2048))(t)
	good := partsOf(own.Primes[0], own.Primes[1], 65537)
	changed := func(f func(k *rsaParts)) rsaParts {
		k := good
		f(&k)
		return k
	}
	p, q := primeOf(t, 1024), primeOf(t, 1024)
	neighbour := new(big.Int).Add(p, big.NewInt(2))
	for !neighbour.ProbablyPrime(20) {
		neighbour.Add(neighbour, big.NewInt(2))
	}
	for name, k := range map[string]rsaParts{
		"a prime of 8 bits":    withSize(t, big.NewInt(251), below(2040, 359), 65537),
		"a prime of 64 bits":   withSize(t, below(64, 59), below(1984, 815), 65537),
		"a prime of 1000 bits": withSize(t, below(1000, 1245), below(1048, 449), 65537),
		"q is no prime":        withSize(t, p, carmichael(), 65537),
		"p is no prime":        withSize(t, carmichael(), p, 65537),
		"p is q":               partsOf(p, p, 65537),
		"neighbours":           withSize(t, p, neighbour, 65537),
		"e is 3":               withSize(t, p, q, 3),
		"e is 65535":           withSize(t, p, q, 65535),
		"e of 32 bits":         withSize(t, p, q, 1<<32-1),
		"e is even":            changed(func(k *rsaParts) { k.e = big.NewInt(65538) }),
		"d of half a key":      changed(func(k *rsaParts) { k.d = new(big.Int).Rsh(k.d, 1024) }),
		"another's n":          changed(func(k *rsaParts) { k.n = new(big.Int).Add(k.n, big.NewInt(2)) }),
		"d beyond n": changed(func(k *rsaParts) {
			k.d = new(big.Int).Add(k.d,
				new(big.Int).Lsh(less(k.n, one), 1))
		}),
		"d of another e":   changed(func(k *rsaParts) { k.d = partsOf(k.p, k.q, 65539).d }),
		"2049 bits":        partsOf(below(1000, 1245), new(big.Int).Lsh(below(1048, 449), 1), 65537),
		"an empty modulus": changed(func(k *rsaParts) { k.n = new(big.Int) }),
	} {
		t.Run(name, func(t *testing.T) {
			for way, j := range map[string]*vault.JWK{"plain": k.jwk(), "wrapped": wrapped(k.pkcs8(t))} {
				_, err := w.ImportKey(ctx, c, "k", j, vault.Change{})
				if err == nil {
					t.Errorf("%s: a broken key came in", way)
				}
				refused(t, err, vault.Invalid, "BadParameter")
			}
		})
	}
	for name, j := range map[string]*vault.JWK{"three primes": wrapped(good.pkcs8(t, []*big.Int{p})),
		"trailing": wrapped(append(good.pkcs8(t), 0))} {
		_, err := w.ImportKey(ctx, c, "k", j, vault.Change{})
		refusedAs(t, name, err)
	}
	for name, j := range map[string]*vault.JWK{
		"plain": good.jwk(), "wrapped": wrapped(good.pkcs8(t)),
		"e of 31 bits": withSize(t, p, q, 1<<31-1).jwk(),
	} {
		if _, err := w.ImportKey(ctx, c, "good", j, vault.Change{}); err != nil {
			t.Errorf("%s: a good key is refused: %v", name, err)
		}
	}
}

func refusedAs(t *testing.T, name string, err error) {
	t.Helper()
	t.Run(name, func(t *testing.T) { refused(t, err, vault.Invalid, "BadParameter") })
}

// Numbers that are longer than a key's are refused for their length alone, before anybody
// calculates with them. Zeros in front count for nothing.
func TestLongNumbersOfImportedRSAKeys(t *testing.T) {
	w, c := demo(t)
	own := privateJWK(t, must(rsa.GenerateKey(crand.Reader, 2048))(t))
	zeros := func(b []byte) []byte { return append(make([]byte, 13<<10), b...) }
	long := make([]byte, 12<<10)
	crand.Read(long)
	long[0], long[len(long)-1] = 0x80, 1
	padded := *own
	for _, m := range []*[]byte{&padded.N, &padded.E, &padded.D, &padded.P, &padded.Q, &padded.DP,
		&padded.DQ, &padded.QI} {
		*m = zeros(*m)
	}
	if k := must(w.ImportKey(ctx, c, "padded", &padded, vault.Change{}))(t); !bytes.Equal(k.Public.N,
		own.N) || !bytes.Equal(k.Public.E, own.E) {
		t.Errorf("%+v", k.Public)
	}
	for name, member := range map[string]func(j *vault.JWK) *[]byte{
		"key.n": func(j *vault.JWK) *[]byte { return &j.N },
		"key.e": func(j *vault.JWK) *[]byte { return &j.E },
		"key.d": func(j *vault.JWK) *[]byte { return &j.D },
		"key.p": func(j *vault.JWK) *[]byte { return &j.P },
		"key.q": func(j *vault.JWK) *[]byte { return &j.Q },
	} {
		j := padded
		*member(&j) = long
		_, err := w.ImportKey(ctx, c, "long", &j, vault.Change{})
		if e := refused(t, err, vault.Invalid, "BadParameter"); !strings.Contains(e.Message, name) {
			t.Errorf("%s: %s", name, e.Message)
		}
	}
}
