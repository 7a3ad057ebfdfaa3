package main

import (
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/miekg/pkcs11"
)

// What is wrapped is nonce 12 ‖ AES-256-GCM of the key 32 and its tag 16, under words of its own:
// with a key of the token that is used for something else too, nothing of that is opened here.
const (
	keySize   = 32
	nonceSize = 12
	tagSize   = 16
	words     = "keyquorum/v1/pkcs11/wrap"
)

// wrap refuses a key that could leave the token: whoever had a copy of it would not need the token.
func (t *token) wrap(key pkcs11.ObjectHandle, plain []byte) ([]byte, error) {
	switch {
	case len(plain) != keySize:
		return nil, fmt.Errorf("what is to be wrapped has %d bytes, and a key has %d", len(plain),
			keySize)
	case !t.is(key, pkcs11.CKA_SENSITIVE, true) || !t.is(key, pkcs11.CKA_EXTRACTABLE, false):
		return nil, fmt.Errorf("the key of %s can be read out of it: use one that can't be "+
			"(\"keyquorum-pkcs11 make-key\" makes one)", t.about)
	}
	nonce := make([]byte, nonceSize)
	rand.Read(nonce)
	gcm := pkcs11.NewGCMParams(nonce, []byte(words), tagSize*8)
	defer gcm.Free()
	err := t.module.EncryptInit(t.session, mechanism(gcm), key)
	if err != nil {
		return nil, t.cannot(err)
	}
	sealed, err := t.module.Encrypt(t.session, plain)
	if err != nil {
		return nil, t.cannot(err)
	}
	used := gcm.IV() // some tokens draw their own
	if len(used) != nonceSize || len(sealed) != keySize+tagSize {
		return nil, fmt.Errorf("%s has wrapped 32 bytes into %d with a nonce of %d: that is no AES-GCM "+
			"by PKCS#11", t.about, len(sealed), len(used))
	}
	return append(used, sealed...), nil
}

func (t *token) unwrap(key pkcs11.ObjectHandle, wrapped []byte) ([]byte, error) {
	if len(wrapped) != nonceSize+keySize+tagSize {
		return nil, errors.New("what is to be unwrapped was not wrapped by a token")
	}
	gcm := pkcs11.NewGCMParams(wrapped[:nonceSize], []byte(words), tagSize*8)
	defer gcm.Free()
	if err := t.module.DecryptInit(t.session, mechanism(gcm), key); err != nil {
		return nil, t.cannot(err)
	}
	plain, err := t.module.Decrypt(t.session, wrapped[nonceSize:])
	if err != nil {
		return nil, fmt.Errorf("the key of %s does not open what was wrapped: it is another one, or "+
			"that was altered (%w)", t.about, brief(err))
	}
	return plain, nil
}

func mechanism(gcm *pkcs11.GCMParams) []*pkcs11.Mechanism {
	return []*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_GCM, gcm)}
}

func (t *token) cannot(err error) error {
	return fmt.Errorf("the key of %s does not do AES-GCM: %w", t.about, brief(err))
}

// generate makes a key with a label that no other has.
func (t *token) generate(label string) error {
	template := append(aesKeys(), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label))
	there, err := t.objects(template)
	if err != nil {
		return fmt.Errorf("%s shows no keys: %w", t.about, brief(err))
	}
	if len(there) > 0 {
		return fmt.Errorf("%s has an AES key %q already", t.about, label)
	}
	template = append(template, pkcs11.NewAttribute(pkcs11.CKA_VALUE_LEN, keySize))
	for attribute, value := range map[uint]bool{
		pkcs11.CKA_TOKEN: true, pkcs11.CKA_PRIVATE: true, pkcs11.CKA_SENSITIVE: true,
		pkcs11.CKA_EXTRACTABLE: false, pkcs11.CKA_ENCRYPT: true, pkcs11.CKA_DECRYPT: true,
		pkcs11.CKA_WRAP: false, pkcs11.CKA_UNWRAP: false, pkcs11.CKA_SIGN: false,
		pkcs11.CKA_VERIFY: false,
	} {
		template = append(template, pkcs11.NewAttribute(attribute, value))
	}
	_, err = t.module.GenerateKey(t.session,
		[]*pkcs11.Mechanism{pkcs11.NewMechanism(pkcs11.CKM_AES_KEY_GEN, nil)}, template)
	if err != nil {
		return fmt.Errorf("%s makes no AES key: %w", t.about, brief(err))
	}
	return nil
}
