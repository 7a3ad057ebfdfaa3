package vault_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"fmt"
	"math/big"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"keyquorum/seal"
	"keyquorum/vault"
)

// A closed vault leaves no private key in memory, nor the nonce of a signature, which with the
// signature gives the key. The process's memory is read and searched; the same search finds the
// keys while the vault is open. This is what withPrivate rests on: of 300 ES256 signatures made
// outside seal.Do, 88 left their nonce behind.
func TestNoPrivateKeyIsInMemoryAfterClose(t *testing.T) {
	if !seal.Protected() {
		t.Skip("this build can't erase: build with GOEXPERIMENT=runtimesecret on Linux, amd64 or arm64")
	}
	w, c := demo(t)
	signatures := useKeys(t, w, c)
	n := needlesOf(t, w, signatures)
	if found := n.count(t); found["EC scalar"] == 0 || found["RSA prime"] == 0 ||
		found["P-256K scalar, Montgomery"] == 0 || found["oct key"] == 0 {
		t.Errorf("while the vault is open %v is found: the search is blind", found)
	}
	w.Close()
	w.keyring.Close()
	// The library keeps a copy of an EC key for as long as the key lives, and lets go of it in a
	// cleanup of its own.
	var left map[string]int
	for range 10 {
		runtime.GC()
		if left = n.count(t); len(left) == 0 {
			return
		}
	}
	t.Errorf("in memory after Close: %v", left)
}

// useKeys makes one key of each type, does everything with them, has them backed up and restored,
// and returns the ES256 and ES256K signatures over digest.
func useKeys(t *testing.T, w *world, c vault.Caller) (signatures map[string][][]byte) {
	t.Helper()
	signatures = map[string][][]byte{}
	must(w.CreateKey(ctx, c, "k", vault.KeySpec{Kty: "EC", Crv: "P-256K"}, vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "o", vault.KeySpec{Kty: "oct"}, vault.Change{KeyOps: allOps}))(t)
	must(w.CreateKey(ctx, c, "e", ecSpec, vault.Change{}))(t)
	must(w.CreateKey(ctx, c, "r", rsaSpec, vault.Change{}))(t)
	must(w.UpdateKey(ctx, c, "e", "", vault.Change{Tags: map[string]string{"a": "b"}}))(t)
	must(w.ListKeys(ctx, c, vault.PageRequest{Max: 25}))(t)
	for range 300 {
		signatures["e"] = append(signatures["e"], must(w.Sign(ctx, c, "e", "", "ES256", digest))(t).Value)
		signatures["k"] = append(signatures["k"],
			must(w.Sign(ctx, c, "k", "", "ES256K", digest))(t).Value)
	}
	for range 20 {
		must(w.Sign(ctx, c, "r", "", "RS256", digest))(t)
		sealed := must(w.Encrypt(ctx, c, "r", "", "RSA-OAEP", vault.Cipher{Value: digest}))(t)
		must(w.Decrypt(ctx, c, "r", "", "RSA-OAEP", sealed.Cipher))(t)
		sealed = must(w.Encrypt(ctx, c, "o", "", "A256GCM", vault.Cipher{Value: digest}))(t)
		must(w.Decrypt(ctx, c, "o", "", "A256GCM", sealed.Cipher))(t)
		wrapped := must(w.WrapKey(ctx, c, "o", "", "A256KW", vault.Cipher{Value: digest}))(t)
		must(w.UnwrapKey(ctx, c, "o", "", "A256KW", wrapped.Cipher))(t)
		must(w.Sign(ctx, c, "o", "", "HS256", digest))(t)
	}
	for _, name := range []string{"k", "o", "e", "r"} {
		backUpAndRestore(t, w, c, name)
	}
	return signatures
}

// backUpAndRestore has a key go out in a backup, and come back from it.
func backUpAndRestore(t *testing.T, w *world, c vault.Caller, name string) {
	t.Helper()
	must(w.RotateKey(ctx, c, name))(t)
	for range 3 {
		blob := must(w.BackupKey(ctx, c, name))(t)
		must(w.DeleteKey(ctx, c, name))(t)
		if err := w.PurgeKey(ctx, c, name); err != nil {
			t.Fatal(err)
		}
		must(w.RestoreKey(ctx, c, blob))(t)
	}
}

// Needles are eight bytes out of each secret number, kept under a mask so that the search leaves
// none behind.
type needles struct {
	mask  uint64
	names map[uint64]string
	first [1 << 24]bool // first three bytes, unmasked: whether a look is worth it
}

// needlesOf opens every key's record and takes what must not stay.
func needlesOf(t *testing.T, w *world, signatures map[string][][]byte) *needles {
	t.Helper()
	n := &needles{mask: rand.Uint64(), names: map[uint64]string{}}
	for path, record := range w.replica.View().Scan("vault/", "") {
		if !strings.Contains(path, "/key/") || !strings.Contains(path, "/version/") {
			continue
		}
		seal.Do(func() {
			plain := must(w.keyring.Open(nil, path, record.Logical, record.Value))(t)
			defer plain.Zero()
			n.takeKey(strings.Split(path, "/")[3], plain, signatures)
		})
	}
	return n
}

