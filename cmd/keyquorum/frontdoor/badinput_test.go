package frontdoor

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestNamesAndVaultsThatAreWrong say what is wanted.
func TestNamesAndVaultsThatAreWrong(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	none := c.set("KEYQUORUM_VAULT_URLS", "")
	for _, row := range []struct {
		code int
		says string
		args []string
		by   *caller
	}{
		{1, "1 to 127 letters, digits and hyphens", []string{"secret", "show", "two words"}, c},
		{1, "1 to 127 letters", []string{"key", "create", strings.Repeat("a", 128)}, c},
		{1, "akv://vault/name", []string{"secret", "show", "akv://demo"}, c},
		{1, "32 hexadecimal digits", []string{"secret", "show", "akv://demo/a/latest"}, c},
		{1, "list-versions shows them", []string{"secret", "show", "a", "--version=1"}, c},
		{1, "names another version already", []string{"secret", "show",
			"akv://demo/a/0123456789abcdef0123456789abcdef",
			"--version=fedcba9876543210fedcba9876543210"}, c},
		{1, "3 to 24 letters", []string{"secret", "list", "--vault=no vault"}, c},
		{1, "https://vault.zone", []string{"secret", "list", "--vault=https://demo/"}, c},
		{1, "which vault\\? Say --vault with its URL", []string{"secret", "list"}, none},
		{1, "where is vault demo\\?", []string{"secret", "list", "--vault=demo"}, none},
		{2, `\(404\); look at the vault's name, or make it: keyquorum vault create nowhere`,
			[]string{"secret", "list", "--vault=nowhere"}, c},
		{1, `has no command "recoverr" .did you mean recover`, []string{"secret", "recoverr"}, c},
		{1, "secret show takes 1 argument, and was given 0", []string{"secret", "show"}, c},
		{1, "unknown flag: --nonsense; see keyquorum secret show --help",
			[]string{"secret", "show", "a", "--nonsense"}, c},
		{2, `\(404\); keyquorum secret list --vault demo`, []string{"secret", "show", "never-was"}, c},
		{2, `\(404\); keyquorum key list --vault demo`,
			[]string{"key", "sign", "never-was", "--algorithm=ES256"}, c},
		{1, "--expires: \"soon\" is no time", []string{"secret", "set", "a", "--expires=soon"}, c},
		{1, "a tag is NAME=VALUE", []string{"secret", "set", "a", "--tag=x"}, c},
	} {
		row.by.refused(row.code, row.says, row.args...)
	}
}

// TestValuesAtTheirBounds: 25,600 bytes are taken and one more is not, wherever they come from.
func TestValuesAtTheirBounds(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	most := private()
	most += strings.Repeat("\n", 25_600-len(most))
	c.setSecret("most", most)
	if c.value("most") != most || c.rawSecret("most").Value != most {
		t.Error("25,600 bytes became others")
	}
	more := c.file("more", []byte(most+"x"))
	c.refusedGiven(most+"x", 1, "standard input holds more than 25600 bytes", "secret", "set", "more")
	c.refused(1, "more holds more than 25600 bytes", "secret", "set", "more", "--file", more)
	coded := bytes.Repeat([]byte{0xff}, 19_200)
	c.setSecret("most-coded", string(coded), "--encoding=base64")
	if c.ok("secret", "download", "most-coded") != string(coded) {
		t.Error("19,200 bytes became others")
	}
	c.refusedGiven(string(coded)+"x", 1, "25604 bytes, and a secret holds 25600 at most", "secret",
		"set", "more", "--encoding=base64")
	c.refusedGiven("\xff\xfe", 1, "no text .UTF-8.; --encoding=base64", "secret", "set", "more")
	c.refusedGiven("x", 1, "it is utf-8 or base64", "secret", "set", "more", "--encoding=hex")
	c.refused(1, "give one of them", "secret", "set", "more", "--value=a", "--file=b")
	c.refused(1, "nothing: no such file", "secret", "set", "more", "--file=nothing")
	c.refused(1, "is a directory", "secret", "set", "more", "--file", c.dir)
	c.refused(2, `\(404\)`, "secret", "show", "more")
	for name, value := range map[string]string{"empty": "", "zero": "a\x00b", "breaks": "\r\n\r\n"} {
		c.setSecret("value-"+name, value)
		if got := c.value("value-" + name); got != value {
			t.Errorf("%q became %q", value, got)
		}
	}
	if got := c.ok("secret", "show", "value-empty"); !strings.Contains(got, "(empty)") {
		t.Errorf("an empty value is shown as %s", got)
	}
}

