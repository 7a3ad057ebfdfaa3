package testcluster_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"math/big"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"gitlab.com/yawning/secp256k1-voi/secec"

	"keyquorum/testcluster"
)

// azureClients drives three nodes with the real SDK clients through what Microsoft's own suites
// leave out. Each step goes to the next node, so that what one has done another must know.
func azureClients(t *testing.T, c *testcluster.Cluster) {
	c.NewVault("first")
	c.NewVault("other")
	nodes := &circle{rsa: then(rsa.GenerateKey(rand.Reader, 2048))(t)}
	for _, vault := range []string{"first", "other"} {
		c.Grant(0, vault, "billing", []string{"all"}, []string{"all"})
	}
	for i := range c.Size() {
		nodes.first = append(nodes.first, at(t, c, i, "first"))
		nodes.other = append(nodes.other, at(t, c, i, "other"))
	}
	for name, test := range map[string]func(*testing.T, *circle){
		"keys that are brought": importedKeys, "every algorithm of symmetric keys": symmetricAlgorithms,
		"every signature": signatures, "every RSA encryption": rsaEncryptions,
		"backup, purge and restore": backupAndRestore, "rotation": rotation,
		"attributes and tags of keys": keyAttributes, "attributes of secrets": secretAttributes,
		"deleted ones in lists": deletedLists, "random bytes": randomBytes, "values": values,
	} {
		t.Run(name, func(t *testing.T) { test(t, nodes) })
	}
}

// A circle is the same application at each node, in two vaults.
type circle struct {
	first, other []client
	turn         int
	rsa          *rsa.PrivateKey // finding one costs as much as all the rest
}

func (c *circle) next() client { c.turn++; return c.first[c.turn%len(c.first)] }

// then passes over what gives no answer but an error.
func then[T any](value T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		must(t, err)
		return value
	}
}

func ops(names ...string) (out []*azkeys.KeyOperation) {
	for _, name := range names {
		out = append(out, to.Ptr(azkeys.KeyOperation(name)))
	}
	return out
}

var everyOp = ops("encrypt", "decrypt", "sign", "verify", "wrapKey", "unwrapKey")

// rsaJWK and ecJWK spell keys as their owner brings them.
func rsaJWK(k *rsa.PrivateKey) *azkeys.JSONWebKey {
	p := k.Precomputed
	return &azkeys.JSONWebKey{Kty: to.Ptr(azkeys.KeyTypeRSA), N: k.N.Bytes(),
		E: big.NewInt(int64(k.E)).Bytes(), D: k.D.Bytes(),
		P: k.Primes[0].Bytes(), Q: k.Primes[1].Bytes(), DP: p.Dp.Bytes(), DQ: p.Dq.Bytes(),
		QI: p.Qinv.Bytes(), KeyOps: everyOp}
}

func ecJWK(t *testing.T, curve azkeys.CurveName) *azkeys.JSONWebKey {
	t.Helper()
	var point, d []byte
	if curve == azkeys.CurveNameP256K {
		k := then(secec.GenerateKey())(t)
		point, d = k.PublicKey().Bytes(), k.Bytes()
	} else {
		curves := map[azkeys.CurveName]elliptic.Curve{azkeys.CurveNameP256: elliptic.P256(),
			azkeys.CurveNameP384: elliptic.P384(), azkeys.CurveNameP521: elliptic.P521()}
		k := then(ecdsa.GenerateKey(curves[curve], rand.Reader))(t)
		point, d = then(k.PublicKey.Bytes())(t), then(k.Bytes())(t)
	}
	size := len(point) / 2
	return &azkeys.JSONWebKey{Kty: to.Ptr(azkeys.KeyTypeEC), Crv: &curve, X: point[1 : 1+size],
		Y: point[1+size:], D: d, KeyOps: ops("sign", "verify")}
}

var curves = map[azkeys.CurveName]azkeys.SignatureAlgorithm{azkeys.CurveNameP256: "ES256",
	azkeys.CurveNameP256K: "ES256K", azkeys.CurveNameP384: "ES384", azkeys.CurveNameP521: "ES512"}