func (n *needles) takeKey(name string, record seal.Plaintext, signatures map[string][][]byte) {
	last := new(big.Int).SetBytes(record[len(record)-32:])
	switch name {
	case "o":
		n.take("oct key", last)
		return
	case "k":
		n.takeScalar("P-256K scalar", last)
		for _, s := range signatures[name] {
			k := nonceOf(koblitzOrder, last,
				s) // or its negative: the signer answers with the lesser of s and -s
			n.takeScalar("P-256K nonce", k)
			n.takeScalar("P-256K nonce", new(big.Int).Sub(koblitzOrder, k))
		}
		return
	}
	for i := range record {
		if record[i] != 0x30 { // where PKCS#8 may begin
			continue
		}
		switch key, _ := x509.ParsePKCS8PrivateKey(record[i:]); key := key.(type) {
		case *ecdsa.PrivateKey:
			n.take("EC scalar", key.D) //nolint:staticcheck // the scalar is what is searched for
			for _, s := range signatures[name] {
				n.take("nonce", nonceOf(key.Params().N, key.D, s)) //nolint:staticcheck // as above
			}
			return
		case *rsa.PrivateKey:
			n.take("RSA prime", key.Primes[0])
			n.take("RSA prime", key.Primes[1])
			n.take("RSA exponent", key.D)
			return
		}
	}
}

// koblitzOrder is secp256k1's n (SEC 2 section 2.4.1).
var koblitzOrder, _ = new(big.Int).SetString("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141",
	16)

// takeScalar takes a number of secp256k1 and its Montgomery form, in which the library keeps it.
func (n *needles) takeScalar(name string, k *big.Int) {
	n.take(name, k)
	n.take(name+", Montgomery", new(big.Int).Mod(new(big.Int).Lsh(k, 256), koblitzOrder))
}

// nonceOf solves s = (digest + r·d) / k for k.
func nonceOf(order, d *big.Int, signature []byte) *big.Int {
	r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
	k := new(big.Int).Mul(r, d)
	k.Add(k, new(big.Int).SetBytes(digest))
	k.Mul(k, s.ModInverse(s, order))
	return k.Mod(k, order)
}

// take keeps bytes of a number as they stand in DER, and as they stand in a little-endian machine's
// words.
func (n *needles) take(name string, number *big.Int) {
	var b [32]byte
	low := number.Bytes()
	copy(b[max(0, 32-len(low)):], low[max(0, len(low)-32):])
	n.keep(name, b[16:24])
	slices.Reverse(b[:])
	n.keep(name, b[8:16])
}

func (n *needles) keep(name string, b []byte) {
	n.names[binary.LittleEndian.Uint64(b)^n.mask] = name
	n.first[firstThree(b)] = true
}

// count searches the process's writable memory. It may see its own buffer: no harm, the question is
// whether there is anything.
func (n *needles) count(t *testing.T) map[string]int {
	t.Helper()
	mem := must(os.Open("/proc/self/mem"))(t)
	defer mem.Close()
	counts := map[string]int{}
	buf := make([]byte, 1<<20)
	defer clear(buf)
	for _, region := range writableRegions(t) {
		for at := region[0]; at < region[1]; at += uint64(len(buf)) - 7 { // overlapping, so that no needle is cut in two
			read, _ := mem.ReadAt(buf[:min(uint64(len(buf)), region[1]-at)], int64(at))
			n.countIn(buf[:read], counts)
		}
	}
	return counts
}

// countIn looks at every byte of the process: the race detector, which has nothing to find here,
// would make a minute of that.
//
//go:norace
func (n *needles) countIn(b []byte, counts map[string]int) {
	for i := 0; i+8 <= len(b); i++ {
		if n.first[firstThree(b[i:])] {
			if name, ok := n.names[binary.LittleEndian.Uint64(b[i:])^n.mask]; ok {
				counts[name]++
			}
		}
	}
}

func firstThree(b []byte) int { return int(b[0]) | int(b[1])<<8 | int(b[2])<<16 }

// writableRegions leaves out regions over a gigabyte: address space that Go and the race detector
// reserve.
func writableRegions(t *testing.T) (regions [][2]uint64) {
	t.Helper()
	maps := must(os.Open("/proc/self/maps"))(t)
	defer maps.Close()
	lines := bufio.NewScanner(maps)
	for lines.Scan() {
		var from, to uint64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if strings.HasPrefix(mode, "rw") && to-from < 1<<30 {
			regions = append(regions, [2]uint64{from, to})
		}
	}
	return regions
}
