package mover

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

const (
	// attempts is how often a version is written whose outcome is not known, 12 s in all and what
	// the requests take.
	attempts     = 3
	attemptDelay = 2 * time.Second // before the first look; then twice, and three times that
	// writePatience bounds the writing of one version. It goes on when somebody has asked for an
	// end, so that what was begun is known.
	writePatience = 3 * time.Minute
)

// write adds a version, and does not add it twice: where an answer is lost it looks whether the
// version is there before it tries again.
func (t *target) write(ctx context.Context, kind reference.Kind, name string, v version) error {
	c, err := v.read(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), writePatience)
	defer cancel()
	for attempt := 1; ; attempt++ {
		err := t.add(session.Once(ctx), kind, name, v, c)
		if err == nil || isDecided(err) {
			return t.explain(err, kind, name)
		}
		select {
		case <-time.After(time.Duration(attempt) * attemptDelay):
		case <-ctx.Done():
		}
		switch {
		case t.isThere(ctx, kind, name, v):
			return nil
		case attempt == attempts || ctx.Err() != nil:
			return t.explain(err, kind, name)
		}
	}
}

// isThere says whether a version is known to be there.
func (t *target) isThere(
	ctx context.Context, kind reference.Kind, name string, v version,
) bool {
	h := &held{kind: kind, name: name}
	if v.unnumbered {
		same, err := t.same(ctx, h, v)
		return err == nil && same
	}
	return t.versionsOf(ctx, h) == nil && slices.Contains(h.origins, v.origin)
}

// explain says what went wrong. What is not about this one version would meet all others too:
// nobody answers, or whoever calls may not write.
func (t *target) explain(err error, kind reference.Kind, name string) error {
	if err == nil || errors.Is(err, errOther) {
		return err
	}
	said := t.vault.Explain(err, kind, name)
	var answer *azcore.ResponseError
	if errors.As(err, &answer) && answer.StatusCode != http.StatusUnauthorized &&
		answer.StatusCode != http.StatusForbidden && isDecided(err) {
		return said
	}
	return fatalError{said}
}

// isDecided says whether an error is an answer that says for certain that nothing was done.
func isDecided(err error) bool {
	var answer *azcore.ResponseError
	return errors.As(err, &answer) && answer.StatusCode >= http.StatusBadRequest &&
		answer.StatusCode < http.StatusInternalServerError &&
		answer.StatusCode != http.StatusRequestTimeout || errors.Is(err, errOther)
}

// errOther is an answer that holds another value than was sent.
var errOther = errors.New("the vault answered with another value than it was given")

func (t *target) add(
	ctx context.Context, kind reference.Kind, name string, v version, c content,
) error {
	tags := map[string]*string{originTag: &v.origin}
	for tag, value := range v.attributes.tags {
		tags[tag] = &value
	}
	if kind == reference.Keys {
		return t.addKey(ctx, name, v, c, tags)
	}
	value := c.text.reveal()
	in := azsecrets.SetSecretParameters{Value: &value, Tags: tags,
		SecretAttributes: &azsecrets.SecretAttributes{
			NotBefore: v.attributes.notBefore, Expires: v.attributes.expires,
		}}
	if v.attributes.contentType != "" {
		in.ContentType = &v.attributes.contentType
	}
	answer, err := t.secrets.SetSecret(ctx, name, in, nil)
	if err == nil && (answer.Value == nil || *answer.Value != value) {
		err = fmt.Errorf("secret %s: %w", name, errOther)
	}
	return err
}

func (t *target) addKey(
	ctx context.Context, name string, v version, c content, tags map[string]*string,
) error {
	attributes := &azkeys.KeyAttributes{
		NotBefore: v.attributes.notBefore, Expires: v.attributes.expires,
	}
	if c.anew != nil {
		in := *c.anew
		in.KeyAttributes, in.Tags = attributes, tags
		_, err := t.keys.CreateKey(ctx, name, in, nil)
		return err
	}
	_, err := t.keys.ImportKey(ctx, name,
		azkeys.ImportKeyParameters{Key: c.key, KeyAttributes: attributes, Tags: tags}, nil)
	return err
}
