package objects

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/cmd/keyquorum/reference"
)

// secrets are those of a vault.
type secrets struct{ client *azsecrets.Client }

func (s *secrets) get(ctx context.Context, name, version string) (object, error) {
	r, err := s.client.GetSecret(ctx, name, version, nil)
	return secretObject(r.Secret), err
}

func (s *secrets) getDeleted(ctx context.Context, name string) (object, error) {
	r, err := s.client.GetDeletedSecret(ctx, name, nil)
	return deletedSecret(r.DeletedSecret), err
}

func (s *secrets) list(ctx context.Context) ([]object, error) {
	return pages(
		ctx,
		s.client.NewListSecretPropertiesPager(nil),
		func(p azsecrets.ListSecretPropertiesResponse) []*azsecrets.SecretProperties { return p.Value },
		listedSecret,
	)
}

func (s *secrets) listVersions(ctx context.Context, name string) ([]object, error) {
	return pages(
		ctx,
		s.client.NewListSecretPropertiesVersionsPager(name, nil),
		func(p azsecrets.ListSecretPropertiesVersionsResponse) []*azsecrets.SecretProperties {
			return p.Value
		},
		listedSecret,
	)
}

func (s *secrets) listDeleted(ctx context.Context) ([]object, error) {
	return pages(ctx, s.client.NewListDeletedSecretPropertiesPager(nil),
		func(p azsecrets.ListDeletedSecretPropertiesResponse) []*azsecrets.DeletedSecretProperties {
			return p.Value
		},
		func(d *azsecrets.DeletedSecretProperties) object {
			return deletedSecret(azsecrets.DeletedSecret{
				ID: d.ID, Attributes: d.Attributes, ContentType: d.ContentType, Tags: d.Tags,
				Managed:     d.Managed,
				DeletedDate: d.DeletedDate, ScheduledPurgeDate: d.ScheduledPurgeDate,
			})
		})
}

func (s *secrets) set(ctx context.Context, name, value string, a attributes) (object, error) {
	r, err := s.client.SetSecret(ctx, name, azsecrets.SetSecretParameters{
		Value: &value, ContentType: a.contentType, SecretAttributes: a.ofSecret(), Tags: a.tags,
	}, nil)
	r.Value = nil // whoever set it knows it
	return secretObject(r.Secret), err
}

func (s *secrets) update(ctx context.Context, name, version string, a attributes) (object, error) {
	r, err := s.client.UpdateSecretProperties(
		ctx,
		name,
		version,
		azsecrets.UpdateSecretPropertiesParameters{
			ContentType: a.contentType, SecretAttributes: a.ofSecret(), Tags: a.tags,
		},
		nil,
	)
	return secretObject(r.Secret), err
}

func (s *secrets) delete(ctx context.Context, name string) (object, error) {
	r, err := s.client.DeleteSecret(ctx, name, nil)
	return deletedSecret(r.DeletedSecret), err
}

func (s *secrets) recover(ctx context.Context, name string) (object, error) {
	r, err := s.client.RecoverDeletedSecret(ctx, name, nil)
	return secretObject(r.Secret), err
}

func (s *secrets) purge(ctx context.Context, name string) error {
	_, err := s.client.PurgeDeletedSecret(ctx, name, nil)
	return err
}

func (s *secrets) backup(ctx context.Context, name string) ([]byte, error) {
	r, err := s.client.BackupSecret(ctx, name, nil)
	return r.Value, err
}

func (s *secrets) restore(ctx context.Context, blob []byte) (object, error) {
	r, err := s.client.RestoreSecret(
		ctx,
		azsecrets.RestoreSecretParameters{SecretBackup: blob},
		nil,
	)
	return secretObject(r.Secret), err
}

func (a attributes) ofSecret() *azsecrets.SecretAttributes {
	return &azsecrets.SecretAttributes{
		Enabled:   a.enabled,
		Expires:   a.expires,
		NotBefore: a.notBefore,
	}
}

func secretObject(s azsecrets.Secret) object {
	o := identified(reference.Secrets, string(value(s.ID)))
	o.Value, o.ContentType, o.Managed, o.Tags = s.Value, value(
		s.ContentType,
	), value(
		s.Managed,
	), tagsOf(
		s.Tags,
	)
	if a := s.Attributes; a != nil {
		o.Enabled, o.RecoveryLevel = value(a.Enabled), value(a.RecoveryLevel)
		o.NotBefore, o.Expires, o.Created, o.Updated = inUTC(
			a.NotBefore,
		), inUTC(
			a.Expires,
		), inUTC(
			a.Created,
		), inUTC(
			a.Updated,
		)
	}
	return o
}

func listedSecret(p *azsecrets.SecretProperties) object {
	return secretObject(azsecrets.Secret{
		ID: p.ID, Attributes: p.Attributes, ContentType: p.ContentType, Tags: p.Tags, Managed: p.Managed,
	})
}

func deletedSecret(d azsecrets.DeletedSecret) object {
	o := secretObject(azsecrets.Secret{
		ID: d.ID, Attributes: d.Attributes, ContentType: d.ContentType, Tags: d.Tags, Managed: d.Managed,
	})
	o.Deleted, o.ScheduledPurge = inUTC(d.DeletedDate), inUTC(d.ScheduledPurgeDate)
	return o
}
