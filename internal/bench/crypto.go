package main

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// cryptoPrices is the CPU time of Go's own cryptography in this process, for one operation each.
type cryptoPrices struct {
	es256, es384         time.Duration
	rs256                [3]time.Duration // by rsaSizes
	oaep                 time.Duration
	gcm, sealed, rekeyed time.Duration
}

// rsaSizes are the key sizes that sign, in bits.
var rsaSizes = [3]int{2048, 3072, 4096}

// measureCrypto keys everything beforehand, but for rekeyed: there the AES key is scheduled for
// each message, as XAES-256-GCM needs.
func measureCrypto(p plan) (c cryptoPrices) {
	c.es256 = signatures(p, elliptic.P256(), 32)
	c.es384 = signatures(p, elliptic.P384(), 48)
	for i, bits := range rsaSizes {
		k := must(rsa.GenerateKey(rand.Reader, bits))
		c.rs256[i] = price(p,
			func() { must(rsa.SignPKCS1v15(rand.Reader, k, crypto.SHA256, make([]byte, 32))) })
		if i == 0 {
			wrapped := must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &k.PublicKey, make([]byte, 32), nil))
			c.oaep = price(p, func() { must(rsa.DecryptOAEP(sha256.New(), rand.Reader, k, wrapped, nil)) })
		}
	}
	key, nonce, message := make([]byte, 32), make([]byte, 12), make([]byte, 1024)
	gcm := must(cipher.NewGCM(must(aes.NewCipher(key))))
	sealed := gcm.Seal(nil, nonce, message, nil)
	c.sealed = price(p, func() { gcm.Seal(nil, nonce, message, nil) })
	c.gcm = price(p, func() { must(gcm.Open(nil, nonce, sealed, nil)) })
	c.rekeyed = price(p, func() {
		gcm := must(cipher.NewGCM(must(aes.NewCipher(key))))
		must(gcm.Open(nil, nonce, sealed, nil))
	})
	return c
}

func signatures(p plan, curve elliptic.Curve, size int) time.Duration {
	key, digest := must(ecdsa.GenerateKey(curve, rand.Reader)), make([]byte, size)
	return price(p, func() { must(ecdsa.SignASN1(rand.Reader, key, digest)) })
}

// price repeats do on all cores at once, as busy servers do: on cores that share one's units an
// operation alone is cheaper. It gives the least CPU time of several rounds, because what disturbs
// only adds.
func price(p plan, do func()) (least time.Duration) {
	for range p.rounds {
		before := must(cpuTime(os.Getpid()))
		count := repeat(p.slice/2, do)
		took := (must(cpuTime(os.Getpid())) - before) / time.Duration(count)
		if least == 0 || took < least {
			least = took
		}
	}
	return least
}

// repeat calls do on every core for a time, and counts.
func repeat(length time.Duration, do func()) int64 {
	var count atomic.Int64
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for start := time.Now(); time.Since(start) < length; count.Add(8) {
				for range 8 {
					do()
				}
			}
		})
	}
	wg.Wait()
	return count.Load()
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(failure{err})
	}
	return value
}

func printCrypto(c cryptoPrices) {
	t := newTable("Go's own cryptography, one operation", "", "µs of CPU")
	row := func(what string, d time.Duration, decimals int) {
		t.row(what, fmt.Sprintf("%.*f", decimals, d.Seconds()*1e6))
	}
	row("ES256 signature (P-256)", c.es256, 1)
	row("ES384 signature (P-384)", c.es384, 1)
	for i, bits := range rsaSizes {
		row(fmt.Sprintf("RSA-%d signature (PKCS #1 v1.5)", bits), c.rs256[i], 1)
	}
	row("RSA-2048 decryption (OAEP, SHA-256)", c.oaep, 1)
	row("AES-256-GCM, seal 1 KiB", c.sealed, 2)
	row("AES-256-GCM, open 1 KiB", c.gcm, 2)
	row("the same with a key for each message, as XAES-256-GCM", c.rekeyed, 2)
	t.print()
}
