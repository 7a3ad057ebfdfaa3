package mover

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"keyquorum/cmd/keyquorum/keyfile"
	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

// listKeys names all keys. None comes out: those that can be released are, but only to an attested
// environment.
func (s *azureSource) listKeys(ctx context.Context) (things []*thing, err error) {
	err = pages(ctx, s.keys.NewListKeyPropertiesPager(nil),
		func(p azkeys.ListKeyPropertiesResponse) {
			for _, listed := range p.Value {
				if listed != nil && listed.KID != nil {
					things = append(things, s.listedKey(listed))
				}
			}
		})
	var answer *azcore.ResponseError
	if errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden {
		return []*thing{{kind: reference.Keys, name: "(all)", from: s.vault.URL + "/keys",
			obstacle: &obstacle{"the source does not let them be listed", adviceKeys}}}, nil
	}
	if err != nil || !s.newKeys {
		return things, s.explain(err, reference.Keys, "")
	}
	err = each(ctx, len(things), s.w.parallel, func(ctx context.Context, i int) error {
		if things[i].obstacle != nil {
			return nil
		}
		return s.likeKey(ctx, things[i])
	})
	return things, err
}

func (s *azureSource) listedKey(listed *azkeys.KeyProperties) *thing {
	name := listed.KID.Name()
	t := &thing{kind: reference.Keys, name: name, from: fmt.Sprintf("%s/keys/%s", s.vault.URL, name)}
	switch a := listed.Attributes; {
	case listed.Managed != nil && *listed.Managed:
		t.obstacle = &obstacle{"it belongs to a certificate", adviceCertificates}
	case s.newKeys:
		t.left = []string{"the key itself: a new one is made"}
	case a != nil && a.Exportable != nil && *a.Exportable:
		t.obstacle = &obstacle{"it is released to attested environments only", adviceKeys}
	default:
		t.obstacle = &obstacle{"its private part never leaves the source", adviceKeys}
	}
	return t
}

// likeKey asks what the key is like: its newest version, and its rotation policy. How long a
// symmetric key is the wire does not tell.
func (s *azureSource) likeKey(ctx context.Context, t *thing) error {
	answer, err := s.keys.GetKey(ctx, t.name, "", nil)
	if err != nil {
		return s.explain(err, t.kind, t.name)
	}
	key, a := answer.Key, answer.Attributes
	if key == nil || key.KID == nil || key.Kty == nil || a == nil {
		return fmt.Errorf("the source answered without key %s", t.name)
	}
	if a.Enabled == nil || !*a.Enabled {
		t.obstacle = &obstacle{"its newest version is disabled", adviceDisabled}
		return nil
	}
	if a.Exportable != nil && *a.Exportable {
		t.left = append(t.left, "its release policy")
	}
	like := azkeys.CreateKeyParameters{Kty: key.Kty, Curve: key.Crv, KeyOps: key.KeyOps}
	if keyfile.PlainType(key) == "RSA" {
		bits := int32(8 * len(key.N))
		like.KeySize = &bits
	}
	if t.policy, err = s.policy(ctx, t.name); err != nil {
		return err
	}
	v := version{origin: originOf(t.from, key.KID.Version()), moment: sinceEpoch(a.Created)}
	v.attributes.notBefore, v.attributes.expires = a.NotBefore, a.Expires
	if !s.w.noTags {
		v.attributes.tags = othersOf(answer.Tags)
	}
	v.read = func(context.Context) (content, error) { return content{anew: &like}, nil }
	t.versions, t.obstacle = []version{v}, v.attributes.whyNot()
	return nil
}

// policy is the key's rotation policy; nil where it has none, or it may not be looked at.
func (s *azureSource) policy(ctx context.Context, name string) (*azkeys.KeyRotationPolicy, error) {
	answer, err := s.keys.GetKeyRotationPolicy(ctx, name, nil)
	var refused *azcore.ResponseError
	switch {
	case errors.As(err, &refused) && refused.StatusCode < http.StatusInternalServerError:
		return nil, nil
	case err != nil:
		return nil, s.explain(err, reference.Keys, name)
	}
	return policyToSet(answer.KeyRotationPolicy), nil
}

// policyToSet is a policy as it is set; nil for the one of a key that was never given any.
func policyToSet(p azkeys.KeyRotationPolicy) *azkeys.KeyRotationPolicy {
	if p.Attributes == nil || p.Attributes.Created == nil {
		return nil
	}
	return &azkeys.KeyRotationPolicy{LifetimeActions: p.LifetimeActions,
		Attributes: &azkeys.KeyRotationPolicyAttributes{ExpiryTime: p.Attributes.ExpiryTime}}
}

// hasPolicy says whether a key here was ever given a rotation policy.
func (t *target) hasPolicy(ctx context.Context, name string) (bool, error) {
	answer, err := t.keys.GetKeyRotationPolicy(session.Patient(ctx), name, nil)
	if err != nil {
		return false, t.vault.Explain(err, reference.Keys, name)
	}
	return policyToSet(answer.KeyRotationPolicy) != nil, nil
}

// setPolicy may be done twice: the same policy is the same.
func (t *target) setPolicy(
	ctx context.Context, name string, policy azkeys.KeyRotationPolicy,
) error {
	_, err := t.keys.UpdateKeyRotationPolicy(session.Patient(ctx), name, policy, nil)
	return t.vault.Explain(err, reference.Keys, name)
}
