package vault

import (
	"context"
	"unicode/utf8"

	"keyquorum/seal"
	"keyquorum/vault/access"
)

// Attributes are the times and switches of one version. Times are Unix seconds; nil means not set.
type Attributes struct {
	Enabled            bool
	NotBefore, Expires *int64
	Created, Updated   int64
	RecoverableDays    int    // of the vault
	RecoveryLevel      string // "Recoverable+Purgeable", …
}

// A Change is what a request says about attributes, tags and content type; nil means not supplied.
type Change struct {
	Enabled            *bool
	NotBefore, Expires *int64
	Tags               map[string]string // nil: keep; else replaces
	ContentType        *string           // secrets
	KeyOps             []string          // keys; nil: keep
	Exportable         *bool             // keys
	Release            *ReleasePolicy    // keys
}

// disables says that the change switches its object off.
func (ch Change) disables() bool { return ch.Enabled != nil && !*ch.Enabled }

// Deletion says when a deleted object was deleted and when it will be purged (Unix seconds).
type Deletion struct{ Deleted, Purge int64 }

// A Secret is one version of a secret. Value is nil in lists and wherever the API gives none.
type Secret struct {
	Name, Version string // Name as first spelt
	Value         seal.Plaintext
	ContentType   string
	Attributes    Attributes
	Tags          map[string]string
	Deletion      *Deletion
}

// A Page is part of a listing. Next is "" at the end, else the opaque, URL-safe token for the page
// after it.
type Page[T any] struct {
	Items []T
	Next  string
}

// PageRequest: After is a token from a Page or ""; Max is 1 to 25.
type PageRequest struct {
	After string
	Max   int
}

// Limits of Azure Key Vault: bytes of a value and of a content type, entries of tags, and runes of
// a tag's name and value.
const (
	maxSecretValue = 25600
	maxContentType = 255
	maxTags        = 15
	maxTagRunes    = 256
)

var (
	setSecret    = verb{operation: "secrets/set", action: access.SecretsSet, writes: true}
	getSecret    = verb{operation: "secrets/get", action: access.SecretsGet}
	updateSecret = verb{operation: "secrets/update", action: access.SecretsUpdate, writes: true}
)

var secretCollection = collection[Secret]{
	kind: "secret", noun: "Secret", article: "A secret", missing: "SecretNotFound",
	list:     verb{operation: "secrets/list", action: access.SecretsList, unnamed: true},
	versions: verb{operation: "secrets/versions", action: access.SecretsList},
	delete: verb{operation: "secrets/delete", action: access.SecretsDelete, writes: true,
		relieves: true},
	getDeleted:  verb{operation: "secrets/getdeleted", action: access.SecretsGetDeleted},
	listDeleted: verb{operation: "secrets/listdeleted", action: access.SecretsList, unnamed: true},
	recover:     verb{operation: "secrets/recover", action: access.SecretsRecover, writes: true},
	purge: verb{operation: "secrets/purge", action: access.SecretsPurge, writes: true,
		removes: true, relieves: true},
	backup:  verb{operation: "secrets/backup", action: access.SecretsBackup},
	restore: verb{operation: "secrets/restore", action: access.SecretsRestore, writes: true},
	bundle: func(d *decision, o object, record seal.Plaintext) (Secret, error) {
		r, _, err := decodeRecord[secretRecord](record)
		if err != nil {
			return Secret{}, err
		}
		return r.bundle(d, o), nil
	},
}

// A secretRecord is a version of a secret; its tail is the value.
type secretRecord struct {
	_           struct{} `cbor:",toarray"`
	Attributes  storedAttributes
	ContentType string
	Tags        map[string]string
}

func (r *secretRecord) bundle(d *decision, o object) Secret {
	return Secret{Name: o.head.Name, Version: o.version, ContentType: r.ContentType,
		Attributes: r.Attributes.in(d.vault),
		Tags:       r.Tags, Deletion: o.head.deletion()}
}