func importedKeys(t *testing.T, nodes *circle) {
	keys := map[string]*azkeys.JSONWebKey{"rsa": rsaJWK(nodes.rsa)}
	for curve := range curves {
		keys[string(curve)] = ecJWK(t, curve)
	}
	for _, bytes := range []int{16, 24, 32} {
		k := make([]byte, bytes)
		rand.Read(k)
		keys[fmt.Sprint("oct-", bytes)] = &azkeys.JSONWebKey{Kty: to.Ptr(azkeys.KeyTypeOct), K: k,
			KeyOps: everyOp}
	}
	for name, brought := range keys {
		for _, hsm := range []bool{false, true} {
			got := then(nodes.next().keys.ImportKey(t.Context(), "imported-"+name,
				azkeys.ImportKeyParameters{Key: brought, HSM: &hsm, Tags: map[string]*string{"of": &name}},
				nil))(t)
			want := string(*brought.Kty)
			if hsm {
				want += "-HSM"
			}
			k := got.Key
			if string(*k.Kty) != want || !bytes.Equal(k.N, brought.N) || !bytes.Equal(k.E, brought.E) ||
				!bytes.Equal(k.X, brought.X) || !bytes.Equal(k.Y, brought.Y) ||
				k.D != nil || k.K != nil || *got.Tags["of"] != name || !slices.EqualFunc(k.KeyOps,
				brought.KeyOps, func(a, b *azkeys.KeyOperation) bool { return *a == *b }) {
				t.Errorf("%s: brought %+v, got %+v", name, brought, k)
			}
		}
	}
	plain := []byte("0123456789abcdef")
	alg := to.Ptr(azkeys.EncryptionAlgorithmA192KW)
	wrapped := then(nodes.next().keys.WrapKey(t.Context(), "imported-oct-24", "",
		azkeys.KeyOperationParameters{Algorithm: alg, Value: plain}, nil))(t)
	if back := then(nodes.next().keys.UnwrapKey(t.Context(), "imported-oct-24", "",
		azkeys.KeyOperationParameters{Algorithm: alg, Value: wrapped.Result},
		nil))(t); !bytes.Equal(back.Result, plain) {
		t.Errorf("unwrapped %x", back.Result)
	}
	wrong := *keys["P-384"]
	wrong.X = wrong.Y
	_, err := nodes.next().keys.ImportKey(t.Context(), "wrong",
		azkeys.ImportKeyParameters{Key: &wrong}, nil)
	wantError(t, err, 400, "BadParameter")
}

func symmetricAlgorithms(t *testing.T, nodes *circle) {
	ctx := t.Context()
	for _, bits := range []int32{128, 192, 256} {
		name := fmt.Sprint("aes-", bits)
		made := then(nodes.next().keys.CreateKey(ctx, name,
			azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeOct), KeySize: &bits, KeyOps: everyOp},
			nil))(t)
		if k := made.Key; *k.Kty != azkeys.KeyTypeOct || k.K != nil || len(k.KeyOps) != 6 {
			t.Errorf("%s: %+v", name, k)
		}
		iv := make([]byte, 16)
		rand.Read(iv)
		for suffix, in := range map[string]azkeys.KeyOperationParameters{
			"GCM": {Value: []byte("any length"), AdditionalAuthenticatedData: []byte("seen by all")},
			"CBC": {Value: make([]byte, 48), IV: iv}, "CBCPAD": {Value: []byte("any length"), IV: iv},
		} {
			in.Algorithm = to.Ptr(azkeys.EncryptionAlgorithm(fmt.Sprintf("A%d%s", bits, suffix)))
			out := then(nodes.next().keys.Encrypt(ctx, name, "", in, nil))(t)
			back := azkeys.KeyOperationParameters{Algorithm: in.Algorithm, Value: out.Result, IV: out.IV,
				AuthenticationTag:           out.AuthenticationTag,
				AdditionalAuthenticatedData: out.AdditionalAuthenticatedData}
			if *out.KID != *made.Key.KID || suffix != "GCM" && !bytes.Equal(out.IV, iv) || suffix == "GCM" &&
				(len(out.IV) != 12 || len(out.AuthenticationTag) != 16) {
				t.Errorf("%s: %+v", *in.Algorithm, out)
			}
			if got := then(nodes.next().keys.Decrypt(ctx, name, made.Key.KID.Version(), back,
				nil))(t); !bytes.Equal(got.Result, in.Value) {
				t.Errorf("%s: %q", *in.Algorithm, got.Result)
			}
			if suffix == "GCM" {
				back.AuthenticationTag[0] ^= 1
				_, err := nodes.next().keys.Decrypt(ctx, name, "", back, nil)
				wantError(t, err, 400, "BadParameter")
			}
		}
		in := azkeys.KeyOperationParameters{
			Algorithm: to.Ptr(azkeys.EncryptionAlgorithm(fmt.Sprintf("A%dKW", bits))), Value: iv}
		in.Value = then(nodes.next().keys.WrapKey(ctx, name, "", in, nil))(t).Result
		if got := then(nodes.next().keys.UnwrapKey(ctx, name, "", in, nil))(t); !bytes.Equal(got.Result,
			iv) {
			t.Errorf("%s: %x", *in.Algorithm, got.Result)
		}
	}
	for _, alg := range []azkeys.SignatureAlgorithm{azkeys.SignatureAlgorithmHS256,
		azkeys.SignatureAlgorithmHS384, azkeys.SignatureAlgorithmHS512} {
		signsAndVerifies(t, nodes, "aes-256", alg)
	}
}