// TestFilesThatAreNoKey say what the file is, and show nothing of it.
func TestFilesThatAreNoKey(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	ec, other := newKey(t, "P-256"), private()
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(edwards)
	if err != nil {
		t.Fatal(err)
	}
	block := func(kind string, der []byte) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
	}
	public := ec.jwk(t)
	delete(public, "d")
	for name, row := range map[string]struct {
		file []byte
		says string
	}{
		"empty":       {nil, "it is empty"},
		"text":        {[]byte(other), "it holds no key: a key is PEM, PKCS #8 or JWK"},
		"json":        {[]byte(`{"value":"` + other + `"}`), `no JWK: it has no "kty"`},
		"broken-json": {[]byte(`{"kty":"` + other), "it is JSON, and no JWK"},
		"public-pem":  {block("PUBLIC KEY", ec.publicDER(t)), "only a public key or a certificate"},
		"certificate": {newAuthority(t).pem(), "only a public key or a certificate"},
		"public-jwk":  {asJSON(t, public), "without its private members"},
		"okp-jwk":     {[]byte(`{"kty":"OKP","d":"` + other + `"}`), "RSA, EC and oct are taken"},
		"encrypted":   {block("ENCRYPTED PRIVATE KEY", []byte(other)), "decrypt it first"},
		"ed25519":     {block("PRIVATE KEY", der), "a vault takes RSA and EC"},
		"broken-pem":  {block("PRIVATE KEY", []byte(other)), "private key cannot be read"},
		"cut-pem":     {ec.pkcs8PEM(t)[:80], "it holds no private key in PEM"},
		"large":       {bytes.Repeat([]byte(other), 65_536), "holds more than 65536 bytes"},
	} {
		c.refused(1, name+".*"+row.says, "key", "import", "no-key", "--file", c.file(name, row.file))
	}
	c.refused(1, "nothing: no such file", "key", "import", "no-key", "--file=nothing")
	c.refused(2, `\(404\)`, "key", "show", "no-key")
}

// TestKeysOfTheWrongType are refused by name, with what would do.
func TestKeysOfTheWrongType(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	c.ok("key", "create", "wrong-ec", "--kty=EC")
	c.ok("key", "create", "wrong-verifies", "--kty=EC", "--ops=verify")
	c.ok("key", "create", "wrong-oct", "--kty=oct-HSM", "--size=256")
	for _, row := range []struct {
		code int
		says string
		args []string
	}{
		{2, `\(400\); keyquorum key show wrong-ec --vault demo says what it is`,
			[]string{"sign", "wrong-ec", "--algorithm=PS256"}},
		{2, `\(400\)`, []string{"sign", "wrong-ec", "--algorithm=ES384"}},
		{2, `\(403\); keyquorum key show wrong-verifies`, []string{"sign", "wrong-verifies"}},
		{2, `encrypt is not permitted on this key \(403\)`,
			[]string{"encrypt", "wrong-ec", "--algorithm=RSA-OAEP-256"}},
		{1, "say with --algorithm how", []string{"encrypt", "wrong-ec"}},
		{2, `\(400\)`, []string{"encrypt", "wrong-oct", "--algorithm=nonsense"}},
		{1, "keys sign with", []string{"sign", "wrong-ec", "--algorithm=nonsense"}},
	} {
		c.refusedGiven("text", row.code, row.says, append([]string{"key"}, row.args...)...)
	}
	c.refused(2, `\(400\)`, "key", "create", "wrong-curve", "--kty=EC", "--curve=P-257")
	c.refused(2, `\(400\)`, "key", "create", "wrong-ops", "--kty=EC", "--ops=encrypt")
}

