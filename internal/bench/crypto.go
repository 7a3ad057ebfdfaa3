package main

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// cryptoPrices is the CPU time of Go's own cryptography in this process, for one operation.
type cryptoPrices struct{ es256, rsa2048, gcm, rekeyed time.Duration }

// measureCrypto keys everything beforehand, but for rekeyed: there the AES key is scheduled for each message, as
// XAES-256-GCM needs.
func measureCrypto(p plan) cryptoPrices {
	digest := make([]byte, 32)
	ec := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	key, nonce := make([]byte, 32), make([]byte, 12)
	gcm := must(cipher.NewGCM(must(aes.NewCipher(key))))
	sealed := gcm.Seal(nil, nonce, make([]byte, 1024), nil)
	return cryptoPrices{
		es256:   price(p, func() { must(ecdsa.SignASN1(rand.Reader, ec, digest)) }),
		rsa2048: price(p, func() { must(rsa.SignPKCS1v15(rand.Reader, rsaKey, crypto.SHA256, digest)) }),
		gcm:     price(p, func() { must(gcm.Open(nil, nonce, sealed, nil)) }),
		rekeyed: price(p, func() {
			gcm := must(cipher.NewGCM(must(aes.NewCipher(key))))
			must(gcm.Open(nil, nonce, sealed, nil))
		}),
	}
}

// price repeats do on all cores at once, as busy servers do: on cores that share one's units an operation alone is cheaper.
// It gives the least CPU time of several rounds, because what disturbs only adds.
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
	t.row("ES256 signature (P-256)", fmt.Sprintf("%.1f", c.es256.Seconds()*1e6))
	t.row("RSA-2048 signature (PKCS #1 v1.5)", fmt.Sprintf("%.1f", c.rsa2048.Seconds()*1e6))
	t.row("AES-256-GCM, open 1 KiB", fmt.Sprintf("%.2f", c.gcm.Seconds()*1e6))
	t.row("the same with a key for each message, as XAES-256-GCM", fmt.Sprintf("%.2f", c.rekeyed.Seconds()*1e6))
	t.print()
}
