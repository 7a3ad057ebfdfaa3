package wrapper

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// A keyFile is a key of 32 random bytes in a file, as 64 hexadecimal digits. It is for test rigs:
// whoever takes the disk has the key beside the folder.
type keyFile struct{ path string }

func newKeyFile(where string) (Key, error) { return keyFile{where}, nil }

func (keyFile) Kind() string { return "keyfile" }

// About is the beginning of a hash of the key.
func (f keyFile) About() string {
	key, err := f.read()
	if err != nil {
		return "key file"
	}
	defer clear(key)
	id, err := hkdf.Key(sha256.New, key, nil, "keyquorum/v1/keyfile/name", 8)
	if err != nil {
		return "key file"
	}
	return "key file " + hex.EncodeToString(id)
}

func (f keyFile) Files() []string { return []string{f.path} }

func (f keyFile) Check() error {
	key, err := f.read()
	clear(key)
	return err
}

func (f keyFile) read() ([]byte, error) {
	text, err := readSecret(f.path)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	key := make([]byte, hex.DecodedLen(len(text))+1)
	n, err := hex.Decode(key, bytes.TrimSpace(text))
	if err != nil || n != keySize {
		clear(key)
		return nil, fmt.Errorf("%s is no key file: 64 hexadecimal digits (openssl rand -hex 32)", f.path)
	}
	return key[:n], nil
}

// cipher is AES-256-GCM with a random nonce: a wrapper wraps a few keys in its life.
func (f keyFile) cipher() (cipher.AEAD, error) {
	key, err := f.read()
	if err != nil {
		return nil, err
	}
	defer clear(key)
	derived, err := hkdf.Key(sha256.New, key, nil, "keyquorum/v1/keyfile/wrap", keySize)
	if err != nil {
		return nil, err
	}
	defer clear(derived)
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

func (f keyFile) Wrap(_ context.Context, key []byte) ([]byte, error) {
	aead, err := f.cipher()
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, key, nil), nil
}

func (f keyFile) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	aead, err := f.cipher()
	if err != nil {
		return nil, err
	}
	key, err := aead.Open(nil, nil, wrapped, nil)
	if err != nil {
		return nil, errors.New("the key file is another one than this was wrapped with")
	}
	return unwrapped(key)
}
