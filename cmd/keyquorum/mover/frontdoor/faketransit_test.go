package frontdoor

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A fakeKey is a key of transit.
type fakeKey struct {
	kind       string
	exportable bool
	derived    bool
	versions   []any // private keys, or the bytes of symmetric ones
}

func (m *fakeMount) transit(w http.ResponseWriter, r *http.Request, rest string) {
	parts := strings.Split(rest, "/")
	what := parts[0]
	switch {
	case what == "keys" && r.URL.Query().Get("list") == "true":
		give(w, map[string]any{"keys": slices.Sorted(maps.Keys(m.keys))})
	case what == "keys" && r.Method == http.MethodPost && len(parts) == 2:
		m.create(w, r, parts[1])
	case what == "keys" && r.Method == http.MethodPost && parts[2] == "rotate":
		k := m.keys[parts[1]]
		k.versions = append(k.versions, generate(k.kind))
		w.WriteHeader(http.StatusNoContent)
	case m.keys[parts[len(parts)-1]] == nil && what != "export":
		refuse(w, http.StatusNotFound)
	case what == "keys":
		give(w, m.keys[parts[1]].describe(parts[1]))
	case what == "encrypt":
		m.keys[parts[1]].encrypt(w, r)
	case what == "export" && len(parts) == 4:
		m.keys[parts[2]].export(w, parts[1], parts[3])
	default:
		refuse(w, http.StatusNotFound)
	}
}

func (m *fakeMount) create(w http.ResponseWriter, r *http.Request, name string) {
	k := &fakeKey{kind: "aes256-gcm96"}
	members := body(r)
	_ = json.Unmarshal(members["type"], &k.kind)
	_ = json.Unmarshal(members["exportable"], &k.exportable)
	_ = json.Unmarshal(members["derived"], &k.derived)
	k.versions = []any{generate(k.kind)}
	m.keys[name] = k
	give(w, k.describe(name))
}

func generate(kind string) any {
	random := func(n int) []byte {
		b := make([]byte, n)
		_, _ = rand.Read(b)
		return b
	}
	var key any
	var err error
	switch kind {
	case "rsa-2048":
		key, err = rsa.GenerateKey(rand.Reader, 2048)
	case "ecdsa-p256":
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ecdsa-p384":
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ecdsa-p521":
		key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "ed25519":
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case "aes128-gcm96":
		key = random(16)
	default:
		key = random(32)
	}
	if err != nil {
		panic(err)
	}
	return key
}

// describe has of a symmetric key the moment of each version, of another its public part too, and
// of hmac no versions at all.
func (k *fakeKey) describe(name string) map[string]any {
	versions := map[string]any{}
	for i, private := range k.versions {
		n, now := strconv.Itoa(i+1), time.Now()
		signer, ok := private.(crypto.Signer)
		if !ok {
			versions[n] = now.Unix()
			continue
		}
		der, _ := x509.MarshalPKIXPublicKey(signer.Public())
		versions[n] = map[string]any{"creation_time": now, "name": k.kind,
			"public_key": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))}
	}
	data := map[string]any{"name": name, "type": k.kind, "exportable": k.exportable,
		"derived": k.derived, "latest_version": len(k.versions), "min_available_version": 0,
		"min_decryption_version": 1, "min_encryption_version": 0, "keys": versions}
	if k.kind == "hmac" {
		delete(data, "keys")
		data["key_size"] = 32
	}
	return data
}

// export has a key as transit does by default: PKCS #1, SEC 1, base64.
func (k *fakeKey) export(w http.ResponseWriter, kind, version string) {
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || n > len(k.versions) || !k.exportable {
		refuse(w, http.StatusBadRequest, "private key material is not exportable")
		return
	}
	var text, fits string
	switch private := k.versions[n-1].(type) {
	case *rsa.PrivateKey:
		fits = "encryption-key signing-key"
		text = string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY",
			Bytes: x509.MarshalPKCS1PrivateKey(private)}))
	case *ecdsa.PrivateKey:
		fits = "signing-key"
		der, _ := x509.MarshalECPrivateKey(private)
		text = strings.TrimSpace(string(pem.EncodeToMemory(
			&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})))
	case []byte:
		fits = "encryption-key"
		if k.kind == "hmac" {
			fits = "hmac-key"
		}
		text = base64.StdEncoding.EncodeToString(private)
	}
	if !slices.Contains(strings.Fields(fits), kind) {
		refuse(w, http.StatusBadRequest, "encryption not supported for the key")
		return
	}
	give(w, map[string]any{"type": k.kind, "keys": map[string]string{version: text}})
}

// encrypt is AES-GCM with a nonce of 96 bits in front, in base64 after the key's version.
func (k *fakeKey) encrypt(w http.ResponseWriter, r *http.Request) {
	var text string
	_ = json.Unmarshal(body(r)["plaintext"], &text)
	plain, _ := base64.StdEncoding.DecodeString(text)
	n := len(k.versions)
	cipherOf, err := aes.NewCipher(k.versions[n-1].([]byte))
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(cipherOf)
	if err != nil {
		panic(err)
	}
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	give(w, map[string]any{"ciphertext": fmt.Sprintf("vault:v%d:%s", n,
		base64.StdEncoding.EncodeToString(gcm.Seal(nonce, nonce, plain, nil)))})
}
