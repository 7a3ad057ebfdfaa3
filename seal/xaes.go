package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"sync"
)

// xaes is XAES-256-GCM (c2sp.org/XAES-256-GCM): the first half of a 192-bit random nonce derives a key for the one
// message by CMAC in counter mode (NIST SP 800-108), the second half is the nonce of AES-256-GCM under it.
//
// It is written out here, over the standard library's AES and GCM, because of what runtime/secret asks for every
// allocation inside Do; DESIGN.md has the figures. Tests hold it to C2SP's vectors and to tink's implementation.
type xaes struct {
	block cipher.Block // AES-256 under the key
	k1    [16]byte     // CMAC's subkey for whole blocks (NIST SP 800-38B section 6.1)
}

func newXAES(key []byte) (*xaes, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	x := &xaes{block: block}
	block.Encrypt(x.k1[:], x.k1[:])
	carry := byte(0)
	for i := len(x.k1) - 1; i >= 0; i-- {
		x.k1[i], carry = x.k1[i]<<1|carry, x.k1[i]>>7
	}
	x.k1[15] ^= byte(subtle.ConstantTimeSelect(int(carry), 0x87, 0))
	return x, nil
}

// messageKeys are places for a message's key, all zero while nobody uses them: an allocation for each message, small
// as it is, would be the dearest step inside Do.
var messageKeys = sync.Pool{New: func() any { return new([keySize]byte) }}

// message returns AES-256-GCM under the key of the message with this nonce's first half.
func (x *xaes) message(nonce []byte) (cipher.AEAD, error) {
	key := messageKeys.Get().(*[keySize]byte)
	defer func() {
		clear(key[:])
		messageKeys.Put(key)
	}()
	for i := range 2 {
		half := key[16*i : 16*i+16]
		half[0], half[1], half[2], half[3] = 0, byte(i+1), 'X', 0
		copy(half[4:], nonce[:nonceSize/2])
		subtle.XORBytes(half, half, x.k1[:])
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
	start := len(dst)
	dst = append(dst, make([]byte, nonceSize)...)
	nonce := dst[start:]
	_, _ = rand.Read(nonce) // never fails: crypto/rand stops the program instead
	gcm, err := x.message(nonce)
	if err != nil {
		return nil, err
	}
	return gcm.Seal(dst, nonce[nonceSize/2:], plaintext, associated), nil
}

// open takes nonce ‖ ciphertext ‖ tag, at least nonceSize+tagSize bytes. Its error is GCM's.
func (x *xaes) open(sealed, associated []byte) ([]byte, error) {
	gcm, err := x.message(sealed[:nonceSize])
	if err != nil {
		return nil, err
	}
	return gcm.Open(nil, sealed[nonceSize/2:nonceSize], sealed[nonceSize:], associated)
}