// with applies what a request supplied, or says what is wrong with the outcome.
func (r secretRecord) with(ch Change, a storedAttributes) (secretRecord, error) {
	r.Attributes = a
	if ch.Tags != nil {
		r.Tags = ch.Tags
	}
	if ch.ContentType != nil {
		r.ContentType = *ch.ContentType
	}
	if !utf8.ValidString(r.ContentType) || utf8.RuneCountInString(r.ContentType) > maxContentType {
		return r, badParameter("Property contentType has more than 255 characters.")
	}
	if err := validTags(r.Tags); err != nil {
		return r, err
	}
	return r, a.validWindow()
}

// validTags holds tags to the limits; keys and secrets alike.
func validTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return badParameter("Property tags has more than 15 entries.")
	}
	for name, value := range tags {
		if !validTagText(name) || !validTagText(value) {
			return badParameter("Property tags has a name or a value of more than 256 characters.")
		}
	}
	return nil
}

func validTagText(s string) bool {
	return utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxTagRunes
}

// SetSecret adds a version, and with the first one the secret. The value is up to 25,600 bytes and
// may be empty, but not nil; it is the caller's to clear. 409 ObjectIsDeletedButRecoverable while
// the name is soft-deleted.
func (v *Vaults) SetSecret(ctx context.Context, c Caller, name string, value seal.Plaintext,
	ch Change) (Secret, error) {
	s, err := perform(ctx, v, c, setSecret, target{name: name}, func(d *decision) (Secret, error) {
		o, err := secretCollection.claim(d, name)
		if err != nil {
			return Secret{}, err
		}
		if value == nil {
			return Secret{}, missing("value")
		}
		if len(value) > maxSecretValue {
			return Secret{}, badParameter("Property value has more than 25600 bytes.")
		}
		r, err := secretRecord{}.with(ch, newAttributes(ch, d.now))
		if err != nil {
			return Secret{}, err
		}
		record, err := encodeRecord(&r, value)
		if err != nil {
			return Secret{}, err
		}
		o, err = secretCollection.add(d, o, name, record)
		return r.bundle(d, o), err
	})
	if err == nil {
		s.Value = append(seal.Plaintext{}, value...)
	}
	return s, err
}

// GetSecret gives a version with its value; version "" is the latest. Times don't matter, but a
// disabled version is refused (403 SecretDisabled). The value is opened into room, where that has
// enough for the record; room stays the caller's, and is theirs to erase.
func (v *Vaults) GetSecret(
	ctx context.Context, c Caller, name, version string, room []byte,
) (Secret, error) {
	return perform(ctx, v, c, getSecret, target{name, version}, func(d *decision) (Secret, error) {
		o, err := secretCollection.find(d, name, version)
		if err != nil {
			return Secret{}, err
		}
		r, value, err := d.openSecret(o, room[:0])
		if err != nil {
			return Secret{}, err
		}
		if !r.Attributes.Enabled {
			value.Zero()
			return Secret{}, forbidden("SecretDisabled",
				"Operation get is not allowed on a disabled secret.")
		}
		s := r.bundle(d, o)
		s.Value = value // where it was opened: nothing is copied
		return s, nil
	})
}

// openSecret opens a version; dst is as Keyring.Open has it. What was decrypted of this very record
// before, beside its value, is not decrypted again.
func (d *decision) openSecret(
	o object, dst []byte,
) (r secretRecord, value seal.Plaintext, err error) {
	path, s := o.versionPath(), stamp{d.view.Generation(), o.record.Mod}
	apart := seal.InParts(o.record.Value)
	if r, known := d.v.secrets.find(path, s); known && apart {
		value, err = d.v.opened(path, func() (seal.Plaintext, error) {
			return d.v.cfg.Keyring.OpenSecond(dst, path, o.record.Logical, o.record.Value)
		})
		return r, value, err
	}
	record, err := d.v.openInto(dst, path, o.record)
	if err != nil {
		return r, nil, err
	}
	if r, value, err = decodeRecord[secretRecord](record); err != nil {
		return r, nil, damaged(path)
	}
	d.v.secrets.keep(path, s, r)
	return r, value, nil
}

