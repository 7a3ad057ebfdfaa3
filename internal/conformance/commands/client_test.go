package commands_test

import (
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

// A session is one of the two clients, of one node and with one token. The other is nil.
type session struct {
	bao   *bao.Client
	vault *vault.Client
}

// clients are the columns of the table.
var clients = []string{"OpenBao", "Vault"}

// newSession makes a client that takes nothing from the machine's environment.
func newSession(client, address, token string, through http.RoundTripper) (session, error) {
	once := &http.Client{Transport: through, Timeout: time.Minute}
	if client == clients[0] {
		config := bao.DefaultConfig()
		config.Address, config.HttpClient, config.MaxRetries = address, once, 0
		b, err := bao.NewClient(config)
		if err != nil {
			return session{}, err
		}
		b.SetToken(token)
		return session{bao: b}, nil
	}
	config := vault.DefaultConfig()
	config.Address, config.HttpClient, config.MaxRetries = address, once, 0
	v, err := vault.NewClient(config)
	if err != nil {
		return session{}, err
	}
	v.SetToken(token)
	return session{vault: v}, nil
}

// forgetEnvironment takes away what both clients would read.
func forgetEnvironment(t *testing.T) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "BAO_") || strings.HasPrefix(name, "VAULT_") {
			t.Setenv(name, "")
		}
	}
}

// A call is made by either client's own method for it, and gives what that has decoded.
type call func(s *scene, at session) (any, error)

// get is a call without a body.
func get[B, V any](b func(*bao.Sys) (B, error), v func(*vault.Sys) (V, error)) call {
	return func(_ *scene, at session) (any, error) {
		if at.bao != nil {
			return b(at.bao.Sys())
		}
		return v(at.vault.Sys())
	}
}

// do is a call that answers nothing.
func do(b func(*bao.Sys) error, v func(*vault.Sys) error) call {
	return func(_ *scene, at session) (any, error) {
		if at.bao != nil {
			return nil, b(at.bao.Sys())
		}
		return nil, v(at.vault.Sys())
	}
}

// give is a call with one argument.
func give[A, B, V any](argument func(*scene) A, b func(*bao.Sys, A) (B, error),
	v func(*vault.Sys, A) (V, error)) call {
	return func(s *scene, at session) (any, error) {
		if at.bao != nil {
			return b(at.bao.Sys(), argument(s))
		}
		return v(at.vault.Sys(), argument(s))
	}
}

// share is a call with a share and a nonce.
func share[B, V any](key, nonce func(*scene) string,
	b func(*bao.Sys, string, string) (B, error),
	v func(*vault.Sys, string, string) (V, error)) call {
	return func(s *scene, at session) (any, error) {
		if at.bao != nil {
			return b(at.bao.Sys(), key(s), nonce(s))
		}
		return v(at.vault.Sys(), key(s), nonce(s))
	}
}

// each is a call whose body has a type of the client's own.
func each(b func(s *scene, on *bao.Client) (any, error),
	v func(s *scene, on *vault.Client) (any, error)) call {
	return func(s *scene, at session) (any, error) {
		if at.bao != nil {
			return b(s, at.bao)
		}
		return v(s, at.vault)
	}
}

// baos is a call that Vault's client has not.
func baos[B any](b func(s *scene, on *bao.Sys) (B, error)) call {
	return func(s *scene, at session) (any, error) { return b(s, at.bao.Sys()) }
}

// read is how commands read what has no method: the answer is the data of it.
func read(path string) call {
	return func(_ *scene, at session) (any, error) {
		if at.bao != nil {
			return baoData(at.bao.Logical().Read(path))
		}
		return vaultData(at.vault.Logical().Read(path))
	}
}

// write is likewise, with a body.
func write(path string, body func(*scene) map[string]any) call {
	return func(s *scene, at session) (any, error) {
		if at.bao != nil {
			return baoData(at.bao.Logical().Write(path, body(s)))
		}
		return vaultData(at.vault.Logical().Write(path, body(s)))
	}
}

// list is how commands list.
func list(path string) call {
	return func(_ *scene, at session) (any, error) {
		if at.bao != nil {
			return baoData(at.bao.Logical().List(path))
		}
		return vaultData(at.vault.Logical().List(path))
	}
}

// remove is how commands delete what has no method.
func remove(path string) call {
	return func(_ *scene, at session) (any, error) {
		if at.bao != nil {
			return baoData(at.bao.Logical().Delete(path))
		}
		return vaultData(at.vault.Logical().Delete(path))
	}
}

// raw is how commands read what may be no JSON: the answer is its text.
func raw(path string) call {
	return each(
		func(_ *scene, on *bao.Client) (any, error) {
			answer, err := on.Logical().ReadRaw(path)
			if err != nil {
				return nil, err
			}
			return bodyOf(answer.Response)
		},
		func(_ *scene, on *vault.Client) (any, error) {
			answer, err := on.Logical().ReadRaw(path)
			if err != nil {
				return nil, err
			}
			return bodyOf(answer.Response)
		})
}

func bodyOf(answer *http.Response) (any, error) {
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}

func baoData(s *bao.Secret, err error) (any, error) {
	if s == nil {
		return map[string]any(nil), err
	}
	return s.Data, err
}

func vaultData(s *vault.Secret, err error) (any, error) {
	if s == nil {
		return map[string]any(nil), err
	}
	return s.Data, err
}

// refusedWith is the status and the texts of what either client calls an answer's error.
func refusedWith(err error) (status int, texts []string, ok bool) {
	var b *bao.ResponseError
	var v *vault.ResponseError
	switch {
	case errors.As(err, &b) && !b.RawError:
		return b.StatusCode, b.Errors, true
	case errors.As(err, &v) && !v.RawError:
		return v.StatusCode, v.Errors, true
	}
	return 0, nil, false
}
