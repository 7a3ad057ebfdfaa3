package fsm_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"crypto/sha3"
	"testing"
)

// BenchmarkExpand chose how an element of 1 KiB becomes 2048 bytes of lanes. DESIGN.md quotes it.
func BenchmarkExpand(b *testing.B) {
	element, pad := make([]byte, 1100), make([]byte, 2048)
	b.Run("aes-ctr", func(b *testing.B) {
		measure(b, func(int) {
			key := sha256.Sum256(element)
			block, err := aes.NewCipher(key[:])
			if err != nil {
				b.Fatal(err)
			}
			clear(pad)
			cipher.NewCTR(block, make([]byte, 16)).XORKeyStream(pad, pad)
		})
	})
	b.Run("shake128", func(b *testing.B) {
		measure(b, func(int) {
			h := sha3.NewSHAKE128()
			h.Write(element)
			h.Read(pad)
		})
	})
}
