package wrapper

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
)

// An ageKey is an age identity in a file, as age-keygen writes it: X25519, or hybrid with ML-KEM.
// With several in the file, each of them opens.
type ageKey struct{ path string }

func newAge(where string) (Key, error) { return ageKey{where}, nil }

func (ageKey) Kind() string { return "age" }

// longestRecipient is of those that are shown whole: a hybrid one fills a page.
const longestRecipient = 64

// About is the first recipient.
func (a ageKey) About() string {
	_, recipients, err := a.read()
	if err != nil {
		return "age"
	}
	text := fmt.Sprint(recipients[0])
	if len(text) > longestRecipient {
		text = text[:longestRecipient] + "..."
	}
	return text
}

func (a ageKey) Files() []string { return []string{a.path} }

func (a ageKey) Check() error {
	_, _, err := a.read()
	return err
}

func (a ageKey) read() (identities []age.Identity, recipients []age.Recipient, err error) {
	text, err := readSecret(a.path)
	if err != nil {
		return nil, nil, err
	}
	defer clear(text)
	bad := fmt.Errorf("%s holds no age identity that a node can use alone: make one with age-keygen",
		a.path)
	identities, err = age.ParseIdentities(bytes.NewReader(text))
	if err != nil { // which may quote the file
		return nil, nil, bad
	}
	for _, i := range identities {
		switch own := i.(type) {
		case *age.X25519Identity:
			recipients = append(recipients, own.Recipient())
		case *age.HybridIdentity:
			recipients = append(recipients, own.Recipient())
		default:
			return nil, nil, bad
		}
	}
	return identities, recipients, nil
}

func (a ageKey) Wrap(_ context.Context, key []byte) ([]byte, error) {
	_, recipients, err := a.read()
	if err != nil {
		return nil, err
	}
	var wrapped bytes.Buffer
	w, err := age.Encrypt(&wrapped, recipients...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(key); err != nil {
		return nil, err
	}
	err = w.Close()
	return wrapped.Bytes(), err
}

func (a ageKey) Unwrap(_ context.Context, wrapped []byte) ([]byte, error) {
	identities, _, err := a.read()
	if err != nil {
		return nil, err
	}
	r, err := age.Decrypt(bytes.NewReader(wrapped), identities...)
	if err != nil {
		return nil, errors.New("no identity of the file opens what was wrapped")
	}
	key, err := io.ReadAll(io.LimitReader(r, keySize+1))
	if err != nil {
		clear(key)
		return nil, errNotOurs
	}
	return unwrapped(key)
}
