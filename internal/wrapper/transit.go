package wrapper

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"strings"
)

// A transitKey is a key of the transit engine of a Vault or OpenBao. Two calls are all that it takes:
// their client libraries would bring more modules than this has lines, and follow redirects.
type transitKey struct {
	place
	mount, name string
}

// maxAnswer bounds what a transit engine answers, in bytes.
const maxAnswer = 64 << 10

// newTransit reads https://HOST/MOUNT/keys/NAME, with the options token, ca and namespace.
func newTransit(where string) (Key, error) {
	p, err := parsePlace(where, "token", "ca", "namespace")
	if err != nil {
		return nil, err
	}
	n := len(p.segments)
	if n > 0 && p.segments[0] == "v1" {
		p.segments, n = p.segments[1:], n-1
	}
	if n < 3 || p.segments[n-2] != "keys" {
		return nil, errors.New("a key of a transit engine is https://HOST/MOUNT/keys/NAME")
	}
	return transitKey{p, path.Join(p.segments[:n-2]...), p.segments[n-1]}, nil
}

func (transitKey) Kind() string { return "transit" }

func (k transitKey) About() string { return fmt.Sprintf("%s/%s/keys/%s", k.base, k.mount, k.name) }

func (k transitKey) Files() []string { return k.files("token") }

func (k transitKey) Check() error {
	if _, err := k.client(); err != nil {
		return err
	}
	token, err := k.token()
	clear(token)
	return err
}

// token is that of the file, or of the environment.
func (k transitKey) token() ([]byte, error) {
	file := k.options.Get("token")
	if file == "" {
		for _, name := range []string{"BAO_TOKEN", "VAULT_TOKEN"} {
			if token := os.Getenv(name); token != "" {
				return []byte(token), nil
			}
		}
		return nil, errors.New("there is no token: name its file with ?token=FILE, or set BAO_TOKEN")
	}
	text, err := readSecret(file)
	if err != nil {
		return nil, err
	}
	token := bytes.TrimSpace(text)
	if len(token) == 0 || bytes.ContainsAny(token, "\r\n") {
		return nil, fmt.Errorf("%s holds no token: one line", file)
	}
	return token, nil
}

// transitBody is what is sent and what comes back. What is in it is base64 on the wire.
type transitBody struct {
	Plaintext  []byte `json:"plaintext,omitempty"`
	Ciphertext string `json:"ciphertext,omitempty"`
}

func (k transitKey) Wrap(ctx context.Context, key []byte) ([]byte, error) {
	r, err := k.call(ctx, "encrypt", transitBody{Plaintext: key})
	if err == nil && r.Ciphertext == "" {
		err = errors.New("the transit engine gives no ciphertext")
	}
	return []byte(r.Ciphertext), err
}

func (k transitKey) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	r, err := k.call(ctx, "decrypt", transitBody{Ciphertext: string(wrapped)})
	if err != nil {
		return nil, err
	}
	return unwrapped(r.Plaintext)
}

func (k transitKey) call(ctx context.Context, verb string, in transitBody) (out transitBody,
	err error) {
	body, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	defer clear(body)
	token, err := k.token()
	if err != nil {
		return out, err
	}
	defer clear(token)
	client, err := k.client()
	if err != nil {
		return out, err
	}
	at := k.base.JoinPath("v1", k.mount, verb, k.name)
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, at.String(), bytes.NewReader(body))
	if err != nil {
		return out, err
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("X-Vault-Request", "true")
	q.Header.Set("X-Vault-Token", string(token))
	if namespace := k.options.Get("namespace"); namespace != "" {
		q.Header.Set("X-Vault-Namespace", namespace)
	}
	r, err := client.Do(q)
	if err != nil {
		return out, err
	}
	defer r.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(r.Body, maxAnswer))
	defer clear(answer)
	if err != nil {
		return out, err
	}
	if r.StatusCode != http.StatusOK {
		return out, fmt.Errorf("the transit engine has answered %s%s", r.Status, said(answer))
	}
	var data struct {
		Data transitBody `json:"data"`
	}
	if json.Unmarshal(answer, &data) != nil {
		return out, errors.New("the transit engine gives no JSON")
	}
	return data.Data, nil
}

// said is the first of the errors in an answer, in short.
func said(answer []byte) string {
	var refusal struct {
		Errors []string `json:"errors"`
	}
	if json.Unmarshal(answer, &refusal) != nil || len(refusal.Errors) == 0 {
		return ""
	}
	text := strings.ToValidUTF8(strings.Join(strings.Fields(refusal.Errors[0]), " "), "")
	return ": " + text[:min(len(text), 200)]
}
