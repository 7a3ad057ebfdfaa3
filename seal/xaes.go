package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"sync"
)

// saltSize is how much of a nonce derives the message's key; the rest is GCM's nonce. Bytes.
const saltSize = 12

// xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM): nonce 24 ‖ ciphertext ‖ tag 16. AES and GCM are the
// standard library's. What is here derives a key for each message from the first half of its nonce
// (NIST SP 800-108r1, counter mode with CMAC), so that nonces may be drawn at random for ever.
type xaes struct {
	block  cipher.Block
	subkey [aes.BlockSize]byte // CMAC's K1 (NIST SP 800-38B section 6.1)
}

// newXAES takes a key of 32 bytes.
func newXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	k := x.subkey[:]
	block.Encrypt(k, k)
	var carry byte
	for i := len(k) - 1; i >= 0; i-- {
		k[i], carry = k[i]<<1|carry, k[i]>>7
	}
	k[len(k)-1] ^= byte(subtle.ConstantTimeSelect(int(carry), 0x87, 0))
	return x, nil
}

// derived are places for the keys of messages, which would else be allocated: as many as are in use
// at once. One that lies here is erased.
var derived = sync.Pool{New: func() any { return new([keySize]byte) }}

// message is GCM under the key of the messages with this salt.
func (x *xaes) message(salt []byte) (cipher.AEAD, error) {
	key := derived.Get().(*[keySize]byte)
	defer func() {
		clear(key[:])
		derived.Put(key)
	}()
	for i := range 2 { // counter u16 ‖ label "X" ‖ 0 ‖ salt: one block of CMAC each
		half := key[i*aes.BlockSize : (i+1)*aes.BlockSize]
		half[0], half[1], half[2], half[3] = 0, byte(i+1), 'X', 0
		copy(half[aes.BlockSize-saltSize:], salt)
		subtle.XORBytes(half, half, x.subkey[:])
		x.block.Encrypt(half, half)
	}
	block, err := aes.NewCipher(key[:])
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// seal appends nonce ‖ ciphertext ‖ tag to dst, with a fresh random nonce.
func (x *xaes) seal(dst, plaintext, associated []byte) ([]byte, error) {
	at := len(dst)
	dst = append(dst, make([]byte, nonceSize)...)
	nonce := dst[at:]
	_, _ = rand.Read(nonce) // never fails
	aead, err := x.message(nonce[:saltSize])
	if err != nil {
		return nil, err
	}
	return aead.Seal(dst, nonce[saltSize:], plaintext, associated), nil
}

// open appends the plaintext of nonce ‖ ciphertext ‖ tag to dst. Its error says no more than that
// they don't open.
func (x *xaes) open(dst, sealed, associated []byte) ([]byte, error) {
	aead, err := x.message(sealed[:saltSize])
	if err != nil {
		return nil, err
	}
	return aead.Open(dst, sealed[saltSize:nonceSize], sealed[nonceSize:], associated)
}
