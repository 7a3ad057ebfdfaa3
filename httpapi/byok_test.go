package httpapi_test

import (
	"bytes"
	"context"
	"encoding/hex"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestBringYourOwnKey runs the lines of docs/bring-your-own-key.md, word for word, in front of a
// node. The key is made and wrapped by OpenSSL alone.
func TestBringYourOwnKey(t *testing.T) {
	for _, tool := range []string{"curl", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s on this machine", tool)
		}
	}
	o := newOpenSSL(t)
	s := unsealed(t)
	c := s.application(t, "byok", everything)
	server := httptest.NewTLSServer(s.h)
	defer server.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "https://"), ":")
	host, _, _ := strings.Cut(c.host, ":")
	login, _, _ := strings.Cut(loginHost, ":")
	// The page has a node with a certificate and names that resolve.
	o.file(".curlrc", []byte("insecure\nresolve = "+host+":"+port+":127.0.0.1\nresolve = "+login+":"+
		port+":127.0.0.1\n"))

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", page(t))
	cmd.Dir = o.dir
	cmd.Env = append(os.Environ(), "VAULT=https://"+host+":"+port, "LOGIN=https://"+login+":"+port,
		"ZONE=vault.localhost",
		"CLIENT_ID="+c.id, "CLIENT_SECRET="+c.secret, "CURL_HOME="+o.dir)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Verified OK") {
		t.Fatalf("%v:\n%s", err, out)
	}
	imported, err := os.ReadFile(filepath.Join(o.dir, "import.json"))
	if err != nil {
		t.Fatal(err)
	}
	for kty, status := range map[string]int{"RSA": 200, "EC": 400,
		"oct": 400} { // the blob holds what it holds
		a := c.call("PUT", "/keys/again", strings.Replace(string(imported), "RSA-HSM", kty, 1))
		if a.status != status {
			t.Errorf("the same key as %s: %d %s", kty, a.status, a.body)
		}
		if kty == "EC" && !strings.Contains(a.body, "of the type that the request says") {
			t.Errorf("an RSA key as EC is refused with %s", a.body)
		}
	}
}

// What else comes in wrapped: OpenSSL makes and wraps it as the page says, and it does what it did
// outside.
func TestWrappedKeysOfEachType(t *testing.T) {
	p, o := newProver(t), newOpenSSL(t)
	kid, _ := p.ok("POST", "/keys/exchange/create", `{"kty":"RSA","key_ops":["import"]}`).at("key",
		"kid").(string)
	public := o.public(p.client, "exchange")
	wrapped := func(kty string, plain []byte) string {
		kek := randomBytes(32)
		ciphertext := slices.Concat(o.must(kek, "pkeyutl", "-encrypt", "-pubin", "-inkey", public,
			"-pkeyopt", "rsa_padding_mode:oaep"),
			o.must(plain, "enc", "-e", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K",
				hex.EncodeToString(kek)))
		blob := `{"schema_version":"1.0.0","header":{"kid":"` + kid +
			`","alg":"dir","enc":"CKM_RSA_AES_KEY_WRAP"},"ciphertext":"` + b64(ciphertext) + `"}`
		return `{"key":{"kty":"` + kty + `","key_ops":["sign","verify"],"key_hsm":"` + b64([]byte(blob)) +
			`"}}`
	}
	for _, crv := range []string{"P-256", "P-384", "P-521", "P-256K"} {
		file, _ := o.newEC(crv)
		a := p.call("PUT", "/keys/"+crv,
			wrapped("EC", o.must(nil, "pkcs8", "-topk8", "-nocrypt", "-in", file, "-outform", "DER")))
		if a.status != 200 || a.at("key", "crv") != crv {
			t.Fatalf("%s: %d %s", crv, a.status, a.body)
		}
		if !bytes.Equal(o.must(nil, "pkey", "-in", file, "-pubout"),
			o.must(nil, "pkey", "-pubin", "-in", o.public(p.client, crv))) {
			t.Errorf("%s: another key came in", crv)
		}
	}
	secret := randomBytes(32)
	p.ok("PUT", "/keys/secret", wrapped("oct", secret))
	theirs := o.must([]byte("message"), "dgst", "-sha256", "-mac", "HMAC", "-macopt",
		"hexkey:"+hex.EncodeToString(secret), "-binary")
	if !p.verified("secret", "HS256", []byte("message"), theirs) {
		t.Error("another symmetric key came in")
	}
}

// page is the page's blocks that begin with "```sh byok", as one script.
func page(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/bring-your-own-key.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, match := range regexp.MustCompile("(?ms)^```sh byok\n(.*?)^```$").FindAllSubmatch(text,
		-1) {
		script.Write(match[1])
	}
	if script.Len() == 0 {
		t.Fatal("the page has no lines to run")
	}
	return script.String()
}
