package objects

import (
	"context"
	"crypto"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/keyfile"
)

// cryptoFlags are what a key is used with. Bytes on the command line are base64url, none is secret.
type cryptoFlags struct {
	digest        string
	signature     string
	signatureFile string
	value         string
	iv, aad, tag  string
	out           string
}

// notVerified is the code with which the program ends when a signature does not verify.
const notVerified = 3

// maxInput bounds what is sent to be encrypted, in bytes; a vault takes much less with most keys.
const maxInput = 64 << 10

func cryptoVerbs() []verb {
	enciphering := func(use, short, example string, do func(*call) (console.Answer, error),
		flags ...func(*pflag.FlagSet, *input)) verb {
		return verb{use: use, short: short, do: do, example: example,
			flags: append(
				[]func(*pflag.FlagSet, *input){
					bindVersion,
					bindAlgorithm,
					bindFile,
					bindCipher,
					bindResult,
				},
				flags...)}
	}
	return []verb{
		{
			use: "sign NAME", short: "Sign a file, or a digest", do: sign,
			more: "--file (or standard input) is hashed here as the algorithm asks, however large\n" +
				"it is; only its digest is sent. An HMAC (HS256, HS384, HS512) is made of the\n" +
				"file itself.",
			example: "  keyquorum key sign signer --vault demo --file release.tar --out release.sig",
			flags: []func(*pflag.FlagSet, *input){
				bindVersion,
				bindAlgorithm,
				bindFile,
				bindDigest,
				bindResult,
			},
		},
		{
			use: "verify NAME", short: "Verify a signature (exit code 3: it does not verify)", do: verify,
			example: "  keyquorum key verify signer --vault demo --file release.tar --signature-file release.sig",
			flags: []func(*pflag.FlagSet, *input){
				bindVersion,
				bindAlgorithm,
				bindFile,
				bindDigest,
				bindSignature,
			},
		},
		enciphering("encrypt NAME", "Encrypt a file or standard input",
			"  keyquorum key encrypt wrapper --vault demo --file plain --out sealed", encrypt),
		enciphering(
			"decrypt NAME",
			"Decrypt what encrypt has made",
			"  keyquorum key decrypt wrapper --vault demo --file sealed --out plain",
			decrypt,
			bindCiphertext,
		),
		enciphering(
			"wrap NAME",
			"Wrap a key: encrypt it with another",
			"  keyquorum key wrap wrapper --vault demo --file data.key --out data.key.wrapped",
			wrapKey,
		),
		enciphering(
			"unwrap NAME",
			"Unwrap what wrap has made",
			"  keyquorum key unwrap wrapper --vault demo --file data.key.wrapped --out data.key",
			unwrapKey,
			bindCiphertext,
		),
	}
}

func bindAlgorithm(f *pflag.FlagSet, in *input) {
	f.StringVarP(
		&in.algorithm,
		"algorithm",
		"a",
		"",
		"such as ES256, PS256, RSA-OAEP-256, A256GCM\n(default what suits the key, RSA and EC)",
	)
}

func bindDigest(f *pflag.FlagSet, in *input) {
	f.StringVar(
		&in.crypto.digest,
		"digest",
		"",
		"the digest instead of --file, in hex or base64url",
	)
}

func bindSignature(f *pflag.FlagSet, in *input) {
	f.StringVar(&in.crypto.signature, "signature", "", "the signature, in base64url")
	f.StringVar(&in.crypto.signatureFile, "signature-file", "", "file with the signature's bytes")
}

func bindCiphertext(f *pflag.FlagSet, in *input) {
	f.StringVar(&in.crypto.value, "value", "", "what is encrypted, instead of --file, in base64url")
}

func bindCipher(f *pflag.FlagSet, in *input) {
	f.StringVar(&in.crypto.iv, "iv", "", "initialisation vector of AES, in base64url")
	f.StringVar(&in.crypto.aad, "aad", "", "what AES-GCM authenticates besides, in base64url")
	f.StringVar(&in.crypto.tag, "auth-tag", "", "tag of AES-GCM, in base64url")
}

