package httpapi_test

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"keyquorum/internal/heavy"
	"keyquorum/internal/vectors"
)

// hashes are the algorithms that sign, with what a caller hashes by. An HMAC takes the message
// itself.
var hashes = map[string]crypto.Hash{
	"RS256": crypto.SHA256, "RS384": crypto.SHA384, "RS512": crypto.SHA512, "PS256": crypto.SHA256,
	"PS384": crypto.SHA384, "PS512": crypto.SHA512,
	"ES256": crypto.SHA256, "ES384": crypto.SHA384, "ES512": crypto.SHA512, "ES256K": crypto.SHA256,
	"HS256": 0, "HS384": 0, "HS512": 0,
}

// ciphers are the others.
var ciphers = strings.Fields("RSA-OAEP RSA-OAEP-256 RSA1_5 A128GCM A192GCM A256GCM A128KW A192KW A256KW " +
	"A128CBC A192CBC A256CBC A128CBCPAD A192CBCPAD A256CBCPAD")

// A prover imports the keys of vectors into a vault, each once, and counts what was proved with
// them.
type prover struct {
	*client
	names    map[string]string // of keys, by their JWK
	valid    map[string]int    // by algorithm
	invalid  map[string]int
	failures map[string]string // what the algorithm answers to what does not decrypt
	skipped  map[string]int    // by reason
}

func newProver(t *testing.T) *prover {
	return &prover{client: unsealed(t).application(t, "vectors", everything),
		names: map[string]string{}, valid: map[string]int{},
		invalid: map[string]int{}, failures: map[string]string{}, skipped: map[string]int{}}
}

// TestVectors proves every algorithm against published vectors: keys come in by the import, and are
// used over the wire.
func TestVectors(t *testing.T) {
	heavy.Test(t)
	p := newProver(t)
	for _, prove := range []func(){p.published, p.aes, p.hmac, p.rsaDecryption, p.threePrimes,
		p.rsaSignatures, p.jws} {
		prove()
	}
	for _, alg := range slices.Sorted(slices.Values(slices.AppendSeq(slices.Clone(ciphers),
		maps.Keys(hashes)))) {
		t.Logf("%-13s %3d valid, %3d invalid", alg, p.valid[alg], p.invalid[alg])
		if p.valid[alg] == 0 || p.invalid[alg] == 0 {
			t.Errorf("%s has no vector", alg)
		}
	}
	for _, why := range slices.Sorted(maps.Keys(p.skipped)) {
		t.Logf("%4d skipped: %s", p.skipped[why], why)
	}
}

// b64 is bytes as the wire has them.
func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// object is JSON with its bytes in base64url.
func object(members map[string][]byte, texts ...string) string {
	all := map[string]string{}
	for name, b := range members {
		all[name] = b64(b)
	}
	for i := 0; i < len(texts); i += 2 {
		all[texts[i]] = texts[i+1]
	}
	b, _ := json.Marshal(all)
	return string(b)
}

// imported is the name of a key in the vault.
func (p *prover) imported(jwk string) string {
	p.t.Helper()
	name, ok := p.names[jwk]
	if !ok {
		name = fmt.Sprintf("key%d", len(p.names))
		p.names[jwk] = name
		p.ok("PUT", "/keys/"+name, `{"key":`+jwk+`}`)
	}
	return name
}

// oct imports a symmetric key for whatever it can do.
func (p *prover) oct(key []byte) string {
	ops := `"sign","verify","encrypt","decrypt","wrapKey","unwrapKey"`
	return p.imported(`{"kty":"oct","k":"` + b64(key) + `","key_ops":[` + ops + `]}`)
}

// use asks for an operation. It answers nil when the vault refused, which must sound the same each
// time.
func (p *prover) use(op, key, alg string, members map[string][]byte) []byte {
	p.t.Helper()
	a := p.call("POST", "/keys/"+key+"/"+op, object(members, "alg", alg))
	switch {
	case a.status == 200:
		value, err := base64.RawURLEncoding.DecodeString(a.text("value"))
		if err != nil {
			p.t.Fatal(err)
		}
		return value
	case a.status != 400:
		p.t.Fatalf("%s %s: %d %s", op, alg, a.status, a.body)
	case op == "decrypt" || op == "unwrapKey":
		if said := p.failures[alg]; said != "" && said != a.body {
			p.t.Errorf("%s %s is refused with %s, and before with %s", op, alg, a.body, said)
		}
		p.failures[alg] = a.body
	}
	return nil
}

