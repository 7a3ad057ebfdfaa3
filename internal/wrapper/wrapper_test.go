package wrapper_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"keyquorum/internal/wrapper"
	"keyquorum/testcluster"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func file(t testing.TB, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	check(t, os.WriteFile(path, []byte(content), 0o600))
	return path
}

func parse(t testing.TB, text string) wrapper.Key {
	t.Helper()
	_, key, err := wrapper.Parse(text)
	check(t, err)
	return key
}

var secret = bytes.Repeat([]byte{0xA7}, 32)

// requireWraps wraps and unwraps, twice, and refuses what was changed.
func requireWraps(t *testing.T, key wrapper.Key) (wrapped []byte) {
	t.Helper()
	ctx := t.Context()
	wrapped, err := key.Wrap(ctx, bytes.Clone(secret))
	check(t, err)
	if bytes.Contains(wrapped, secret) || len(wrapped) > 4096 {
		t.Errorf("%s wraps into %d bytes, perhaps in the clear", key.Kind(), len(wrapped))
	}
	opened, err := key.Unwrap(ctx, wrapped)
	if err != nil || !bytes.Equal(opened, secret) {
		t.Errorf("%s unwraps %x, %v", key.Kind(), opened, err)
	}
	changed := bytes.Clone(wrapped)
	changed[len(changed)/2] ^= 1
	for what, b := range map[string][]byte{"changed": changed, "cut": wrapped[:len(wrapped)/2],
		"nothing": nil} {
		if opened, err := key.Unwrap(ctx, b); err == nil && bytes.Equal(opened, secret) {
			t.Errorf("%s unwraps what was %s", key.Kind(), what)
		}
	}
	check(t, key.Check())
	return wrapped
}

func TestKeyFile(t *testing.T) {
	key := parse(t, "rig=keyfile:"+file(t, "k", strings.Repeat("0f", 32)+"\n"))
	wrapped := requireWraps(t, key)
	other := parse(t, "rig=keyfile:"+file(t, "k", strings.Repeat("f0", 32)))
	if _, err := other.Unwrap(t.Context(), wrapped); err == nil || key.About() == other.About() {
		t.Errorf("another key file: %v, %q", err, other.About())
	}
	for _, content := range []string{"", "0f", strings.Repeat("0g", 32), strings.Repeat("0f", 33)} {
		bad := parse(t, "rig=keyfile:"+file(t, "k", content))
		if err := bad.Check(); err == nil || content != "" && strings.Contains(err.Error(), content) {
			t.Errorf("a key file of %d characters: %v", len(content), err)
		}
	}
}

func TestAge(t *testing.T) {
	classic, err := age.GenerateX25519Identity()
	check(t, err)
	hybrid, err := age.GenerateHybridIdentity()
	check(t, err)
	for _, identity := range []fmt.Stringer{classic, hybrid} {
		key := parse(t, "spare=age:"+file(t, "i", "# a comment\n"+identity.String()+"\n"))
		wrapped := requireWraps(t, key)
		if len(key.About()) > 80 || strings.Contains(identity.String(), key.About()) {
			t.Errorf("about: %q", key.About())
		}
		again, err := age.GenerateX25519Identity()
		check(t, err)
		other := parse(t, "spare=age:"+file(t, "i", again.String()))
		if _, err := other.Unwrap(t.Context(), wrapped); err == nil {
			t.Error("another identity opens it")
		}
	}
	broken := strings.Replace(classic.String(), "A", "B", 1)
	if err := parse(t, "spare=age:"+file(t, "i", broken)).Check(); err == nil ||
		strings.Contains(err.Error(), broken[20:]) {
		t.Errorf("a broken identity: %v", err)
	}
}

// One Keyquorum wraps for another.
func TestKeyVault(t *testing.T) {
	v := testcluster.Start(t)
	keys, err := azkeys.NewClient(v.URL, v.Credential, &azkeys.ClientOptions{ClientOptions: v.Options})
	check(t, err)
	rsa, oct, size := azkeys.KeyTypeRSA, azkeys.KeyTypeOct, int32(256)
	_, err = keys.CreateKey(t.Context(), "root", azkeys.CreateKeyParameters{Kty: &rsa}, nil)
	check(t, err)
	_, err = keys.CreateKey(t.Context(), "oct", azkeys.CreateKeyParameters{Kty: &oct, KeySize: &size},
		nil)
	check(t, err)
	said := fmt.Sprintf("# of the seal\nAZURE_TENANT_ID=adfs\nAZURE_CLIENT_ID=%s\n"+
		"AZURE_CLIENT_SECRET=\"%s\"\nAZURE_AUTHORITY_HOST=%s\n", v.ClientID, v.ClientSecret, v.LoginURL)
	at := func(name, options string) wrapper.Key {
		return wrapper.Through(parse(t, "other=keyvault:"+v.URL+"/keys/"+name+"?credential="+
			file(t, "c", said)+options), v.HTTP)
	}
	requireWraps(t, at("oct", "&alg=A256KW"))
	key := at("root", "")
	wrapped := requireWraps(t, key)
	_, err = keys.RotateKey(t.Context(), "root", nil)
	check(t, err)
	if opened, err := key.Unwrap(t.Context(), wrapped); err != nil || !bytes.Equal(opened, secret) {
		t.Errorf("after the key was rotated: %v", err)
	}
	_, err = at("none", "").Wrap(t.Context(), secret)
	if err == nil || !strings.Contains(err.Error(), "the vault has answered 404") {
		t.Errorf("a key that is not there: %v", err)
	}
	said = strings.Replace(said, v.ClientSecret, "wrong", 1)
	_, err = at("root", "").Wrap(t.Context(), secret)
	if err == nil || !strings.Contains(err.Error(), "no token for the vault") ||
		strings.Contains(err.Error(), "\n") {
		t.Errorf("a wrong client secret: %v", err)
	}
}

