package httpapi_test

import (
	"bytes"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// An opensslTool is the command, in a folder where its files are.
type opensslTool struct {
	t   testing.TB
	dir string
}

func newOpenSSL(t testing.TB) *opensslTool {
	t.Helper()
	version, err := exec.Command("openssl", "version").Output()
	if err != nil || !bytes.HasPrefix(version, []byte("OpenSSL 3.")) {
		t.Skipf("there is no OpenSSL 3 on this machine (%q, %v)", version, err)
	}
	return &opensslTool{t: t, dir: t.TempDir()}
}

// run gives what the command writes to its standard output.
func (o *opensslTool) run(in []byte, args ...string) ([]byte, error) {
	c := exec.CommandContext(o.t.Context(), "openssl", args...)
	c.Dir, c.Stdin = o.dir, bytes.NewReader(in)
	return c.Output()
}

func (o *opensslTool) must(in []byte, args ...string) []byte {
	o.t.Helper()
	out, err := o.run(in, args...)
	if err != nil {
		o.t.Fatalf("openssl %s: %v", strings.Join(args, " "), err)
	}
	return out
}

// file keeps bytes and gives the name for the command.
func (o *opensslTool) file(name string, b []byte) string {
	o.t.Helper()
	if err := os.WriteFile(filepath.Join(o.dir, name), b, 0o600); err != nil {
		o.t.Fatal(err)
	}
	return name
}

// curves are those of EC keys: OpenSSL's name, and the curve's OID (RFC 5480 section 2.1.1.1, SEC 2
// section A.2.1).
var curves = map[string]struct {
	name string
	oid  asn1.ObjectIdentifier
}{
	"P-256":  {"P-256", asn1.ObjectIdentifier{1, 2, 840, 10045, 3, 1, 7}},
	"P-384":  {"P-384", asn1.ObjectIdentifier{1, 3, 132, 0, 34}},
	"P-521":  {"P-521", asn1.ObjectIdentifier{1, 3, 132, 0, 35}},
	"P-256K": {"secp256k1", asn1.ObjectIdentifier{1, 3, 132, 0, 10}},
}

// newRSA makes a key with genpkey: its file, and the JWK of it.
func (o *opensslTool) newRSA(bits int) (file, jwk string) {
	o.t.Helper()
	file = o.file("rsa.pem", o.must(nil, "genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt",
		fmt.Sprintf("rsa_keygen_bits:%d", bits)))
	var k struct { // RFC 8017 appendix A.1.2
		Version                     int
		N, E, D, P, Q, DP, DQ, QInv *big.Int
	}
	o.parse(o.must(nil, "rsa", "-traditional", "-in", file, "-outform", "DER"), &k)
	return file, object(map[string][]byte{"n": k.N.Bytes(), "e": k.E.Bytes(), "d": k.D.Bytes(),
		"p": k.P.Bytes(), "q": k.Q.Bytes(),
		"dp": k.DP.Bytes(), "dq": k.DQ.Bytes(), "qi": k.QInv.Bytes()}, "kty", "RSA")
}

func (o *opensslTool) newEC(crv string) (file, jwk string) {
	o.t.Helper()
	file = o.file("ec.pem", o.must(nil, "genpkey", "-quiet", "-algorithm", "EC", "-pkeyopt",
		"ec_paramgen_curve:"+curves[crv].name))
	var k struct { // RFC 5915 section 3
		Version    int
		Private    []byte
		Parameters asn1.ObjectIdentifier `asn1:"explicit,tag:0"`
		Public     asn1.BitString        `asn1:"explicit,tag:1"`
	}
	o.parse(o.must(nil, "ec", "-in", file, "-outform", "DER"), &k)
	size := len(k.Public.Bytes) / 2
	return file, object(map[string][]byte{"d": k.Private, "x": k.Public.Bytes[1 : 1+size],
		"y": k.Public.Bytes[1+size:]}, "kty", "EC", "crv", crv)
}

func (o *opensslTool) parse(der []byte, into any) {
	o.t.Helper()
	if rest, err := asn1.Unmarshal(der, into); err != nil || len(rest) != 0 {
		o.t.Fatalf("%x: %v", der, err)
	}
}

// public writes a file with the public half that the vault shows of a key (RFC 5280 section
// 4.1.2.7).
func (o *opensslTool) public(c *client, key string) string {
	o.t.Helper()
	shown := c.ok("GET", "/keys/"+key, "")
	member := func(name string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(shown.at("key", name).(string))
		if err != nil {
			o.t.Fatal(err)
		}
		return b
	}
	var content []byte
	algorithm := []any{asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 1}, asn1.NullRawValue}
	if crv, ok := shown.at("key", "crv").(string); ok {
		algorithm = []any{asn1.ObjectIdentifier{1, 2, 840, 10045, 2, 1}, curves[crv].oid}
		content = append(append([]byte{4}, member("x")...), member("y")...)
	} else {
		content = o.der([]any{new(big.Int).SetBytes(member("n")), new(big.Int).SetBytes(member("e"))})
	}
	der := o.der([]any{asn1.RawValue{FullBytes: o.der(algorithm)},
		asn1.BitString{Bytes: content, BitLength: 8 * len(content)}})
	return o.file(key+".pub", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// der is a sequence.
func (o *opensslTool) der(members []any) []byte {
	o.t.Helper()
	var content []byte
	for _, m := range members {
		b, err := asn1.Marshal(m)
		if err != nil {
			o.t.Fatal(err)
		}
		content = append(content, b...)
	}
	b, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSequence, IsCompound: true, Bytes: content})
	if err != nil {
		o.t.Fatal(err)
	}
	return b
}

// signature turns r and s, side by side, into OpenSSL's ECDSA-Sig-Value, and other signatures into
// themselves.
func (o *opensslTool) signature(alg string, raw []byte) []byte {
	if !strings.HasPrefix(alg, "ES") {
		return raw
	}
	half := len(raw) / 2
	return o.der([]any{new(big.Int).SetBytes(raw[:half]), new(big.Int).SetBytes(raw[half:])})
}

// raw is the inverse of signature.
func (o *opensslTool) raw(alg string, signature []byte, size int) []byte {
	if !strings.HasPrefix(alg, "ES") {
		return signature
	}
	var s struct{ R, S *big.Int }
	o.parse(signature, &s)
	return append(s.R.FillBytes(make([]byte, size)), s.S.FillBytes(make([]byte, size))...)
}

func signatureOptions(alg string) []string {
	options := []string{"-pkeyopt", fmt.Sprintf("digest:sha%d", 8*hashes[alg].Size())}
	if strings.HasPrefix(alg, "PS") {
		options = append(options, "-pkeyopt", "rsa_padding_mode:pss", "-pkeyopt",
			"rsa_pss_saltlen:digest")
	}
	return options
}
