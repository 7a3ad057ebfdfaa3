package mover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

// azureSource is a vault that speaks Azure Key Vault's wire: Azure's own, or another Keyquorum's.
type azureSource struct {
	vault   *session.Vault
	secrets *azsecrets.Client
	keys    *azkeys.Client
	w       wanted
	newKeys bool // keys are to be made anew, since they do not come out
}

func newAzureSource(v *session.Vault, w wanted, newKeys bool) (*azureSource, error) {
	s := &azureSource{vault: v, w: w, newKeys: newKeys}
	var err error
	if s.secrets, err = v.Secrets(); err != nil {
		return nil, err
	}
	s.keys, err = v.Keys()
	return s, err
}

func (s *azureSource) name() string { return s.vault.URL }

// look lists secrets, keys and their versions. It reads no value, but where two newest versions
// were made in the same second and only one is wanted.
func (s *azureSource) look(ctx context.Context, p *progress) ([]*thing, error) {
	ctx = session.Patient(ctx)
	p.begin("looking at secrets", 0)
	things, err := s.listSecrets(ctx)
	if err != nil {
		return nil, err
	}
	p.begin("looking at secrets", len(things))
	err = each(ctx, len(things), s.w.parallel, func(ctx context.Context, i int) error {
		defer p.step(things[i].name)
		if things[i].obstacle != nil {
			return nil
		}
		return s.secretVersions(ctx, things[i])
	})
	if err != nil {
		return nil, err
	}
	p.begin("looking at keys", 0)
	keys, err := s.listKeys(ctx)
	return append(things, keys...), err
}

func (s *azureSource) listSecrets(ctx context.Context) (things []*thing, err error) {
	err = pages(ctx, s.secrets.NewListSecretPropertiesPager(nil),
		func(p azsecrets.ListSecretPropertiesResponse) {
			for _, listed := range p.Value {
				if listed == nil || listed.ID == nil {
					continue
				}
				things = append(things, s.listedSecret(listed))
			}
		})
	return things, s.explain(err, reference.Secrets, "")
}

func (s *azureSource) listedSecret(listed *azsecrets.SecretProperties) *thing {
	name := listed.ID.Name()
	t := &thing{kind: reference.Secrets, name: name,
		from: fmt.Sprintf("%s/secrets/%s", s.vault.URL, name)}
	switch {
	case listed.Managed != nil && *listed.Managed:
		t.obstacle = &obstacle{"it belongs to a certificate", adviceCertificates}
	case listed.Attributes == nil || listed.Attributes.Enabled == nil || !*listed.Attributes.Enabled:
		t.obstacle = &obstacle{"its newest version is disabled", adviceDisabled}
	}
	return t
}

// secretVersions finds what of a secret can be moved.
func (s *azureSource) secretVersions(ctx context.Context, t *thing) error {
	disabled := 0
	err := pages(ctx, s.secrets.NewListSecretPropertiesVersionsPager(t.name, nil),
		func(p azsecrets.ListSecretPropertiesVersionsResponse) {
			for _, listed := range p.Value {
				switch {
				case listed == nil || listed.ID == nil || listed.Attributes == nil:
				case listed.Attributes.Enabled == nil || !*listed.Attributes.Enabled:
					disabled++
				default:
					t.versions = append(t.versions, s.secretVersion(t, listed))
				}
			}
		})
	if err != nil {
		return s.explain(err, t.kind, t.name)
	}
	slices.SortFunc(t.versions, func(a, b version) int {
		return cmp.Or(cmp.Compare(a.moment, b.moment), cmp.Compare(a.origin, b.origin))
	})
	t.newest = func(ctx context.Context) (string, error) { return s.newest(ctx, t) }
	if disabled > 0 {
		t.left = append(t.left, count(disabled, "disabled version"))
	}
	if len(t.versions) == 0 {
		t.obstacle = &obstacle{"no version of it is enabled", adviceDisabled}
		return nil
	}
	if s.w.newestOnly() {
		if err := t.onlyNewest(ctx); err != nil {
			return err
		}
	}
	t.obstacle = t.versions[len(t.versions)-1].attributes.whyNot()
	return nil
}

func (s *azureSource) secretVersion(t *thing, listed *azsecrets.SecretProperties) version {
	id := listed.ID.Version()
	v := version{origin: originOf(t.from, id)}
	v.attributes.notBefore, v.attributes.expires = listed.Attributes.NotBefore,
		listed.Attributes.Expires
	v.moment = sinceEpoch(listed.Attributes.Created)
	if listed.ContentType != nil {
		v.attributes.contentType = *listed.ContentType
	}
	if !s.w.noTags {
		v.attributes.tags = othersOf(listed.Tags)
	}
	v.read = func(ctx context.Context) (content, error) { return s.value(ctx, t, id, v.attributes) }
	return v
}

// onlyNewest leaves out all versions but the newest.
func (t *thing) onlyNewest(ctx context.Context) error {
	r := row{thing: t, add: t.versions}
	ordered, err := r.ordered(ctx)
	if err != nil {
		return err
	}
	if n := len(ordered); n > 1 {
		t.left = append(t.left, count(n-1, "older version"))
		t.versions = ordered[n-1:]
	}
	return nil
}

// newest asks for the newest version, since versions of the same second are in no order.
func (s *azureSource) newest(ctx context.Context, t *thing) (string, error) {
	answer, err := s.secrets.GetSecret(session.Patient(ctx), t.name, "", nil)
	if err != nil || answer.ID == nil {
		return "", s.explain(err, t.kind, t.name)
	}
	return originOf(t.from, answer.ID.Version()), nil
}

// value reads a version, and refuses what the destination would.
func (s *azureSource) value(
	ctx context.Context, t *thing, id string, a attributes,
) (content, error) {
	if why := a.whyNot(); why != nil {
		return content{}, errors.New(why.why)
	}
	answer, err := s.secrets.GetSecret(session.Patient(ctx), t.name, id, nil)
	if err != nil {
		return content{}, s.explain(err, t.kind, t.name)
	}
	if answer.Value == nil {
		return content{}, errors.New("the source answered without a value")
	}
	if why := unfit(*answer.Value); why != "" {
		return content{}, errors.New(why)
	}
	return content{text: hide(*answer.Value)}, nil
}

// explain says what went wrong at the source, with nothing of what was read. What would meet every
// other thing too ends the move.
func (s *azureSource) explain(err error, kind reference.Kind, name string) error {
	if err == nil {
		return nil
	}
	var answer *azcore.ResponseError
	var unreached *session.Unreached
	var identity *azidentity.AuthenticationFailedError
	if errors.Is(err, context.Canceled) {
		return err
	}
	isAnswer := errors.As(err, &answer)
	if !isAnswer && !errors.As(err, &unreached) && !errors.As(err, &identity) {
		err = errors.New("its answer is not one of Azure Key Vault's, or there was none")
	}
	said := fmt.Errorf("the source, %s: %w", s.vault.URL, s.vault.Explain(err, kind, name))
	if isAnswer && answer.StatusCode != http.StatusUnauthorized &&
		answer.StatusCode < http.StatusInternalServerError {
		return said
	}
	return fatalError{said}
}

// sinceEpoch is a moment of Azure's wire, which has seconds; 0 where there is none.
func sinceEpoch(t *time.Time) int64 {
	if t == nil {
		return 0
	}
	return t.Unix()
}
