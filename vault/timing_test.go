package vault

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"math"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

// Two classes of ciphertexts that don't decrypt must take the same time to be refused. The classes
// are chosen so that an early return in a check would tell them apart: in one the check fails at
// its first byte, in the other at its last. Both are timed in turns, in random order, and compared
// as dudect does (Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", 2017): Welch's
// t-test over samples of which the slow ones, which are the machine's doing, are cut off. A
// difference counts when most attempts show it, with one sign.
//
// What is timed is what withPrivate is given: erasing its traces takes long, and the same whatever
// happened.
//
// Each check has a twin that returns early, which must be found: a test that finds nothing there is
// too blunt for the machine.
const (
	timingAttempts  = 3
	timingAgree     = 2    // so many of them, with one sign, make a leak
	timingThreshold = 10.0 // of t; dudect takes 4.5 for suspicious and 10 for certain
)

// A refuser refuses a ciphertext.
type refuser func(in Cipher) error

// A duel is two classes of failing inputs for a check, and its leaky twin.
type duel struct {
	name    string
	classes [2][]Cipher
	check   refuser
	leaky   refuser
	samples int
}

func TestFailuresTakeAlike(t *testing.T) {
	for _, d := range slices.Concat(symmetricDuels(t), rsaDuels(t)) {
		if os.Getenv("KEYQUORUM_TIMING") == "" { // which wants a machine for itself: make timing
			t.Run(d.name, d.rehearse)
			continue
		}
		t.Run(d.name, d.fight)
	}
}

// rehearse does once what a fight does often, and judges no time.
func (d *duel) rehearse(t *testing.T) {
	d.refuses(t)
	d.samples = 100
	if a, b := d.measure(d.check), d.measure(d.leaky); math.IsInf(a, 0) || math.IsInf(b, 0) {
		t.Errorf("t is %v, and %v for the leaky twin", a, b)
	}
}

// refuses wants every input to be refused.
func (d *duel) refuses(t *testing.T) {
	t.Helper()
	for _, class := range d.classes {
		for _, in := range class {
			if d.check(in) == nil || d.leaky(in) == nil {
				t.Fatal("an input that was to be refused was not")
			}
		}
	}
}

func (d *duel) fight(t *testing.T) {
	d.refuses(t)
	ts, leaks := d.leaks(d.check)
	twins, found := d.leaks(d.leaky)
	t.Logf("t is %.1f, and %.1f for the leaky twin", ts, twins)
	if leaks {
		t.Error("the time tells which check failed")
	}
	if !found {
		t.Error("the leaky twin was not found: nothing can be said on this machine")
	}
}

// leaks gives the t-values of the attempts, and whether enough of them say the same.
func (d *duel) leaks(f refuser) (ts []float64, found bool) {
	slower, faster := 0, 0
	for left := timingAttempts - 1; left >= 0; left-- {
		t := d.measure(f)
		ts = append(ts, t)
		switch {
		case t > timingThreshold:
			slower++
		case t < -timingThreshold:
			faster++
		}
		if most := max(slower, faster); most == timingAgree || most+left < timingAgree {
			return ts, most == timingAgree
		}
	}
	return ts, false
}

// measure times both classes and gives t.
func (d *duel) measure(f refuser) float64 {
	inputs, classes := make([]Cipher, d.samples), make([]byte, d.samples)
	for i := range inputs {
		classes[i] = byte(mathrand.IntN(2))
		class := d.classes[classes[i]]
		inputs[i] = class[mathrand.IntN(len(class))]
	}
	times := make([]float64, d.samples)
	for i := range inputs {
		began := time.Now()
		_ = f(inputs[i])
		times[i] = float64(time.Since(began))
	}
	sorted := slices.Sorted(slices.Values(times))
	worst := 0.0
	for _, kept := range []int{5, 25, 50, 90} {
		bound := sorted[len(sorted)*kept/100]
		for _, t := range []float64{welch(times, classes, bound), shares(times, classes, bound)} {
			if math.Abs(t) > math.Abs(worst) {
				worst = t
			}
		}
	}
	return worst
}

// shares says in standard deviations by how much class 0 has too little of the samples that are not
// above a bound: what a small difference does to the fast samples shows here first.
func shares(samples []float64, classes []byte, bound float64) float64 {
	var all, fast [2]float64
	for i, x := range samples {
		all[classes[i]]++
		if x <= bound {
			fast[classes[i]]++
		}
	}
	n, p := fast[0]+fast[1], all[0]/(all[0]+all[1])
	return (n*p - fast[0]) / math.Sqrt(n*p*(1-p))
}