// engine answers as a transit engine does: the ciphertext is the plaintext, reversed.
func engine(t *testing.T, token string) *httptest.Server {
	t.Helper()
	reversed := func(s string) string {
		b := []byte(s)
		for i, j := 0, len(b)-1; i < j; i, j = i+1, j-1 {
			b[i], b[j] = b[j], b[i]
		}
		return string(b)
	}
	serve := func(w http.ResponseWriter, r *http.Request) {
		var in struct{ Plaintext, Ciphertext string }
		_ = json.NewDecoder(r.Body).Decode(&in)
		answer := map[string]string{}
		switch {
		case r.Header.Get("X-Vault-Token") != token || r.Header.Get("X-Vault-Namespace") != "team":
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `{"errors":["permission denied"]}`)
			return
		case r.URL.Path == "/v1/deep/transit/encrypt/root":
			answer["ciphertext"] = "vault:v1:" + reversed(in.Plaintext)
		case r.URL.Path == "/v1/deep/transit/decrypt/root":
			answer["plaintext"] = reversed(strings.TrimPrefix(in.Ciphertext, "vault:v1:"))
		default:
			http.Redirect(w, r, "/v1/deep/transit/encrypt/root", http.StatusTemporaryRedirect)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"data": answer})
	}
	s := httptest.NewServer(http.HandlerFunc(serve))
	t.Cleanup(s.Close)
	return s
}

func TestTransit(t *testing.T) {
	s := engine(t, "s.good")
	at := func(name, token string) wrapper.Key {
		return parse(t, "bao=transit:"+s.URL+"/deep/transit/keys/"+name+"?namespace=team&token="+
			file(t, "t", token))
	}
	key := at("root", "s.good\n")
	requireWraps(t, key)
	if want := s.URL + "/deep/transit/keys/root"; key.About() != want {
		t.Errorf("about: %q", key.About())
	}
	for name, says := range map[string]string{"root": "403 Forbidden: permission denied",
		"other": "307"} {
		token := map[string]string{"root": "s.bad", "other": "s.good"}[name]
		_, err := at(name, token).Wrap(t.Context(), secret)
		if err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), token) {
			t.Errorf("%s with %s: %v", name, token, err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := key.Wrap(gone, secret); err == nil {
		t.Error("a call goes on when nobody waits for it")
	}
	if err := at("root", "").Check(); err == nil {
		t.Error("an empty token file")
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{
		"", "a", "a=keyfile", "a=keyfile:", "=keyfile:f", "A=keyfile:f", "a=none:f",
		strings.Repeat("a", 65) + "=keyfile:f",
		"a=keyvault:f", "a=keyvault:http://localhost/keys/k", "a=keyvault:https://v/keys",
		"a=keyvault:https://v/keys/k/version", "a=keyvault:https://u:p@v/keys/k",
		"a=keyvault:https://v/keys/k?alg=RSA1_5", "a=keyvault:https://v/keys/k?token=f",
		"a=transit:http://bao.example.org/transit/keys/k", "a=transit:https://bao/keys/k",
		"a=transit:https://bao/transit/k", "a=transit:https://bao/t/keys/k?token=a&token=b",
	} {
		if name, key, err := wrapper.Parse(text); err == nil || name != "" || key != nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Whatever a folder has in the place of what was wrapped, it is refused.
func FuzzUnwrap(f *testing.F) {
	identity, err := age.GenerateX25519Identity()
	check(f, err)
	rig := parse(f, "a=keyfile:"+file(f, "k", strings.Repeat("0f", 32)))
	spare := parse(f, "a=age:"+file(f, "i", identity.String()))
	vault := parse(f, "a=keyvault:https://127.0.0.1:1/keys/k?credential="+file(f, "c", "X=Y"))
	for _, key := range []wrapper.Key{rig, spare} {
		wrapped, err := key.Wrap(f.Context(), secret)
		check(f, err)
		f.Add(wrapped[:len(wrapped)-1])
	}
	f.Add([]byte(`{"alg":"A256KW","version":"1","value":""}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, key := range []wrapper.Key{rig, spare, vault} {
			if opened, err := key.Unwrap(t.Context(), b); err == nil {
				t.Errorf("%s opens %x: %d bytes", key.Kind(), b, len(opened))
			}
		}
	})
}
