package objects

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"keyquorum/cmd/keyquorum/reference"
)

// keys are those of a vault.
type keys struct{ client *azkeys.Client }

func (k *keys) get(ctx context.Context, name, version string) (object, error) {
	r, err := k.client.GetKey(ctx, name, version, nil)
	return keyObject(r.KeyBundle), err
}

func (k *keys) getDeleted(ctx context.Context, name string) (object, error) {
	r, err := k.client.GetDeletedKey(ctx, name, nil)
	return deletedKey(r.DeletedKey), err
}

func (k *keys) list(ctx context.Context) ([]object, error) {
	return pages(
		ctx,
		k.client.NewListKeyPropertiesPager(nil),
		func(p azkeys.ListKeyPropertiesResponse) []*azkeys.KeyProperties { return p.Value },
		listedKey,
	)
}

func (k *keys) listVersions(ctx context.Context, name string) ([]object, error) {
	return pages(
		ctx,
		k.client.NewListKeyPropertiesVersionsPager(name, nil),
		func(p azkeys.ListKeyPropertiesVersionsResponse) []*azkeys.KeyProperties { return p.Value },
		listedKey,
	)
}

func (k *keys) listDeleted(ctx context.Context) ([]object, error) {
	return pages(
		ctx,
		k.client.NewListDeletedKeyPropertiesPager(nil),
		func(p azkeys.ListDeletedKeyPropertiesResponse) []*azkeys.DeletedKeyProperties { return p.Value },
		func(d *azkeys.DeletedKeyProperties) object {
			o := listedKey(
				&azkeys.KeyProperties{
					KID:        d.KID,
					Attributes: d.Attributes,
					Tags:       d.Tags,
					Managed:    d.Managed,
				},
			)
			o.Deleted, o.ScheduledPurge = inUTC(d.DeletedDate), inUTC(d.ScheduledPurgeDate)
			return o
		},
	)
}

func (k *keys) update(ctx context.Context, name, version string, a attributes) (object, error) {
	r, err := k.client.UpdateKey(ctx, name, version, azkeys.UpdateKeyParameters{
		KeyAttributes: a.ofKey(), KeyOps: operations(a.operations), Tags: a.tags,
	}, nil)
	return keyObject(r.KeyBundle), err
}

func (k *keys) delete(ctx context.Context, name string) (object, error) {
	r, err := k.client.DeleteKey(ctx, name, nil)
	return deletedKey(r.DeletedKey), err
}

func (k *keys) recover(ctx context.Context, name string) (object, error) {
	r, err := k.client.RecoverDeletedKey(ctx, name, nil)
	return keyObject(r.KeyBundle), err
}

func (k *keys) purge(ctx context.Context, name string) error {
	_, err := k.client.PurgeDeletedKey(ctx, name, nil)
	return err
}

func (k *keys) backup(ctx context.Context, name string) ([]byte, error) {
	r, err := k.client.BackupKey(ctx, name, nil)
	return r.Value, err
}

func (k *keys) restore(ctx context.Context, blob []byte) (object, error) {
	r, err := k.client.RestoreKey(ctx, azkeys.RestoreKeyParameters{KeyBackup: blob}, nil)
	return keyObject(r.KeyBundle), err
}

func (a attributes) ofKey() *azkeys.KeyAttributes {
	return &azkeys.KeyAttributes{Enabled: a.enabled, Expires: a.expires, NotBefore: a.notBefore}
}

func operations(names []string) (ops []*azkeys.KeyOperation) {
	for _, name := range names {
		op := azkeys.KeyOperation(name)
		ops = append(ops, &op)
	}
	return ops
}

func keyObject(b azkeys.KeyBundle) object {
	key := b.Key
	if key == nil {
		key = &azkeys.JSONWebKey{}
	}
	o := identified(reference.Keys, string(value(key.KID)))
	o.Type, o.Curve, o.Size = string(value(key.Kty)), string(value(key.Crv)), 8*len(key.N)
	for _, op := range key.KeyOps {
		o.Operations = append(o.Operations, string(value(op)))
	}
	o.keyAttributes(b.Attributes)
	o.Managed, o.Tags = value(b.Managed), tagsOf(b.Tags)
	return o
}

func (o *object) keyAttributes(a *azkeys.KeyAttributes) {
	if a == nil {
		return
	}
	o.Enabled, o.RecoveryLevel, o.Exportable = value(
		a.Enabled,
	), value(
		a.RecoveryLevel,
	), value(
		a.Exportable,
	)
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

func listedKey(p *azkeys.KeyProperties) object {
	o := identified(reference.Keys, string(value(p.KID)))
	o.keyAttributes(p.Attributes)
	o.Managed, o.Tags = value(p.Managed), tagsOf(p.Tags)
	return o
}

func deletedKey(d azkeys.DeletedKey) object {
	o := keyObject(
		azkeys.KeyBundle{Key: d.Key, Attributes: d.Attributes, Tags: d.Tags, Managed: d.Managed},
	)
	o.Deleted, o.ScheduledPurge = inUTC(d.DeletedDate), inUTC(d.ScheduledPurgeDate)
	return o
}