// welch is the t of Welch's test between the samples of both classes that are not above a bound.
func welch(samples []float64, classes []byte, bound float64) float64 {
	var n, mean, m2 [2]float64
	for i, x := range samples {
		if x > bound {
			continue
		}
		c := classes[i]
		n[c]++
		delta := x - mean[c]
		mean[c] += delta / n[c]
		m2[c] += delta * (x - mean[c])
	}
	return (mean[0] - mean[1]) / math.Sqrt(m2[0]/(n[0]-1)/n[0]+m2[1]/(n[1]-1)/n[1])
}

// many makes a class out of what makes one input.
func many(make func() Cipher) (class []Cipher) {
	for range 64 {
		class = append(class, make())
	}
	return class
}

func random(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// refuse drops what there is beside the error.
func refuse(open func(Cipher) (Cipher, error)) refuser {
	return func(in Cipher) error {
		_, err := open(in)
		return err
	}
}

// leakily is how the twins compare: byte by byte until one differs.
func leakily(a, b []byte) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}

func refusedIf(bad bool) error {
	if bad {
		return badProperty("value")
	}
	return nil
}

func symmetricDuels(t *testing.T) []duel {
	pad := row(t, "A256CBCPAD")
	key := pad.keyFor().(octKey)
	return []duel{{
		name: "CBCPAD", check: refuse(func(in Cipher) (Cipher, error) { return key.decryptCBC(pad, in) }),
		samples: 200_000,
		classes: [2][]Cipher{
			many(func() Cipher {
				return key.padded(slices.Concat(random(31),
					[]byte{0}))
			}), // no padding
			many(func() Cipher {
				return key.padded(slices.Concat(random(16), []byte{1},
					bytes.Repeat([]byte{16}, 15)))
			}), // wrong at the far end
		},
		leaky: func(in Cipher) error {
			plain := make([]byte, len(in.Value))
			cipher.NewCBCDecrypter(key.block, in.IV).CryptBlocks(plain, in.Value)
			n := int(plain[len(plain)-1])
			good := n >= 1 && n <= aes.BlockSize
			for i := 0; good && i < n; i++ {
				good = plain[len(plain)-1-i] == byte(n)
			}
			return refusedIf(!good)
		},
	}, {
		name: "GCM", check: refuse(key.openGCM), samples: 200_000,
		classes: [2][]Cipher{many(func() Cipher { return key.mistagged(0) }),
			many(func() Cipher { return key.mistagged(gcmTag - 1) })},
		leaky: func(in Cipher) error {
			plain := make([]byte, len(in.Value)) // of zeros, as are those that the inputs were made of
			sealed := key.gcm.Seal(nil, in.IV, plain, in.AAD)
			return refusedIf(!leakily(sealed[len(sealed)-gcmTag:], in.Tag))
		},
	}, {
		name: "KW", check: refuse(key.unwrap), samples: 200_000,
		classes: [2][]Cipher{many(func() Cipher { return key.miswrapped(0) }),
			many(func() Cipher { return key.miswrapped(7) })},
		leaky: func(in Cipher) error { return refusedIf(!leakily(key.unwrapped(in.Value), integrity)) },
	}}
}

// padded encrypts whole blocks, whatever they end in.
func (k octKey) padded(blocks []byte) Cipher {
	iv := random(aes.BlockSize)
	cipher.NewCBCEncrypter(k.block, iv).CryptBlocks(blocks, blocks)
	return Cipher{Value: blocks, IV: iv}
}

// mistagged encrypts zeros, and spoils a byte of the tag.
func (k octKey) mistagged(at int) Cipher {
	out := must1(k.sealGCM(Cipher{Value: make([]byte, 32)}))
	out.Tag[at] ^= 1
	return out
}

var integrity = bytes.Repeat([]byte{0xa6}, 8) // RFC 3394 section 2.2.3.1

// miswrapped wraps a key under an integrity check that is wrong in one byte (RFC 3394 section
// 2.2.1).
func (k octKey) miswrapped(at int) Cipher {
	wrong := bytes.Clone(integrity)
	wrong[at] ^= 1
	r := random(32)
	var block [16]byte
	copy(block[:8], wrong)
	for step := range 6 * len(r) / 8 {
		half := r[step*8%len(r):][:8]
		copy(block[8:], half)
		k.block.Encrypt(block[:], block[:])
		binary.BigEndian.PutUint64(block[:8], binary.BigEndian.Uint64(block[:8])^uint64(step+1))
		copy(half, block[8:])
	}
	return Cipher{Value: slices.Concat(block[:8], r)}
}