// signsAndVerifies signs at one node and verifies at the others.
func signsAndVerifies(t *testing.T, nodes *circle, name string, alg azkeys.SignatureAlgorithm) {
	t.Helper()
	sum256, sum384, sum512 := sha256.Sum256([]byte("m")), sha512.Sum384([]byte("m")),
		sha512.Sum512([]byte("m"))
	digest := map[string][]byte{"256": sum256[:], "384": sum384[:], "512": sum512[:]}[string(alg)[2:5]]
	signed := then(nodes.next().keys.Sign(t.Context(), name, "",
		azkeys.SignParameters{Algorithm: &alg, Value: digest}, nil))(t)
	for range 2 {
		good := then(nodes.next().keys.Verify(t.Context(), name, signed.KID.Version(),
			azkeys.VerifyParameters{Algorithm: &alg, Digest: digest, Signature: signed.Result}, nil))(t)
		forged := slices.Clone(signed.Result)
		forged[len(forged)/2] ^= 1
		bad := then(nodes.next().keys.Verify(t.Context(), name, "",
			azkeys.VerifyParameters{Algorithm: &alg, Digest: digest, Signature: forged}, nil))(t)
		if !*good.Value || *bad.Value {
			t.Errorf("%s: a good signature is %v, a forged one %v", alg, *good.Value, *bad.Value)
		}
	}
}

func signatures(t *testing.T, nodes *circle) {
	for curve, alg := range curves {
		must(t, second(nodes.next().keys.CreateKey(t.Context(), string(curve),
			azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC), Curve: &curve}, nil)))
		signsAndVerifies(t, nodes, string(curve), alg)
	}
	importRSA(t, nodes, "signer")
	for _, alg := range []azkeys.SignatureAlgorithm{"RS256", "RS384", "RS512", "PS256", "PS384",
		"PS512"} {
		signsAndVerifies(t, nodes, "signer", alg)
	}
}

func second[T any](_ T, err error) error { return err }

func importRSA(t *testing.T, nodes *circle, name string) {
	t.Helper()
	must(t, second(nodes.next().keys.ImportKey(t.Context(), name,
		azkeys.ImportKeyParameters{Key: rsaJWK(nodes.rsa)}, nil)))
}

func rsaEncryptions(t *testing.T, nodes *circle) {
	importRSA(t, nodes, "box")
	for _, alg := range []azkeys.EncryptionAlgorithm{azkeys.EncryptionAlgorithmRSA15,
		azkeys.EncryptionAlgorithmRSAOAEP, azkeys.EncryptionAlgorithmRSAOAEP256} {
		in := azkeys.KeyOperationParameters{Algorithm: &alg, Value: []byte("a message")}
		sealed := then(nodes.next().keys.Encrypt(t.Context(), "box", "", in, nil))(t)
		opened := then(nodes.next().keys.Decrypt(t.Context(), "box", "",
			azkeys.KeyOperationParameters{Algorithm: &alg, Value: sealed.Result}, nil))(t)
		wrapped := then(nodes.next().keys.WrapKey(t.Context(), "box", "", in, nil))(t)
		unwrapped := then(nodes.next().keys.UnwrapKey(t.Context(), "box", "",
			azkeys.KeyOperationParameters{Algorithm: &alg, Value: wrapped.Result}, nil))(t)
		if string(opened.Result) != "a message" || string(unwrapped.Result) != "a message" {
			t.Errorf("%s: %q and %q", alg, opened.Result, unwrapped.Result)
		}
	}
	local := then(rsa.EncryptOAEP(sha256.New(), rand.Reader, &nodes.rsa.PublicKey,
		[]byte("made by a client"), nil))(t)
	got := then(nodes.next().keys.Decrypt(t.Context(), "box", "",
		azkeys.KeyOperationParameters{Algorithm: to.Ptr(azkeys.EncryptionAlgorithmRSAOAEP256),
			Value: local}, nil))(t)
	if string(got.Result) != "made by a client" {
		t.Errorf("%q", got.Result)
	}
}
