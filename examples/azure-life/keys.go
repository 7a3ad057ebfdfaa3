package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"math/big"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// A keyLife is one key in the vault.
type keyLife struct {
	vault
	ctx    context.Context
	name   string
	backup []byte
}

func (v vault) newKeyLife(ctx context.Context, kind string) *keyLife {
	return &keyLife{vault: v, ctx: ctx, name: kind + "-" + strings.ToLower(rand.Text())}
}

// rotatingKey signs with a version, rotates, and verifies with the old version at every turn.
func (v vault) rotatingKey(ctx context.Context) error {
	k := v.newKeyLife(ctx, "rotating")
	s := &signature{keyLife: k}
	return steps(
		step{"create", k.create}, step{"sign", s.make},
		step{"set a rotation policy", k.setPolicy}, step{"rotate", k.rotate},
		step{"verify after the rotation", s.verify},
		step{"back up", k.backUp},
		step{"delete", k.delete}, step{"recover", k.recover}, step{"verify after the recovery", s.verify},
		step{"delete again", k.delete}, step{"purge", k.purge}, step{"look for it", k.absent},
		step{"restore", k.restore}, step{"verify after the restoration", s.verify},
		step{"delete at last", k.delete}, step{"purge at last", k.purge},
	)
}

// importedKey encrypts here with the public half of a key that was made here, and decrypts there.
func (v vault) importedKey(ctx context.Context) error {
	k := v.newKeyLife(ctx, "imported")
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	decrypt := func() error { return k.decrypt(&own.PublicKey) }
	return steps(
		step{"import", func() error { return k.importRSA(own) }}, step{"decrypt", decrypt},
		step{"back up", k.backUp},
		step{"delete", k.delete}, step{"recover", k.recover}, step{"decrypt after the recovery", decrypt},
		step{"delete again", k.delete}, step{"purge", k.purge},
		step{"restore", k.restore}, step{"decrypt after the restoration", decrypt},
		step{"delete at last", k.delete}, step{"purge at last", k.purge},
	)
}

func (k *keyLife) create() error {
	_, err := k.keys.CreateKey(k.ctx, k.name, azkeys.CreateKeyParameters{
		Kty: to.Ptr(azkeys.KeyTypeEC), Curve: to.Ptr(azkeys.CurveNameP256),
		Tags: map[string]*string{"program": to.Ptr("azure-life")},
	}, nil)
	return err
}

func (k *keyLife) importRSA(own *rsa.PrivateKey) error {
	p := own.Precomputed
	_, err := k.keys.ImportKey(k.ctx, k.name, azkeys.ImportKeyParameters{Key: &azkeys.JSONWebKey{
		Kty:    to.Ptr(azkeys.KeyTypeRSA),
		KeyOps: to.SliceOfPtrs(azkeys.KeyOperationEncrypt, azkeys.KeyOperationDecrypt),
		N:      own.N.Bytes(), E: big.NewInt(int64(own.E)).Bytes(), D: own.D.Bytes(),
		P: own.Primes[0].Bytes(), Q: own.Primes[1].Bytes(),
		DP: p.Dp.Bytes(), DQ: p.Dq.Bytes(), QI: p.Qinv.Bytes(),
	}}, nil)
	return err
}

func (k *keyLife) decrypt(public *rsa.PublicKey) error {
	text := []byte("what nobody else reads")
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, public, text, nil)
	if err != nil {
		return err
	}
	opened, err := k.keys.Decrypt(k.ctx, k.name, "", azkeys.KeyOperationParameters{
		Algorithm: to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256), Value: sealed,
	}, nil)
	if err == nil && !bytes.Equal(opened.Result, text) {
		err = errors.New("another text came back")
	}
	return err
}

func (k *keyLife) setPolicy() error {
	_, err := k.keys.UpdateKeyRotationPolicy(k.ctx, k.name, azkeys.KeyRotationPolicy{
		Attributes: &azkeys.KeyRotationPolicyAttributes{ExpiryTime: to.Ptr("P90D")},
		LifetimeActions: []*azkeys.LifetimeAction{{
			Action:  &azkeys.LifetimeActionType{Type: to.Ptr(azkeys.KeyRotationPolicyActionRotate)},
			Trigger: &azkeys.LifetimeActionTrigger{TimeAfterCreate: to.Ptr("P30D")},
		}},
	}, nil)
	return err
}

// rotate expects a version of its own, tags and kind as before, and the expiry of the policy.
func (k *keyLife) rotate() error {
	before, err := k.keys.GetKey(k.ctx, k.name, "", nil)
	if err != nil {
		return err
	}
	after, err := k.keys.RotateKey(k.ctx, k.name, nil)
	switch {
	case err != nil:
		return err
	case after.Key.KID.Version() == before.Key.KID.Version():
		return errors.New("the version is the same")
	case after.Attributes.Expires == nil || after.Tags["program"] == nil ||
		*after.Key.Crv != *before.Key.Crv:
		return errors.New("the new version differs in more than its key")
	}
	return nil
}

func (k *keyLife) backUp() error {
	b, err := k.keys.BackupKey(k.ctx, k.name, nil)
	k.backup = b.Value
	return err
}

func (k *keyLife) restore() error {
	return settled(k.ctx, http.StatusConflict, func() error {
		_, err := k.keys.RestoreKey(k.ctx, azkeys.RestoreKeyParameters{KeyBackup: k.backup}, nil)
		return err
	})
}

func (k *keyLife) delete() error {
	if _, err := k.keys.DeleteKey(k.ctx, k.name, nil); err != nil {
		return err
	}
	if err := settled(k.ctx, http.StatusNotFound, func() error {
		_, err := k.keys.GetDeletedKey(k.ctx, k.name, nil)
		return err
	}); err != nil {
		return err
	}
	_, err := k.keys.GetKey(k.ctx, k.name, "", nil)
	return gone(err)
}

func (k *keyLife) recover() error {
	if _, err := k.keys.RecoverDeletedKey(k.ctx, k.name, nil); err != nil {
		return err
	}
	return settled(k.ctx, http.StatusNotFound, func() error {
		_, err := k.keys.GetKey(k.ctx, k.name, "", nil)
		return err
	})
}

func (k *keyLife) purge() error {
	_, err := k.keys.PurgeDeletedKey(k.ctx, k.name, nil)
	return err
}

func (k *keyLife) absent() error {
	_, err := k.keys.GetDeletedKey(k.ctx, k.name, nil)
	return gone(err)
}

// A signature is by the version that was the newest when it was made.
type signature struct {
	*keyLife
	version       string
	digest, value []byte
}

func (s *signature) make() error {
	sum := sha256.Sum256([]byte(s.name))
	s.digest = sum[:]
	signed, err := s.keys.Sign(s.ctx, s.name, "",
		azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: s.digest}, nil)
	if err == nil {
		s.version, s.value = signed.KID.Version(), signed.Result
	}
	return err
}

func (s *signature) verify() error {
	verified, err := s.keys.Verify(s.ctx, s.name, s.version, azkeys.VerifyParameters{
		Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Digest: s.digest, Signature: s.value,
	}, nil)
	if err == nil && !*verified.Value {
		err = errors.New("it does not verify")
	}
	return err
}
