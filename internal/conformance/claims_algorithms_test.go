package conformance_test

import (
	"bytes"
	"context"
	"crypto/sha512"
	"errors"
	"fmt"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
)

// A shape is keys of a type and size, with algorithms that they work with: names of Azure's,
// separated by spaces.
type shape struct {
	kty            azkeys.KeyType
	size           int32
	curve          azkeys.CurveName
	signs, ciphers string
}

var shapes = []shape{
	{kty: "RSA", size: 2048, signs: "RS256 RS384 RS512 PS256 PS384 PS512",
		ciphers: "RSA1_5 RSA-OAEP RSA-OAEP-256"},
	{kty: "RSA", size: 3072, signs: "RS256 PS512", ciphers: "RSA-OAEP-256"},
	{kty: "RSA-HSM", size: 4096, signs: "RS512 PS256", ciphers: "RSA-OAEP"},
	{kty: "EC", curve: "P-256", signs: "ES256"},
	{kty: "EC", curve: "P-256K", signs: "ES256K"},
	{kty: "EC", curve: "P-384", signs: "ES384"},
	{kty: "EC-HSM", curve: "P-521", signs: "ES512"},
	{kty: "oct", size: 128, ciphers: "A128GCM A128KW A128CBC A128CBCPAD"},
	{kty: "oct", size: 192, ciphers: "A192GCM A192KW A192CBC A192CBCPAD"},
	{kty: "oct-HSM", size: 256, signs: "HS256 HS384 HS512",
		ciphers: "A256GCM A256KW A256CBC A256CBCPAD"},
}

// name is also that of the key.
func (s shape) name() string {
	if s.curve != "" {
		return fmt.Sprintf("%s-%s", s.kty, s.curve)
	}
	return fmt.Sprintf("%s-%d", s.kty, s.size)
}

func algorithmClaims() (all []claim) {
	for _, s := range shapes {
		for alg := range strings.FieldsSeq(s.signs) {
			all = append(all, claim{s.name() + " " + alg, func(ctx context.Context, w *world) error {
				return errors.Join(w.make(ctx, s), w.sign(ctx, s.name(), azkeys.SignatureAlgorithm(alg)))
			}})
		}
		for alg := range strings.FieldsSeq(s.ciphers) {
			all = append(all, claim{s.name() + " " + alg, func(ctx context.Context, w *world) error {
				return errors.Join(w.make(ctx, s), w.cipher(ctx, s.name(), azkeys.EncryptionAlgorithm(alg)))
			}})
		}
	}
	return all
}

// make creates the key of a shape, once.
func (w *world) make(ctx context.Context, s shape) error {
	if w.made[s.name()] {
		return nil
	}
	w.made[s.name()] = true
	create := azkeys.CreateKeyParameters{Kty: &s.kty}
	if s.curve != "" {
		create.Curve = &s.curve
	} else {
		create.KeySize = &s.size
	}
	if strings.HasPrefix(string(s.kty), "oct") { // which signs only when it is told to
		create.KeyOps = to.SliceOfPtrs[azkeys.KeyOperation]("encrypt", "decrypt", "wrapKey", "unwrapKey",
			"sign", "verify")
	}
	made, err := w.here.keys.CreateKey(ctx, s.name(), create, nil)
	if err == nil && *made.Key.Kty != s.kty {
		err = fmt.Errorf("the new key is of type %s", *made.Key.Kty)
	}
	return err
}

// digestFor is as long as the algorithm wants it.
func digestFor(alg azkeys.SignatureAlgorithm) []byte {
	sum := sha512.Sum512([]byte("a message"))
	switch {
	case strings.HasSuffix(string(alg), "512"):
		return sum[:]
	case strings.HasSuffix(string(alg), "384"):
		return sum[:48]
	default:
		return sum[:32]
	}
}

// sign signs here and verifies there, where another digest must not verify.
func (w *world) sign(ctx context.Context, key string, alg azkeys.SignatureAlgorithm) error {
	digest := digestFor(alg)
	signed, err := w.here.keys.Sign(ctx, key, "",
		azkeys.SignParameters{Algorithm: &alg, Value: digest}, nil)
	if err != nil {
		return err
	}
	for _, right := range []bool{true, false} {
		if !right {
			digest[0] ^= 1
		}
		verified, err := w.there.keys.Verify(ctx, key, signed.KID.Version(),
			azkeys.VerifyParameters{Algorithm: &alg, Digest: digest, Signature: signed.Result}, nil)
		if err != nil {
			return err
		}
		if *verified.Value != right {
			return fmt.Errorf("verified: %v, for a digest of which that is %v", *verified.Value, right)
		}
	}
	return nil
}

// cipher encrypts or wraps here and reverses it there, in both pairs where the algorithm has both.
// What was changed on the way must not come back as if nothing had happened.
func (w *world) cipher(ctx context.Context, key string, alg azkeys.EncryptionAlgorithm) error {
	encrypt := func(c client, p azkeys.KeyOperationParameters) (azkeys.KeyOperationResult, error) {
		r, err := c.keys.Encrypt(ctx, key, "", p, nil)
		return r.KeyOperationResult, err
	}
	decrypt := func(c client, p azkeys.KeyOperationParameters) (azkeys.KeyOperationResult, error) {
		r, err := c.keys.Decrypt(ctx, key, "", p, nil)
		return r.KeyOperationResult, err
	}
	wrap := func(c client, p azkeys.KeyOperationParameters) (azkeys.KeyOperationResult, error) {
		r, err := c.keys.WrapKey(ctx, key, "", p, nil)
		return r.KeyOperationResult, err
	}
	unwrap := func(c client, p azkeys.KeyOperationParameters) (azkeys.KeyOperationResult, error) {
		r, err := c.keys.UnwrapKey(ctx, key, "", p, nil)
		return r.KeyOperationResult, err
	}
	var err error
	if !strings.HasSuffix(string(alg), "KW") {
		err = w.thereAndBack(alg, encrypt, decrypt)
	}
	if strings.HasSuffix(string(alg), "KW") || strings.HasPrefix(string(alg), "RSA") {
		err = errors.Join(err, w.thereAndBack(alg, wrap, unwrap))
	}
	return err
}

type cipherCall func(client, azkeys.KeyOperationParameters) (azkeys.KeyOperationResult, error)

func (w *world) thereAndBack(alg azkeys.EncryptionAlgorithm, to, back cipherCall) error {
	text := []byte("thirty-two bytes, whole blocks..")
	in := azkeys.KeyOperationParameters{Algorithm: &alg, Value: text}
	switch {
	case strings.Contains(string(alg), "CBC"):
		in.IV = []byte("0123456789ABCDEF")
	case strings.HasSuffix(string(alg), "GCM"):
		in.AdditionalAuthenticatedData = []byte("what it belongs to")
	}
	sealed, err := to(w.here, in)
	if err != nil {
		return err
	}
	in = azkeys.KeyOperationParameters{
		Algorithm: &alg, Value: sealed.Result, IV: sealed.IV,
		AuthenticationTag:           sealed.AuthenticationTag,
		AdditionalAuthenticatedData: in.AdditionalAuthenticatedData,
	}
	opened, err := back(w.there, in)
	if err != nil {
		return err
	}
	if !bytes.Equal(opened.Result, text) {
		return errors.New("another text came back")
	}
	in.Value[0] ^= 1
	if opened, err := back(w.there, in); err == nil && bytes.Equal(opened.Result, text) {
		return errors.New("a text came back from what was changed")
	}
	return nil
}