func bindResult(f *pflag.FlagSet, in *input) {
	f.StringVar(&in.crypto.out, "out", "", "file to write the bytes to; - is standard output")
}

// result is what is printed of a use of a key. Bytes are base64url, as on the wire.
type result struct {
	Key       string    `json:"key,omitempty"` // id, with the version that was used
	Algorithm string    `json:"algorithm,omitempty"`
	Result    base64URL `json:"result,omitempty"`
	IV        base64URL `json:"iv,omitempty"`
	Tag       base64URL `json:"auth_tag,omitempty"`
	AAD       base64URL `json:"aad,omitempty"`
	Valid     *bool     `json:"valid,omitempty"`
}

type base64URL []byte

func (b base64URL) String() string               { return base64.RawURLEncoding.EncodeToString(b) }
func (b base64URL) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// result prints a result, and writes its bytes to a file where one is named.
func (c *call) result(r result, out string) (console.Answer, error) {
	t, lines := console.NewTable("Key", "Value"), []string{r.Result.String()}
	rows := [][2]string{{"Key", r.Key}, {"Algorithm", r.Algorithm}, {"Result", r.Result.String()},
		{"IV", r.IV.String()}, {"Tag", r.Tag.String()}}
	if out != "" {
		if err := console.WriteOutput(c.cmd.OutOrStdout(), out, r.Result); err != nil ||
			out == "-" {
			return console.Answer{}, err
		}
		rows[2], lines = [2]string{"Written", out}, []string{out}
	}
	for _, row := range rows {
		if row[1] != "" {
			t.Add(row[0], row[1])
		}
	}
	return console.Answer{Data: r, Table: t, Lines: lines, Fields: fieldsOf(r)}, nil
}

// hashes are what each algorithm signs a digest of; none: it takes the message itself.
var hashes = map[string]crypto.Hash{
	"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512,
	"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
	"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512, "ES256K": crypto.SHA256,
	"HS256": 0, "HS384": 0, "HS512": 0,
}

// ofCurve is the one algorithm that each curve signs with.
var ofCurve = map[azkeys.CurveName]string{
	azkeys.CurveNameP256: "ES256", azkeys.CurveNameP384: "ES384", azkeys.CurveNameP521: "ES512",
	azkeys.CurveNameP256K: "ES256K",
}

// signing is the algorithm that was said, or the one that suits the key.
func (c *call) signing(version string) (string, error) {
	if name := c.in.algorithm; name != "" {
		if _, ok := hashes[name]; !ok {
			return "", fmt.Errorf("--algorithm %q: keys sign with %s", name,
				strings.Join(slices.Sorted(maps.Keys(hashes)), ", "))
		}
		return name, nil
	}
	key, err := c.publicKey(version)
	if err != nil {
		return "", err
	}
	switch keyfile.PlainType(key) {
	case "RSA":
		return "PS256", nil
	case "EC":
		return ofCurve[value(key.Crv)], nil
	}
	return "", errors.New(
		"say with --algorithm how: a symmetric key signs with HS256, HS384 or HS512",
	)
}

// digest is what is signed: the digest that was given, or that of the file, or an HMAC's message.
func (c *call) digest(algorithm string) ([]byte, error) {
	if c.in.crypto.digest != "" {
		return c.givenDigest(algorithm)
	}
	if c.in.file == "" {
		c.in.file = "-"
	}
	hash := hashes[algorithm]
	if hash == 0 {
		return console.ReadInput(c.cmd.InOrStdin(), c.in.file, maxInput)
	}
	from := c.cmd.InOrStdin()
	if c.in.file != "-" {
		file, err := os.Open(c.in.file)
		if err != nil {
			return nil, err
		}
		defer file.Close()
		from = file
	}
	h := hash.New()
	if _, err := io.Copy(h, from); err != nil {
		return nil, err
	}
	return h.Sum(nil), nil
}