// UpdateSecret changes what is supplied of a version, "" for the latest. The answer has no value.
func (v *Vaults) UpdateSecret(ctx context.Context, c Caller, name, version string,
	ch Change) (Secret, error) {
	return perform(ctx, v, c, updateSecret, target{name, version}, func(d *decision) (Secret, error) {
		d.relieves = ch.disables()
		o, err := secretCollection.find(d, name, version)
		if err != nil {
			return Secret{}, err
		}
		record, err := d.open(o.versionPath(), o.record)
		if err != nil {
			return Secret{}, err
		}
		defer record.Zero()
		r, value, err := decodeRecord[secretRecord](record)
		if err != nil {
			return Secret{}, damaged(o.versionPath())
		}
		if r, err = r.with(ch, r.Attributes.with(ch, d.now)); err != nil {
			return Secret{}, err
		}
		changed, err := encodeRecord(&r, value)
		if err != nil {
			return Secret{}, err
		}
		return r.bundle(d, o), secretCollection.replace(d, o, changed)
	})
}

// ListSecrets lists the live secrets with the attributes of their latest version, by folded name.
func (v *Vaults) ListSecrets(ctx context.Context, c Caller, p PageRequest) (Page[Secret], error) {
	return secretCollection.performList(ctx, v, c, p)
}

// ListSecretVersions lists all versions of a live secret; an unknown name has none.
func (v *Vaults) ListSecretVersions(ctx context.Context, c Caller, name string,
	p PageRequest) (Page[Secret], error) {
	return secretCollection.performListVersions(ctx, v, c, name, p)
}

// DeleteSecret deletes a secret with all versions so that it can be recovered.
func (v *Vaults) DeleteSecret(ctx context.Context, c Caller, name string) (Secret, error) {
	return secretCollection.performDelete(ctx, v, c, name)
}

// GetDeletedSecret gives the latest version of a deleted secret, without its value. A disabled one
// is refused (403 AccessDenied).
func (v *Vaults) GetDeletedSecret(ctx context.Context, c Caller, name string) (Secret, error) {
	return secretCollection.performGetDeleted(ctx, v, c, name, func(s Secret) error {
		if !s.Attributes.Enabled {
			return forbidden("AccessDenied", "Operation get is not permitted on this object.")
		}
		return nil
	})
}

// ListDeletedSecrets lists the deleted secrets by folded name.
func (v *Vaults) ListDeletedSecrets(ctx context.Context, c Caller, p PageRequest) (Page[Secret],
	error) {
	return secretCollection.performListDeleted(ctx, v, c, p)
}

// RecoverSecret makes a deleted secret live again, as it was.
func (v *Vaults) RecoverSecret(ctx context.Context, c Caller, name string) (Secret, error) {
	return secretCollection.performRecover(ctx, v, c, name)
}

// PurgeSecret deletes a deleted secret for ever. 403 while the vault has purge protection.
func (v *Vaults) PurgeSecret(ctx context.Context, c Caller, name string) error {
	return secretCollection.performPurge(ctx, v, c, name)
}

// BackupSecret gives a live secret with all versions, sealed: RestoreSecret of any vault of this
// cluster opens it.
func (v *Vaults) BackupSecret(ctx context.Context, c Caller, name string) ([]byte, error) {
	return secretCollection.performBackup(ctx, v, c, name)
}

// RestoreSecret brings back a secret as it was backed up. The answer has no value.
func (v *Vaults) RestoreSecret(ctx context.Context, c Caller, blob []byte) (Secret, error) {
	return secretCollection.performRestore(ctx, v, c, blob)
}