// TestFilesThatAreTooLarge are refused before they are read.
func TestFilesThatAreTooLarge(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	large := c.file("large", nil)
	if err := os.Truncate(large, 1<<40); err != nil {
		t.Logf("a file of a terabyte cannot be made here (%v): one of 64 MB is tried", err)
		if err := os.Truncate(large, 64<<20); err != nil {
			t.Fatal(err)
		}
	}
	for _, verb := range []string{"secret set a", "key import a", "secret restore", "key restore",
		"key encrypt a --algorithm=A256GCM"} {
		c.refused(1, "large holds more than", append(strings.Fields(verb), "--file", large)...)
	}
}

// TestWhoMayNotIsTold who can grant it, whatever else is wrong.
func TestWhoMayNotIsTold(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	c.setSecret("granted", private())
	weak := c.application("reader", "-secrets=get")
	weak.ok("secret", "show", "granted")
	for _, args := range []string{"secret list", "secret delete granted", "secret set never",
		"key create never", "key list", "secret purge never", "key random 3"} {
		kind, _, _ := strings.Cut(args, " ")
		weak.refused(2, `\(403\); an operator grants it: keyquorum grant set demo APP --`+kind+"s …",
			strings.Fields(args)...)
	}
}

// application is a caller that is another application, with what it was granted in the vault demo.
func (c *caller) application(name string, grant ...string) *caller {
	c.t.Helper()
	c.ok("app", "create", name)
	if len(grant) > 0 {
		c.ok(append([]string{"grant", "set", "demo", name}, grant...)...)
	}
	id, secret := c.credential(name)
	other := c.house.caller(c.t)
	return other.set("AZURE_CLIENT_ID", id).set("AZURE_CLIENT_SECRET", secret)
}

// credential adds one to an application.
func (c *caller) credential(name string, more ...string) (id, secret string) {
	c.t.Helper()
	args := append([]string{"app", "credential", "add", name, "-format=json"}, more...)
	var made struct {
		ID     string `json:"client_id"`
		Secret string
	}
	text := c.ok(args...)
	if err := json.Unmarshal([]byte(text), &made); err != nil || made.Secret == "" {
		c.t.Fatalf("%v prints %s (%v)", args, text, err)
	}
	keepCredentialOut(made.Secret)
	return made.ID, made.Secret
}

// TestWhoCallsIsTold what is missing, and what is wrong, without its secret.
func TestWhoCallsIsTold(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	wrong := nobodys()
	for says, by := range map[string]*caller{
		"who calls\\? Set AZURE_AUTHORITY_HOST.* or run keyquorum login": c.set("AZURE_CLIENT_ID", "").
			set("AZURE_CLIENT_SECRET", ""),
		"set AZURE_CLIENT_ID and AZURE_TENANT_ID too": c.set("AZURE_TENANT_ID", ""),
	} {
		by.refused(1, says, "secret", "list")
	}
	for says, by := range map[string]*caller{
		"no token from login.localhost:.*; look at AZURE_CLIENT_ID and its secret, which may": c.set(
			"AZURE_CLIENT_SECRET", wrong),
		"no token from .*not found.*look at AZURE_CLIENT_ID": c.set("AZURE_CLIENT_ID",
			"00000000-0000-4000-8000-000000000000"),
	} {
		by.refused(2, says, "secret", "list")
	}
}

// TestWrongAuthorities are named, and how to name the right one.
func TestWrongAuthorities(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	other := c.file("other.pem", newAuthority(t).pem())
	c.set("KEYQUORUM_CACERT", other).refused(2,
		"unknown authority; say with --ca-cert .KEYQUORUM_CACERT. which authority", "secret", "list")
	c.refused(2, "unknown authority; say with --ca-cert", "secret", "list", "--ca-cert", other)
	c.refused(1, "CA file: .*nothing: no such file.*--ca-cert", "secret", "list", "--ca-cert=nothing")
	text := c.file("text", []byte("x"))
	c.refused(1, "holds no PEM certificate", "secret", "list", "--ca-cert", text)
	if entries, err := filepath.Glob(filepath.Join(c.home, "*")); err != nil || len(entries) != 0 {
		t.Errorf("it left %v at home (%v)", entries, err)
	}
}
