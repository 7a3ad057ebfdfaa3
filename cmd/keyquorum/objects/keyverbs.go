package objects

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/keyfile"
)

// keyFlags say what key is to be made.
type keyFlags struct {
	kty        string
	size       int
	curve      string
	hsm        bool
	protection string // as az says hsm
}

func keyVerbs() []verb {
	return append([]verb{
		{
			use: "create NAME", short: "Make a key: its first version, or a new one", do: createKey,
			example: "  keyquorum key create signer --vault demo --kty EC --curve P-256\n" +
				"  keyquorum key create wrapper --vault demo --kty RSA --size 3072 --ops wrapKey,unwrapKey",
			flags: []func(*pflag.FlagSet, *input){bindKey, bindOperations, bindAttributes},
		},
		{
			use: "import NAME", short: "Put a key of your own into the vault: PEM, PKCS #8 or JWK",
			do: importKey,
			more: "The file holds one private key: PEM (PRIVATE KEY, RSA PRIVATE KEY, EC PRIVATE\n" +
				"KEY), PKCS #8 in DER, or a JWK (RSA, EC, oct). It crosses the wire under TLS;\n" +
				"docs/bring-your-own-key.md has a way by which it does not.",
			flags: []func(*pflag.FlagSet, *input){
				bindFile,
				bindHSM,
				bindOperations,
				bindAttributes,
			},
		},
		{
			use:   "rotate NAME",
			short: "Make a new version of a key, like the one before",
			do:    rotateKey,
		},
		{
			use: "rotation-policy NAME", short: "Show when a key is rotated by itself, or change that",
			do:    rotationPolicy,
			more:  "Without flags it shows the policy. Lengths of time are those of ISO 8601: P90D, P18M, P2Y.",
			flags: []func(*pflag.FlagSet, *input){bindPolicy},
		},
		{
			use: "download NAME", short: "Write the public part of a key to a file, or to standard output",
			do:    downloadKey,
			flags: []func(*pflag.FlagSet, *input){bindVersion, bindOut, bindAs},
		},
		{
			use: "random COUNT", short: "Have the vault make random bytes, 1 to 128", do: randomBytes,
			flags: []func(*pflag.FlagSet, *input){bindResult},
		},
	}, cryptoVerbs()...)
}

func bindKey(f *pflag.FlagSet, in *input) {
	f.StringVar(&in.key.kty, "kty", "RSA", "RSA, EC or oct, or one of them with -HSM")
	f.IntVar(&in.key.size, "size", 0, "bits of an RSA or oct key (default the vault's)")
	f.StringVar(&in.key.curve, "curve", "", "of an EC key: P-256, P-384, P-521 or P-256K")
	bindProtection(f, in)
}

func bindHSM(f *pflag.FlagSet, in *input) {
	f.BoolVar(&in.key.hsm, "hsm", false, "make it a key of type RSA-HSM, EC-HSM or oct-HSM")
	bindProtection(f, in)
}

func bindAs(f *pflag.FlagSet, in *input) {
	f.StringVar(&in.as, "as", "pem", "pem, jwk, or raw: DER")
}

// hsmSuffix ends a type of key that is to be kept in hardware.
const hsmSuffix = "-HSM"

func createKey(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	attributes, err := c.attributes()
	if err != nil {
		return a, err
	}
	hsm, err := c.in.key.protected()
	if err != nil {
		return a, err
	}
	kty := azkeys.KeyType(c.in.key.kty)
	if hsm && !strings.HasSuffix(c.in.key.kty, hsmSuffix) {
		kty += hsmSuffix
	}
	in := azkeys.CreateKeyParameters{
		Kty: &kty, KeyOps: operations(attributes.operations), KeyAttributes: attributes.ofKey(),
		Tags: attributes.tags,
	}
	if c.in.key.size != 0 {
		size := int32(min(max(c.in.key.size, -1), 1<<20))
		in.KeySize = &size
	}
	if c.in.key.curve != "" {
		curve := azkeys.CurveName(c.in.key.curve)
		in.Curve = &curve
	}
	o, err := ask(c, func(ctx context.Context) (object, error) {
		r, err := c.keys().CreateKey(ctx, c.ref.Name, in, nil)
		return keyObject(r.KeyBundle), err
	})
	return o.answer(), err
}

// keys is Microsoft's client.
func (c *call) keys() *azkeys.Client { return c.shelf.(*keys).client }

func importKey(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	attributes, err := c.attributes()
	if err != nil {
		return a, err
	}
	hsm, err := c.in.key.protected()
	if err != nil {
		return a, err
	}
	if c.in.file == "" {
		return a, errors.New("which key? Say --file FILE, or --file - for standard input")
	}
	file, err := console.ReadInput(c.cmd.InOrStdin(), c.in.file, keyfile.MaxFile)
	if err != nil {
		return a, err
	}
	defer clear(file)
	key, err := keyfile.Private(file)
	if err != nil {
		return a, fmt.Errorf("%s is not taken as a key: %w", c.in.file, err)
	}
	key.KeyOps = operations(attributes.operations)
	in := azkeys.ImportKeyParameters{
		Key:           key,
		KeyAttributes: attributes.ofKey(),
		Tags:          attributes.tags,
	}
	if hsm {
		in.HSM = &hsm
	}
	o, err := ask(c, func(ctx context.Context) (object, error) {
		r, err := c.keys().ImportKey(ctx, c.ref.Name, in, nil)
		return keyObject(r.KeyBundle), err
	})
	return o.answer(), err
}

func rotateKey(c *call) (a console.Answer, err error) {
	if err := c.newest(); err != nil {
		return a, err
	}
	o, err := ask(c, func(ctx context.Context) (object, error) {
		r, err := c.keys().RotateKey(ctx, c.ref.Name, nil)
		return keyObject(r.KeyBundle), err
	})
	return o.answer(), err
}

func downloadKey(c *call) (a console.Answer, err error) {
	write, ok := keyfile.Public[strings.ToLower(c.in.as)]
	if !ok {
		return a, fmt.Errorf("--as %q: it is pem, jwk or raw", c.in.as)
	}
	version, err := c.version()
	if err != nil {
		return a, err
	}
	if c.in.out == "" {
		c.in.out = "-"
	}
	key, err := c.publicKey(version)
	if err != nil {
		return a, err
	}
	file, err := write(key)
	if err != nil {
		return a, fmt.Errorf("key %s: %w", c.ref.Name, err)
	}
	return c.written(file)
}

func (c *call) publicKey(version string) (*azkeys.JSONWebKey, error) {
	return ask(c, func(ctx context.Context) (*azkeys.JSONWebKey, error) {
		r, err := c.keys().GetKey(ctx, c.ref.Name, version, nil)
		if err == nil && r.Key == nil {
			err = errors.New("the vault answered without a key")
		}
		return r.Key, err
	})
}

func randomBytes(c *call) (a console.Answer, err error) {
	n, err := strconv.ParseInt(c.args[0], 10, 32)
	if err != nil || n < 1 || n > 128 {
		return a, fmt.Errorf("%q: a vault makes 1 to 128 random bytes at once", c.args[0])
	}
	count := int32(n)
	b, err := ask(c, func(ctx context.Context) ([]byte, error) {
		r, err := c.keys().GetRandomBytes(ctx, azkeys.GetRandomBytesParameters{Count: &count}, nil)
		return r.Value, err
	})
	if err != nil {
		return a, err
	}
	return c.result(result{Result: b}, c.in.crypto.out)
}
