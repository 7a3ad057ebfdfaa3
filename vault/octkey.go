package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"

	jose "github.com/go-jose/go-jose/v4/cipher"

	"keyquorum/seal"
)

// An octKey is a symmetric key of 128, 192 or 256 bits (RFC 7518 section 6.4), kept as its bytes.
// All that is done with it is done inside withPrivate: it has no public half.
type octKey struct {
	key   []byte
	block cipher.Block
	gcm   cipher.AEAD
}

// Lengths of GCM that the wire has, bytes.
const (
	gcmIV  = 12
	gcmTag = 16
)

func parseOct(key []byte) (material, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, errKeyKind
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return nil, err
	}
	return octKey{append([]byte{}, key...), block, gcm}, nil
}

func importOct(j *JWK) (material, error) {
	m, err := parseOct(j.K)
	if err != nil {
		return nil, badProperty("key.k")
	}
	return m, nil
}

func (k octKey) bits() int { return 8 * len(k.key) }

func (k octKey) encode() (seal.Plaintext, error) { return append(seal.Plaintext{}, k.key...), nil }

func (k octKey) jwk(kty string) (PublicKey, error) { return PublicKey{Kty: kty}, nil }

func (k octKey) sign(a *algorithm, message []byte) (sum []byte, err error) {
	withPrivate(func() {
		h := hmac.New(a.hash.New, k.key)
		h.Write(message)
		sum = h.Sum(nil)
	})
	return sum, nil
}

func (k octKey) verify(a *algorithm, message, sum []byte) bool {
	want, err := k.sign(a, message)
	return err == nil && hmac.Equal(want, sum)
}

func (k octKey) encrypt(a *algorithm, in Cipher) (out Cipher, err error) {
	withPrivate(func() {
		switch a.scheme {
		case aesGCM:
			out, err = k.sealGCM(in)
		case aesKeyWrap:
			out, err = k.wrap(in)
		default:
			out, err = k.encryptCBC(a, in)
		}
	})
	return out, err
}

func (k octKey) decrypt(a *algorithm, in Cipher) (out Cipher, err error) {
	withPrivate(func() {
		switch a.scheme {
		case aesGCM:
			out, err = k.openGCM(in)
		case aesKeyWrap:
			out, err = k.unwrap(in)
		default:
			out, err = k.decryptCBC(a, in)
		}
	})
	return out, err
}

// sealGCM draws the IV itself: a caller that gave one twice would give the key's authentication
// away.
func (k octKey) sealGCM(in Cipher) (Cipher, error) {
	if len(in.IV) != 0 {
		return Cipher{}, badParameter("Property iv must not be given: AES-GCM draws one and answers with it.")
	}
	iv := make([]byte, gcmIV)
	rand.Read(iv)
	sealed := k.gcm.Seal(nil, iv, in.Value, in.AAD)
	end := len(sealed) - gcmTag
	return Cipher{Value: sealed[:end:end], IV: iv, AAD: in.AAD, Tag: sealed[end:]}, nil
}

func (k octKey) openGCM(in Cipher) (Cipher, error) {
	if len(in.IV) != gcmIV {
		return Cipher{}, wrongLength("iv", gcmIV, in.IV)
	}
	if len(in.Tag) != gcmTag {
		return Cipher{}, wrongLength("tag", gcmTag, in.Tag)
	}
	sealed := append(append(make([]byte, 0, len(in.Value)+gcmTag), in.Value...), in.Tag...)
	value, err := k.gcm.Open(sealed[:0], in.IV, sealed, in.AAD)
	if err != nil {
		return Cipher{}, errDecrypt
	}
	return Cipher{Value: value}, nil
}

// wrap takes whole halves of blocks, at least two (RFC 3394 section 2).
func (k octKey) wrap(in Cipher) (Cipher, error) {
	if len(in.Value) < 16 || len(in.Value)%8 != 0 {
		return Cipher{}, badValue("value",
			"key wrap takes a multiple of 8 bytes, 16 at least, and %d were given", len(in.Value))
	}
	value, err := jose.KeyWrap(k.block, in.Value)
	return Cipher{Value: value}, err
}

func (k octKey) unwrap(in Cipher) (Cipher, error) {
	if len(in.Value) < 24 || len(in.Value)%8 != 0 {
		return Cipher{}, errDecrypt
	}
	value, err := jose.KeyUnwrap(k.block, in.Value)
	if err != nil {
		return Cipher{}, errDecrypt
	}
	return Cipher{Value: value}, nil
}

func wrongLength(name string, want int, got []byte) *Error {
	return badValue(name, "%d bytes are wanted, and %d were given", want, len(got))
}

func (k octKey) encryptCBC(a *algorithm, in Cipher) (Cipher, error) {
	if len(in.IV) != aes.BlockSize {
		return Cipher{}, wrongLength("iv", aes.BlockSize, in.IV)
	}
	value := append(make([]byte, 0, len(in.Value)+aes.BlockSize), in.Value...)
	if a.scheme == aesCBCPad {
		n := aes.BlockSize - len(value)%aes.BlockSize
		for range n {
			value = append(value, byte(n))
		}
	}
	if len(value) == 0 || len(value)%aes.BlockSize != 0 {
		return Cipher{}, badValue("value", "%s takes a multiple of 16 bytes, and %d were given", a.name,
			len(value))
	}
	cipher.NewCBCEncrypter(k.block, in.IV).CryptBlocks(value, value)
	return Cipher{Value: value, IV: in.IV}, nil
}

func (k octKey) decryptCBC(a *algorithm, in Cipher) (Cipher, error) {
	if len(in.IV) != aes.BlockSize {
		return Cipher{}, wrongLength("iv", aes.BlockSize, in.IV)
	}
	if len(in.Value) == 0 || len(in.Value)%aes.BlockSize != 0 {
		return Cipher{}, errDecrypt
	}
	value := make([]byte, len(in.Value))
	cipher.NewCBCDecrypter(k.block, in.IV).CryptBlocks(value, in.Value)
	if a.scheme == aesCBC {
		return Cipher{Value: value}, nil
	}
	n, ok := padding(value)
	if !ok {
		clear(value)
		return Cipher{}, errDecrypt
	}
	return Cipher{Value: value[:len(value)-n]}, nil
}

// padding says how many bytes of padding end b, which is whole blocks, and whether they are
// padding. It looks at the whole last block whatever it holds, so that the time tells nothing.
func padding(b []byte) (n int, ok bool) {
	last := b[len(b)-aes.BlockSize:]
	n = int(last[aes.BlockSize-1])
	good := subtle.ConstantTimeLessOrEq(1, n) & subtle.ConstantTimeLessOrEq(n, aes.BlockSize)
	for i, c := range last {
		inside := subtle.ConstantTimeLessOrEq(aes.BlockSize-i, n)
		good &= subtle.ConstantTimeSelect(inside, subtle.ConstantTimeByteEq(c, byte(n)), 1)
	}
	return n, good == 1
}
