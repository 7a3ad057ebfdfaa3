package conformance_test

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// importClaims bring keys that were made here, have them used there, and check with Go's own
// cryptography.
func importClaims() []claim {
	all := []claim{
		{"import RSA-2048, verified outside", importRSA},
		{"import oct-256, decrypted outside", importOct},
	}
	for _, ec := range []struct {
		curve elliptic.Curve
		alg   azkeys.SignatureAlgorithm
	}{
		{elliptic.P256(), azkeys.SignatureAlgorithmES256}, {elliptic.P384(),
			azkeys.SignatureAlgorithmES384}, {elliptic.P521(), azkeys.SignatureAlgorithmES512},
	} {
		all = append(all, claim{"import EC-" + ec.curve.Params().Name + ", verified outside",
			func(ctx context.Context, w *world) error {
				return importEC(ctx, w, ec.curve, ec.alg)
			}})
	}
	return all
}

func (w *world) importKey(ctx context.Context, name string, key *azkeys.JSONWebKey) error {
	_, err := w.here.keys.ImportKey(ctx, name, azkeys.ImportKeyParameters{Key: key}, nil)
	return err
}

func (w *world) signThere(ctx context.Context, name string, alg azkeys.SignatureAlgorithm) ([]byte,
	error) {
	signed, err := w.there.keys.Sign(ctx, name, "",
		azkeys.SignParameters{Algorithm: &alg, Value: digestFor(alg)}, nil)
	return signed.Result, err
}

func importRSA(ctx context.Context, w *world) error {
	own, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return err
	}
	p := own.Precomputed
	if err := w.importKey(ctx, "imported-rsa", &azkeys.JSONWebKey{
		Kty: to.Ptr(azkeys.KeyTypeRSA), N: own.N.Bytes(), E: big.NewInt(int64(own.E)).Bytes(),
		D: own.D.Bytes(),
		P: own.Primes[0].Bytes(), Q: own.Primes[1].Bytes(), DP: p.Dp.Bytes(), DQ: p.Dq.Bytes(),
		QI: p.Qinv.Bytes(),
	}); err != nil {
		return err
	}
	signature, err := w.signThere(ctx, "imported-rsa", azkeys.SignatureAlgorithmPS256)
	if err != nil {
		return err
	}
	return rsa.VerifyPSS(&own.PublicKey, crypto.SHA256, digestFor(azkeys.SignatureAlgorithmPS256),
		signature, nil)
}

func importEC(ctx context.Context, w *world, curve elliptic.Curve,
	alg azkeys.SignatureAlgorithm) error {
	own, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		return err
	}
	point, err := own.PublicKey.Bytes()
	if err != nil {
		return err
	}
	scalar, err := own.Bytes()
	if err != nil {
		return err
	}
	size := len(scalar)
	name := "imported-" + curve.Params().Name
	if err := w.importKey(ctx, name, &azkeys.JSONWebKey{
		Kty: to.Ptr(azkeys.KeyTypeEC), Crv: to.Ptr(azkeys.CurveName(curve.Params().Name)), D: scalar,
		X: point[1 : 1+size], Y: point[1+size:],
	}); err != nil {
		return err
	}
	signature, err := w.signThere(ctx, name, alg)
	if err != nil {
		return err
	}
	if len(signature) != 2*size ||
		!ecdsa.Verify(&own.PublicKey, digestFor(alg), new(big.Int).SetBytes(signature[:size]),
			new(big.Int).SetBytes(signature[size:])) {
		return errors.New("the signature does not verify outside")
	}
	return nil
}

func importOct(ctx context.Context, w *world) error {
	own := make([]byte, 32)
	rand.Read(own)
	if err := w.importKey(ctx, "imported-oct",
		&azkeys.JSONWebKey{Kty: to.Ptr(azkeys.KeyTypeOct), K: own}); err != nil {
		return err
	}
	sealed, err := w.there.keys.Encrypt(ctx, "imported-oct", "", azkeys.KeyOperationParameters{
		Algorithm: to.Ptr(azkeys.EncryptionAlgorithmA256GCM), Value: []byte("a text"),
		AdditionalAuthenticatedData: []byte("more"),
	}, nil)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(own)
	if err != nil {
		return err
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	text, err := gcm.Open(nil, sealed.IV, append(sealed.Result, sealed.AuthenticationTag...),
		[]byte("more"))
	if err == nil && string(text) != "a text" {
		err = errors.New("another text came back")
	}
	return err
}

func secretClaims() []claim {
	return []claim{
		{"a secret of 25,600 bytes, byte by byte", func(ctx context.Context, w *world) error {
			value := strings.Repeat("\u20ac\"\\\u0001\n<&>\u2028", 25600/14)
			value += strings.Repeat("x", 25600-len(value))
			if err := w.set(ctx, "longest", value); err != nil {
				return err
			}
			got, err := w.there.secrets.GetSecret(ctx, "LONGEST", "", nil)
			if err == nil && *got.Value != value {
				err = errors.New("another value came back")
			}
			return err
		}},
		{"60 secrets, listed once each", func(ctx context.Context, w *world) error {
			for i := range 60 {
				if err := w.set(ctx, fmt.Sprint("listed-", i), "x"); err != nil {
					return err
				}
			}
			listed := map[string]int{}
			for pager := w.there.secrets.NewListSecretPropertiesPager(nil); pager.More(); {
				page, err := pager.NextPage(ctx)
				if err != nil {
					return err
				}
				for _, s := range page.Value {
					if strings.HasPrefix(s.ID.Name(), "listed-") {
						listed[s.ID.Name()]++
					}
				}
			}
			for name, times := range listed {
				if times != 1 {
					return fmt.Errorf("%s is listed %d times", name, times)
				}
			}
			if len(listed) != 60 {
				return fmt.Errorf("%d are listed", len(listed))
			}
			return nil
		}},
	}
}

func (w *world) set(ctx context.Context, name, value string) error {
	_, err := w.here.secrets.SetSecret(ctx, name, azsecrets.SetSecretParameters{Value: &value}, nil)
	return err
}
