package frontdoor

import (
	"bytes"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"path/filepath"
	"strings"
	"testing"
)

func importsKeys(t *testing.T, c *caller) {
	rsaKey, p256, p384, p521 := newKey(t, "RSA"), newKey(t, "P-256"), newKey(t, "P-384"), newKey(t,
		"P-521")
	withCertificate := append([]byte("Bag Attributes: none\n"), p384.pkcs8PEM(t)...)
	for name, row := range map[string]struct {
		key  keyPair
		file []byte
	}{
		"rsa-pkcs8-pem": {rsaKey, rsaKey.pkcs8PEM(t)},
		"rsa-pkcs1-pem": {rsaKey, rsaKey.oldPEM(t)},
		"rsa-jwk":       {rsaKey, asJSON(t, rsaKey.jwk(t))},
		"ec-pkcs8-der":  {p256, p256.pkcs8(t)},
		"ec-sec1-pem":   {p521, p521.oldPEM(t)},
		"ec-jwk":        {p384, asJSON(t, p384.jwk(t))},
		"ec-after-text": {p384, withCertificate},
	} {
		name = "imported-" + name
		o := c.object("key", "import", name, "--file", c.file(name, row.file), "--tag=a=b")
		if !asID(c.house.urls()[0], "keys", name).MatchString(o.ID) || o.Tags["a"] != "b" {
			t.Errorf("%s is %+v", name, o)
		}
		got, err := readPublic([]byte(c.ok("key", "download", name)))
		if err != nil || !bytes.Equal(got.publicDER(t), row.key.publicDER(t)) {
			t.Errorf("%s became another key (%v)", name, err)
		}
	}
	o := c.objectGiven(string(p256.pkcs8PEM(t)), "key", "import", "imported-hsm", "--file=-",
		"--hsm", "--ops=sign", "--expires=1h")
	if o.Type != "EC-HSM" || strings.Join(o.Operations, ",") != "sign" || o.Expires.IsZero() {
		t.Errorf("imported from standard input it is %+v", o)
	}
	importsWhatGoHasNoNameFor(t, c)
	c.refused(1, "which key", "key", "import", "imported-not")
}

// importsWhatGoHasNoNameFor: a key on secp256k1 (RFC 8812), and a symmetric one.
func importsWhatGoHasNoNameFor(t *testing.T,
	c *caller) { // The key 1: the public point is the curve's base point (SEC 2, section 2.4.1).
	x, _ := hex.DecodeString("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
	y, _ := hex.DecodeString("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8")
	jwk := map[string]string{
		"kty": "EC",
		"crv": "secp256k1",
		"x":   encoded(x),
		"y":   encoded(y),
		"d":   encoded(append(make([]byte, 31), 1)),
	}
	c.ok("key", "import", "imported-k1", "--file", c.file("k1.jwk", asJSON(t, jwk)))
	var got map[string]string
	if err := json.Unmarshal([]byte(c.ok("key", "download", "imported-k1", "--as=jwk")),
		&got); err != nil || got["crv"] != "secp256k1" || got["x"] != jwk["x"] ||
		got["y"] != jwk["y"] || got["d"] != "" {
		t.Errorf("downloaded it is %v (%v)", got, err)
	}
	der := c.ok("key", "download", "imported-k1", "--as=raw")
	if want := "3056301006072a8648ce3d020106052b8104000a03420004" + hex.EncodeToString(x) +
		hex.EncodeToString(y); hex.EncodeToString([]byte(der)) != want {
		t.Errorf("its DER is %x", der)
	}
	oct := map[string]string{"kty": "oct", "k": encoded(make([]byte, 32))}
	c.ok("key", "import", "imported-oct", "--hsm", "--file", c.file("oct.jwk", asJSON(t, oct)))
	c.refused(1, "symmetric key has no public part", "key", "download", "imported-oct")
	c.refused(1, "symmetric key has no public part", "key", "download", "imported-oct", "--as=jwk")
}

func downloadsKeys(t *testing.T, c *caller) {
	for _, kind := range []string{"RSA", "P-256", "P-384", "P-521"} {
		key, name := newKey(t, kind), "downloaded-"+kind
		one := c.object("key", "import", name, "--file", c.file(name, key.pkcs8PEM(t)))
		c.ok("key", "create", name, "--kty=EC") // another, newer version
		c.ok("key", "download", one.ID, "--file", name+".pem")
		if got, err := readPublic(c.read(name + ".pem")); err != nil || !bytes.Equal(got.publicDER(t),
			key.publicDER(t)) {
			t.Errorf("%s: the PEM is of another key (%v)", kind, err)
		}
		if der := c.ok("key", "download", one.ID, "--as=raw"); der != string(key.publicDER(t)) {
			t.Errorf("%s: the DER is %x", kind, der)
		}
		want := key.jwk(t)
		for _, member := range []string{"d", "p", "q", "dp", "dq", "qi"} {
			delete(want, member)
		}
		want["kid"] = one.ID
		var got map[string]string
		text := c.ok("key", "download", "akv://demo/"+name, "--version", one.Version, "--as=jwk")
		if err := json.Unmarshal([]byte(text), &got); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: the JWK is %v, want %v (%v)", kind, got, want, err)
		}
	}
	c.refused(1, "pem, jwk or raw", "key", "download", "downloaded-RSA", "--as=txt")
}