// unwrapped is the integrity check that a wrapped key unwraps to.
func (k octKey) unwrapped(value []byte) []byte {
	r := bytes.Clone(value[8:])
	block := make([]byte, 16)
	copy(block, value[:8])
	for step := 6*len(r)/8 - 1; step >= 0; step-- {
		half := r[step*8%len(r):][:8]
		binary.BigEndian.PutUint64(block[:8], binary.BigEndian.Uint64(block[:8])^uint64(step+1))
		copy(block[8:], half)
		k.block.Decrypt(block, block)
		copy(half, block[8:])
	}
	return block[:8]
}

// rsaDuels are fought with a key of 768 bits, the smallest that OAEP with SHA-256 takes: the
// exponentiation is what makes the noise, and the checks are the same.
func rsaDuels(t *testing.T) []duel {
	t.Setenv("GODEBUG", "rsa1024min=0")
	private, err := rsa.GenerateKey(rand.Reader, 768)
	if err != nil {
		t.Fatal(err)
	}
	key := rsaKey{private}
	size := key.Size()
	nonzero := bytes.Repeat([]byte{0xff}, size)
	blocks := map[string][2]func() []byte{
		"RSA1_5": {
			func() []byte { return slices.Concat([]byte{0, 1, 0}, random(size-3)) }, // another block type
			func() []byte { return slices.Concat([]byte{0, 2}, nonzero[2:]) },       // no end of the padding
		},
		"RSA-OAEP": {func() []byte { return slices.Concat([]byte{1}, random(size-1)) },
			func() []byte { return masked(sha1.New(), size) }},
		"RSA-OAEP-256": {func() []byte { return slices.Concat([]byte{1}, random(size-1)) },
			func() []byte { return masked(sha256.New(), size) }},
	}
	var duels []duel
	for alg, class := range blocks {
		a := row(t, alg)
		duels = append(duels, duel{
			name: alg, samples: 20_000,
			check: func(in Cipher) error {
				_, err := key.open(a, in.Value)
				return err
			},
			classes: [2][]Cipher{many(func() Cipher { return key.raised(class[0]()) }),
				many(func() Cipher { return key.raised(class[1]()) })},
			leaky: key.leaky(a),
		})
	}
	return duels
}

// raised is the ciphertext of a block, whatever it holds: RSAEP (RFC 8017 section 5.1.1). The block
// goes with it as AAD, which RSA has not, for the leaky twin.
func (k rsaKey) raised(block []byte) Cipher {
	m := new(big.Int).SetBytes(block)
	m.Mod(m, k.N) // a block that begins with 1 may be above it; it is as bad below
	block = m.FillBytes(make([]byte, k.Size()))
	return Cipher{Value: m.Exp(m, big.NewInt(int64(k.E)), k.N).FillBytes(make([]byte, k.Size())),
		AAD: block}
}

// masked is a block whose label is right and whose message never begins (RFC 8017 section 7.1.1).
func masked(h hash.Hash, size int) []byte {
	seed := random(h.Size())
	db := slices.Concat(h.Sum(nil), make([]byte, size-2*h.Size()-1))
	mask(h, db, seed)
	mask(h, seed, db)
	return slices.Concat([]byte{0}, seed, db)
}

// mask is MGF1 (RFC 8017 appendix B.2.1), applied.
func mask(h hash.Hash, to, seed []byte) {
	for counter := uint32(0); len(to) > 0; counter++ {
		h.Reset()
		h.Write(seed)
		h.Write(binary.BigEndian.AppendUint32(nil, counter))
		for i, b := range h.Sum(nil) {
			if i < len(to) {
				to[i] ^= b
			}
		}
		to = to[min(len(to), h.Size()):]
	}
}

// leaky decrypts, which takes what it takes, and then looks at the block again the careless way.
func (k rsaKey) leaky(a *algorithm) refuser {
	return func(in Cipher) error {
		_, err := k.open(a, in.Value)
		block := in.AAD
		if a.scheme == oaep {
			if block[0] == 0 { // otherwise Manger's oracle: refused before the masks are taken off
				unmasked := bytes.Clone(block[1:])
				seed, db := unmasked[:a.hash.Size()], unmasked[a.hash.Size():]
				mask(a.hash.New(), seed, db)
				mask(a.hash.New(), db, seed)
			}
			return err
		}
		if block[1] == 2 { // as one that answers with random bytes in the place of an error, and forgets a case
			hmac.New(sha256.New, block).Sum(in.Value)
		}
		return err
	}
}