// undo wants a decryption or an unwrapping to give what a vector says, or nothing.
func (p *prover) undo(v *vectors.Vector, op, key, alg string, members map[string][]byte) {
	p.t.Helper()
	got := p.use(op, key, alg, members)
	if p.counts(v.Result, alg, got != nil) && (got == nil) != (v.Result == "invalid") || got != nil &&
		!bytes.Equal(got, v.Msg) {
		p.t.Errorf("%s, %d (%s, %s): %x, want %s", alg, v.ID, v.Comment, v.Flags, got, v.Result)
	}
}

// verdict wants a signature to be what a vector says, and a valid one to be none with a bit
// flipped.
func (p *prover) verdict(v *vectors.Vector, key, alg string, digest, signature []byte) {
	p.t.Helper()
	got := p.verified(key, alg, digest, signature)
	if p.counts(v.Result, alg, got) && got != (v.Result == "valid") {
		p.t.Errorf("%s, %d (%s, %s): verified %v, want %s", alg, v.ID, v.Comment, v.Flags, got, v.Result)
	}
	if v.Result == "valid" {
		p.invalid[alg]++
		if p.verified(key, alg, digest, flipped(signature)) {
			p.t.Errorf("%s, %d (%s): verified with a flipped bit", alg, v.ID, v.Comment)
		}
	}
}

func flipped(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 1
	return b
}

func (p *prover) verified(key, alg string, digest, signature []byte) bool {
	p.t.Helper()
	a := p.ok("POST", "/keys/"+key+"/verify",
		object(map[string][]byte{"digest": digest, "value": signature}, "alg", alg))
	return a.json["value"] == true
}

// counts counts a vector. false: either answer is right.
func (p *prover) counts(result, alg string, accepted bool) bool {
	switch result {
	case "valid":
		p.valid[alg]++
	case "invalid":
		p.invalid[alg]++
	default:
		p.skipped[fmt.Sprintf("%s may accept or refuse, and says %v", alg, accepted)]++
		return false
	}
	return true
}

func digestOf(alg string, message []byte) []byte {
	hash := hashes[alg]
	if hash == 0 {
		return message
	}
	h := hash.New()
	h.Write(message)
	return h.Sum(nil)
}

// published proves the examples of RFCs and of NIST's publications that have private keys
// (testdata/vectors.json; binary members are in base64url, and plain is a message where op is
// sign). fixed says that the algorithm has one answer.
func (p *prover) published() {
	b, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		p.t.Fatal(err)
	}
	var examples []struct {
		Source, Alg, Op string
		Fixed           bool
		Key             json.RawMessage
		Plain, Value    binary
		IV, AAD, Tag    binary
	}
	if err := json.Unmarshal(b, &examples); err != nil {
		p.t.Fatal(err)
	}
	undone := map[string]string{"encrypt": "decrypt", "wrapKey": "unwrapKey"}
	for _, x := range examples {
		if strings.HasPrefix(x.Alg, "HS") {
			x.Key = append(bytes.TrimSuffix(x.Key, []byte("}")), `,"key_ops":["sign","verify"]}`...)
		}
		key := p.imported(string(x.Key))
		plain := digestOf(x.Alg, x.Plain)
		if x.Op == "sign" {
			p.verdict(&vectors.Vector{Comment: x.Source, Result: "valid"}, key, x.Alg, plain, x.Value)
		} else {
			members := map[string][]byte{"value": x.Value, "iv": x.IV, "aad": x.AAD, "tag": x.Tag}
			p.undo(&vectors.Vector{Comment: x.Source, Msg: vectors.Hex(plain), Result: "valid"},
				undone[x.Op], key, x.Alg, members)
			members["value"] = flipped(x.Value)
			if got := p.use(undone[x.Op], key, x.Alg, members); bytes.Equal(got, plain) {
				p.t.Errorf("%s, %s: decrypts with a flipped bit", x.Source, x.Alg)
			}
			p.invalid[x.Alg]++
		}
		if x.Fixed {
			if got := p.use(x.Op, key, x.Alg,
				map[string][]byte{"value": plain, "iv": x.IV}); !bytes.Equal(got, x.Value) {
				p.t.Errorf("%s, %s: %x, want %x", x.Source, x.Alg, got, x.Value)
			}
		}
	}
}

// binary is bytes that JSON has in base64url.
type binary []byte

func (b *binary) UnmarshalText(text []byte) (err error) {
	*b, err = base64.RawURLEncoding.DecodeString(string(text))
	return err
}