var hashOf = map[string]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384,
	"512": crypto.SHA512}

// signs has each algorithm, and judges by Go's crypto.
func signs(t *testing.T, c *caller) {
	text := strings.Repeat("a contract\n", 100_000) // more than a vault would take
	file := c.file("text", []byte(text))
	for kind, algorithms := range map[string][]string{
		"RSA":   {"", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512"},
		"P-256": {"", "ES256"},
		"P-384": {"", "ES384"},
		"P-521": {"ES512"},
	} {
		key, name := newKey(t, kind), "signs-"+kind
		one := c.object("key", "import", name, "--file", c.file(name, key.pkcs8PEM(t)))
		for _, algorithm := range algorithms {
			args := []string{"key", "sign", one.ID, "--file", file}
			if algorithm != "" {
				args = append(args, "--algorithm="+algorithm)
			}
			o := c.object(args...)
			if o.Key != one.ID || algorithm != "" && o.Algorithm != algorithm {
				t.Errorf("%s %s: it says %+v", kind, algorithm, o)
			}
			if err := key.verifies(o.Algorithm, hashOf[o.Algorithm[2:]], text, decoded(t,
				o.Result)); err != nil {
				t.Errorf("%s %s: %v", kind, o.Algorithm, err)
			}
		}
	}
	signsDigestsAndMessages(t, c, text)
}

func signsDigestsAndMessages(t *testing.T, c *caller, text string) {
	key := newKey(t, "P-256")
	c.ok("key", "import", "signs-digest", "--file", c.file("digest", key.pkcs8PEM(t)))
	digest := sha256.Sum256([]byte(text))
	for _, form := range []string{hex.EncodeToString(digest[:]), encoded(digest[:])} {
		c.ok("key", "sign", "signs-digest", "--digest="+form, "--out=signature-"+form[:4])
		err := key.verifies("ES256", crypto.SHA256, text, c.read("signature-"+form[:4]))
		if err != nil {
			t.Errorf("the digest %s: %v", form, err)
		}
	}
	c.refused(1, "20 bytes.*ES256 signs a digest of 32", "key", "sign", "signs-digest",
		"--digest="+hex.EncodeToString(digest[:20]))
	c.refused(1, "keys sign with ES256", "key", "sign", "signs-digest", "--algorithm=MD5",
		"--digest=00")

	k := []byte("0123456789abcdef0123456789abcdef")
	keepOut(encoded(k))
	jwk := map[string]string{"kty": "oct", "k": encoded(k)}
	c.ok("key", "import", "signs-hmac", "--hsm", "--file", c.file("hmac", asJSON(t, jwk)),
		"--ops=sign,verify")
	mac := hmac.New(sha256.New, k)
	mac.Write([]byte("a message"))
	if got := c.okGiven("a message", "key", "sign", "signs-hmac", "--algorithm=HS256",
		"--out=-"); got != string(mac.Sum(nil)) {
		t.Errorf("the HMAC is %x", got)
	}
	c.refusedGiven("a", 1, "say with --algorithm how", "key", "sign", "signs-hmac")
}

// verifies signatures that Go's crypto has made, and refuses others with exit code 3.
func verifies(t *testing.T, c *caller) {
	key := newKey(t, "P-256")
	c.ok("key", "import", "verifies", "--file", c.file("key", key.pkcs8PEM(t)))
	signature := key.signs(t, "a contract")
	file := c.file("signature", signature)
	o := c.objectGiven("a contract", "key", "verify", "verifies", "--signature-file", file)
	if !o.Valid || o.Algorithm != "ES256" {
		t.Errorf("a good signature: %+v", o)
	}
	if out := c.okGiven("a contract", "key", "verify", "verifies",
		"--signature="+encoded(signature), "--algorithm=ES256", "-q"); out != "true\n" {
		t.Errorf("-q prints %q", out)
	}
	signature[3] ^= 1
	for _, args := range [][]string{{"--signature-file", file, "--digest=" + strings.Repeat("00",
		32)}, {"--signature=" + encoded(signature), "--file", c.file("text", []byte("a contract"))}} {
		o := c.call(append([]string{"key", "verify", "verifies"}, args...)...)
		if o.code != 3 || !strings.Contains(o.stdout, "no") || strings.Count(o.stderr, "\n") != 1 ||
			!strings.Contains(o.stderr, "does not verify") {
			t.Errorf("%v: exit code %d, %s%s", args, o.code, o.stdout, o.stderr)
		}
	}
	c.refused(1, "which signature", "key", "verify", "verifies", "--digest=00")
	c.refused(1, "give one of them", "key", "verify", "verifies", "--signature=AA",
		"--signature-file=x")
}

// encrypts for whoever holds the private key, here Go's crypto.
func encrypts(t *testing.T, c *caller) {
	key, text := newKey(t, "RSA"), private()
	c.ok("key", "import", "encrypts", "--file", c.file("key", key.pkcs8PEM(t)))
	c.okGiven(text, "key", "encrypt", "encrypts", "--out=sealed")
	got, err := rsa.DecryptOAEP(sha256.New(), rand.Reader, key.rsa, c.read("sealed"), nil)
	if err != nil || string(got) != text {
		t.Errorf("it decrypts to %q (%v)", got, err)
	}
	k := []byte("fedcba9876543210fedcba9876543210")
	jwk := map[string]string{"kty": "oct", "k": encoded(k)}
	c.ok("key", "import", "encrypts-gcm", "--hsm", "--file", c.file("gcm", asJSON(t, jwk)))
	o := c.objectGiven(text, "key", "encrypt", "encrypts-gcm", "--algorithm=A256GCM", "--aad",
		encoded([]byte("to whom")))
	block, err := aes.NewCipher(k)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	got, err = gcm.Open(nil, decoded(t, o.IV), append(decoded(t, o.Result), decoded(t,
		o.AuthTag)...), []byte("to whom"))
	if err != nil || string(got) != text || o.Algorithm != "A256GCM" {
		t.Errorf("%+v decrypts to %q (%v)", o, got, err)
	}
	if got := c.ok("key", "decrypt", "encrypts-gcm", "--algorithm=A256GCM", "--value", o.Result,
		"--iv", o.IV, "--auth-tag", o.AuthTag, "--aad", o.AAD); got != text {
		t.Errorf("the vault decrypts it to %q", got)
	}
	c.refusedGiven(text, 1, "say with --algorithm how", "key", "encrypt", "encrypts-gcm")
}

// decrypts what Go's crypto has encrypted.
func decrypts(t *testing.T, c *caller) {
	key, text := newKey(t, "RSA"), "line\n"+private()+"\n"
	one := c.object("key", "import", "decrypts", "--file", c.file("key", key.pkcs8PEM(t)))
	sealed, err := rsa.EncryptOAEP(sha256.New(), rand.Reader, &key.rsa.PublicKey, []byte(text), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"--file", c.file("sealed", sealed)}, {"--value",
		encoded(sealed)}, {"--file", c.file("sealed", sealed), "--out=-"}} {
		if got := c.ok(append([]string{"key", "decrypt", "decrypts"}, args...)...); got != text {
			t.Errorf("%v gives %q", args, got)
		}
	}
	o := c.objectGiven(string(sealed), "key", "decrypt", one.ID)
	if string(decoded(t, o.Result)) != text || o.Key != one.ID || o.Algorithm != "RSA-OAEP-256" {
		t.Errorf("as JSON it is %+v", o)
	}
	sealed[9] ^= 1
	c.refused(2, `\(400\)`, "key", "decrypt", "decrypts", "--value", encoded(sealed))
	c.refused(1, "--value is not base64url", "key", "decrypt", "decrypts", "--value=!")
}