func (c *call) givenDigest(algorithm string) ([]byte, error) {
	if c.in.file != "" {
		return nil, errors.New("--digest and --file: give one of them")
	}
	b, err := hex.DecodeString(c.in.crypto.digest)
	if err != nil {
		b, err = readBase64("--digest", c.in.crypto.digest)
	}
	if hash := hashes[algorithm]; err == nil && hash != 0 && len(b) != hash.Size() {
		err = fmt.Errorf(
			"--digest has %d bytes; %s signs a digest of %d (%v)",
			len(b),
			algorithm,
			hash.Size(),
			hash,
		)
	}
	return b, err
}

func readBase64(flag, text string) ([]byte, error) {
	if text == "" {
		return nil, nil
	}
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	b, err := base64.RawURLEncoding.DecodeString(text) // the Azure CLI prints the other alphabet
	if err != nil {
		return nil, fmt.Errorf("%s is not base64url", flag)
	}
	return b, nil
}

func sign(c *call) (a console.Answer, err error) {
	version, algorithm, digest, err := c.signed()
	if err != nil {
		return a, err
	}
	in := azkeys.SignParameters{Algorithm: (*azkeys.SignatureAlgorithm)(&algorithm), Value: digest}
	r, err := ask(c, func(ctx context.Context) (azkeys.SignResponse, error) {
		return c.keys().Sign(ctx, c.ref.Name, version, in, nil)
	})
	if err != nil {
		return a, err
	}
	return c.result(
		result{Key: string(value(r.KID)), Algorithm: algorithm, Result: r.Result},
		c.in.crypto.out,
	)
}

// signed is what a signature is of.
func (c *call) signed() (version, algorithm string, digest []byte, err error) {
	if version, err = c.version(); err != nil {
		return "", "", nil, err
	}
	if algorithm, err = c.signing(version); err != nil {
		return "", "", nil, err
	}
	digest, err = c.digest(algorithm)
	return version, algorithm, digest, err
}

func verify(c *call) (a console.Answer, err error) {
	signature, err := c.signature()
	if err != nil {
		return a, err
	}
	version, algorithm, digest, err := c.signed()
	if err != nil {
		return a, err
	}
	in := azkeys.VerifyParameters{
		Algorithm: (*azkeys.SignatureAlgorithm)(&algorithm), Digest: digest, Signature: signature,
	}
	r, err := ask(c, func(ctx context.Context) (azkeys.VerifyResponse, error) {
		return c.keys().Verify(ctx, c.ref.Name, version, in, nil)
	})
	if err != nil {
		return a, err
	}
	valid := value(r.Value)
	shown := result{Key: c.ref.String(c.kind), Algorithm: algorithm, Valid: &valid}
	a = console.Answer{Data: shown, Fields: fieldsOf(shown), Lines: []string{fmt.Sprint(valid)},
		Table: console.Pairs("Key", shown.Key, "Algorithm", algorithm, "Valid", yes(valid))}
	if !valid {
		a.After = console.Exit(
			notVerified,
			errors.New("the signature does not verify: it is of something else, "+
				"or by another key, version or algorithm"),
		)
	}
	return a, nil
}

func (c *call) signature() ([]byte, error) {
	switch {
	case c.in.crypto.signature != "" && c.in.crypto.signatureFile != "":
		return nil, errors.New("--signature and --signature-file: give one of them")
	case c.in.crypto.signature != "":
		return readBase64("--signature", c.in.crypto.signature)
	case c.in.crypto.signatureFile != "":
		return console.ReadInput(c.cmd.InOrStdin(), c.in.crypto.signatureFile, maxInput)
	}
	return nil, errors.New("which signature? Say --signature or --signature-file")
}

// enciphers is the algorithm that was said, or the one that suits the key.
func (c *call) enciphers(version string) (azkeys.EncryptionAlgorithm, error) {
	if c.in.algorithm != "" {
		return azkeys.EncryptionAlgorithm(c.in.algorithm), nil
	}
	key, err := c.publicKey(version)
	if err != nil {
		return "", err
	}
	if keyfile.PlainType(key) == "RSA" {
		return azkeys.EncryptionAlgorithmRSAOAEP256, nil
	}
	return "", errors.New(
		"say with --algorithm how: a symmetric key encrypts with A256GCM, wraps with A256KW; " +
			"an EC key does neither",
	)
}

// text is what is encrypted or decrypted.
func (c *call) text() ([]byte, error) {
	if c.in.crypto.value != "" {
		if c.in.file != "" {
			return nil, errors.New("--value and --file: give one of them")
		}
		return readBase64("--value", c.in.crypto.value)
	}
	if c.in.file == "" {
		c.in.file = "-"
	}
	return console.ReadInput(c.cmd.InOrStdin(), c.in.file, maxInput)
}

type (
	cipherInput  = azkeys.KeyOperationParameters
	cipherOutput = azkeys.KeyOperationResult
	// cipherOperation is one of the four calls, which take and give the same.
	cipherOperation func(
		ctx context.Context, k *azkeys.Client, name, version string, in cipherInput,
	) (cipherOutput, error)
)

func encipher(c *call, do cipherOperation) (r result, err error) {
	version, err := c.version()
	if err != nil {
		return r, err
	}
	in := cipherInput{}
	for _, part := range []struct {
		flag, text string
		into       *[]byte
	}{
		{"--iv", c.in.crypto.iv, &in.IV}, {"--aad", c.in.crypto.aad, &in.AdditionalAuthenticatedData},
		{"--auth-tag", c.in.crypto.tag, &in.AuthenticationTag},
	} {
		if *part.into, err = readBase64(part.flag, part.text); err != nil {
			return r, err
		}
	}
	algorithm, err := c.enciphers(version)
	if err != nil {
		return r, err
	}
	if in.Value, err = c.text(); err != nil {
		return r, err
	}
	in.Algorithm = &algorithm
	answer, err := ask(c, func(ctx context.Context) (cipherOutput, error) {
		return do(ctx, c.keys(), c.ref.Name, version, in)
	})
	return result{
		Key: string(
			value(answer.KID),
		), Algorithm: string(algorithm), Result: answer.Result, IV: answer.IV,
		Tag: answer.AuthenticationTag, AAD: answer.AdditionalAuthenticatedData,
	}, err
}

func encrypt(c *call) (console.Answer, error) {
	return c.shown(encipher(c, func(
		ctx context.Context, k *azkeys.Client, name, version string, in cipherInput,
	) (cipherOutput, error) {
		r, err := k.Encrypt(ctx, name, version, in, nil)
		return r.KeyOperationResult, err
	}))
}

func wrapKey(c *call) (console.Answer, error) {
	return c.shown(encipher(c, func(
		ctx context.Context, k *azkeys.Client, name, version string, in cipherInput,
	) (cipherOutput, error) {
		r, err := k.WrapKey(ctx, name, version, in, nil)
		return r.KeyOperationResult, err
	}))
}

func decrypt(c *call) (console.Answer, error) {
	return c.opened(encipher(c, func(
		ctx context.Context, k *azkeys.Client, name, version string, in cipherInput,
	) (cipherOutput, error) {
		r, err := k.Decrypt(ctx, name, version, in, nil)
		return r.KeyOperationResult, err
	}))
}

func unwrapKey(c *call) (console.Answer, error) {
	return c.opened(encipher(c, func(
		ctx context.Context, k *azkeys.Client, name, version string, in cipherInput,
	) (cipherOutput, error) {
		r, err := k.UnwrapKey(ctx, name, version, in, nil)
		return r.KeyOperationResult, err
	}))
}

func (c *call) shown(r result, err error) (console.Answer, error) {
	if err != nil {
		return console.Answer{}, err
	}
	return c.result(r, c.in.crypto.out)
}

// opened writes what was decrypted as it is, where no other form was asked for.
func (c *call) opened(r result, err error) (console.Answer, error) {
	if err == nil && c.in.crypto.out == "" && c.output.ForPeople() {
		c.in.crypto.out = "-"
	}
	return c.shown(r, err)
}