func wraps(t *testing.T, c *caller) {
	name := strings.ReplaceAll(filepath.Base(t.Name()), "_", "-")
	key, data := newKey(t, "RSA"), make([]byte, 32)
	_, _ = rand.Read(data)
	c.ok("key", "import", name, "--file", c.file("key", key.pkcs8PEM(t)))
	plain := c.file("data", data)
	c.ok("key", "wrap", name, "--file", plain, "--out=wrapped")
	got, err := rsa.DecryptOAEP(sha256.New(), rand.Reader, key.rsa, c.read("wrapped"), nil)
	if err != nil || !bytes.Equal(got, data) {
		t.Errorf("wrapped it is %x (%v)", got, err)
	}
	c.ok("key", "unwrap", name, "--file=wrapped", "--out=unwrapped")
	if !bytes.Equal(c.read("unwrapped"), data) {
		t.Errorf("unwrapped it is %x", c.read("unwrapped"))
	}
	c.ok("key", "create", name+"-kw", "--kty=oct-HSM", "--size=256")
	o := c.objectGiven(string(data), "key", "wrap", name+"-kw", "--algorithm=A256KW")
	if out := c.ok("key", "unwrap", name+"-kw", "--algorithm=A256KW", "--value",
		o.Result); out != string(data) || len(decoded(t, o.Result)) != len(data)+8 {
		t.Errorf("A256KW: %x from %+v", out, o)
	}
	ec := newKey(t, "P-256")
	c.ok("key", "import", name+"-ec", "--file", c.file("ec", ec.pkcs8PEM(t)))
	c.refusedGiven("x", 1, "an EC key does neither", "key", "wrap", name+"-ec")
}
