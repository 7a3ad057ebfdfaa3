package vault

import (
	"context"
	"slices"

	"keyquorum/seal"
	"keyquorum/vault/access"
)

// A PublicKey is the public half as a JWK has it; unused members are nil or "".
type PublicKey struct {
	Kty  string // "RSA", "EC", "oct", or one with "-HSM"
	Crv  string
	N, E []byte // big-endian
	X, Y []byte // padded to the field size
}

// A Key is one version of a key.
type Key struct {
	Name, Version string
	Public        PublicKey // empty in lists
	Ops           []string
	Attributes    Attributes
	Exportable    bool
	Release       *ReleasePolicy // nil: none
	Tags          map[string]string
	Deletion      *Deletion
}

// A KeySpec says what key to create: a row of the table keyShapes.
type KeySpec struct {
	Kty            string // "RSA", "EC", "oct", or with "-HSM", which is echoed and changes nothing else
	Size           int    // RSA and oct bits; 0 is the default, and EC has none
	Crv            string // "" is the default
	PublicExponent int    // 0 or 65537
}

var (
	createKey = verb{operation: "keys/create", action: access.KeysCreate, writes: true}
	getKey    = verb{operation: "keys/get", action: access.KeysGet}
	updateKey = verb{operation: "keys/update", action: access.KeysUpdate, writes: true}
)

// keyKind is what keys are called in paths.
const keyKind = "key"

var keyCollection = collection[Key]{
	kind: keyKind, noun: "Key", article: "A key", missing: "KeyNotFound",
	list:        verb{operation: "keys/list", action: access.KeysList, unnamed: true},
	versions:    verb{operation: "keys/versions", action: access.KeysList},
	delete:      verb{operation: "keys/delete", action: access.KeysDelete, writes: true, relieves: true},
	getDeleted:  verb{operation: "keys/getdeleted", action: access.KeysGet},
	listDeleted: verb{operation: "keys/listdeleted", action: access.KeysList, unnamed: true},
	recover:     verb{operation: "keys/recover", action: access.KeysRecover, writes: true},
	purge: verb{operation: "keys/purge", action: access.KeysPurge, writes: true, removes: true,
		relieves: true},
	backup:  verb{operation: "keys/backup", action: access.KeysBackup},
	restore: verb{operation: "keys/restore", action: access.KeysRestore, writes: true},
	extra:   "/rotation",
	readExtra: func(b []byte) error {
		_, err := decodeWhole[rotationRecord](b)
		return err
	},
	noteExtra: func(d *decision, o object, b []byte) error {
		r, err := decodeWhole[rotationRecord](b)
		if err != nil {
			return err
		}
		return d.noteRotation(o, r)
	},
	bundle: func(d *decision, o object, record seal.Plaintext) (Key, error) {
		r, _, err := decodeKeyRecord(record)
		if err != nil {
			return Key{}, err
		}
		return r.bundle(d, o), nil
	},
}

func (r *keyRecord) bundle(d *decision, o object) Key {
	return Key{Name: o.head.Name, Version: o.version, Public: r.public(), Ops: r.Ops,
		Attributes: r.Attributes.in(d.vault),
		Exportable: r.Exportable, Release: r.Release, Tags: r.Tags, Deletion: o.head.deletion()}
}

// with applies what a request supplied, or says what is wrong with the outcome. An empty key_ops is
// not supplied.
func (r keyRecord) with(ch Change, a storedAttributes) (keyRecord, error) {
	r.Attributes = a
	if len(ch.KeyOps) != 0 {
		r.Ops = ch.KeyOps
		if err := validOps(r.Ops, baseType(r.Kty)); err != nil {
			return r, err
		}
	}
	if ch.Tags != nil {
		r.Tags = ch.Tags
	}
	if r.exchanges() && (len(r.Ops) != 1 || baseType(r.Kty) != "RSA") {
		return r, badValue("key_ops", "import is for RSA keys that can do nothing else")
	}
	if err := validTags(r.Tags); err != nil {
		return r, err
	}
	return r, a.validWindow()
}

// begin is with, for a version that is made.
func (r keyRecord) begin(ch Change, a storedAttributes) (keyRecord, error) {
	r, err := r.with(ch, a)
	if err != nil {
		return r, err
	}
	if r, err = r.releasable(ch); err == nil && r.exchanges() && r.Exportable {
		err = badValue("key_ops", "a key that others are wrapped with can't be exportable")
	}
	return r, err
}

// exchanges says whether others are wrapped with this key on their way in. Such a key is RSA, can
// do nothing else, and never could nor will: whoever might decrypt with it could open what was
// wrapped. For the same reason it was made here and never leaves.
func (r *keyRecord) exchanges() bool { return slices.Contains(r.Ops, string(opImport)) }

// validOps: known names, each once (RFC 7517 section 4.3), in whatever order; the order is kept. As
// in Azure a key can't be for what no algorithm does with its type. What importing and exporting
// need is looked at elsewhere.
func validOps(ops []string, kty string) error {
	supported := opsOf(kty)
	for i, op := range ops {
		switch op := keyOp(op); {
		case !slices.Contains(knownOps, op) || slices.Contains(ops[:i], string(op)):
			return badProperty("key_ops")
		case op != opImport && op != opExport && !slices.Contains(supported, op):
			return badValue("key_ops", "%s is not for %s keys; they take %s",
				op, kty, joined(supported))
		}
	}
	return nil
}

func joined(ops []keyOp) string {
	var s string
	for i, op := range ops {
		if i > 0 {
			s += ", "
		}
		s += string(op)
	}
	return s
}

// CreateKey adds a version with a new private key, and with the first one the key. 409
// ObjectIsDeletedButRecoverable while the name is soft-deleted. RSA keys take from a tenth of a
// second to some seconds of processor time to find.
func (v *Vaults) CreateKey(ctx context.Context, c Caller, name string, spec KeySpec,
	ch Change) (Key, error) {
	return v.addKey(ctx, c, createKey, name, func(d *decision, _ object) (newKey, error) {
		shape, err := shapeFor(spec)
		if err != nil {
			return newKey{}, err
		}
		made, err := keyRecord{Kty: spec.Kty, Ops: shape.ops}.begin(ch, newAttributes(ch, d.now))
		return newKeyOf(shape, made), err
	})
}

// A newKey is a version that is to be: its record without the public half, and what makes the key.
// Keys of the same shape, nil where the request brings the key, are as good as each other.
type newKey struct {
	record keyRecord
	shape  *keyShape
	make   func() (seal.Plaintext, PublicKey, error)
}

// newKeyOf is a version whose key is made here.
func newKeyOf(shape *keyShape, r keyRecord) newKey {
	return newKey{record: r, shape: shape, make: func() (seal.Plaintext, PublicKey, error) {
		return shape.generate(r.Kty)
	}}
}

// addKey adds a version whose key is made once: deciding again after a conflict must not cost
// another, unless what is to be made depends on what was there and that has changed.
func (v *Vaults) addKey(ctx context.Context, c Caller, w verb, name string,
	plan func(*decision, object) (newKey, error)) (Key, error) {
	var private seal.Plaintext
	var public PublicKey
	var shape *keyShape
	defer func() { private.Zero() }()
	return perform(ctx, v, c, w, target{name: name}, func(d *decision) (Key, error) {
		o, err := keyCollection.claim(d, name)
		if err != nil {
			return Key{}, err
		}
		k, err := plan(d, o)
		if err != nil {
			return Key{}, err
		}
		if private == nil || k.shape != shape || k.record.Kty != public.Kty {
			private.Zero()
			if private, public, err = v.generate(ctx, k.make); err != nil {
				return Key{}, err
			}
			shape = k.shape
		}
		return d.addVersion(o, name, k.record.withPublic(public), private)
	})
}

// addVersion writes a version of a claimed key.
func (d *decision) addVersion(o object, name string, r keyRecord, private seal.Plaintext) (Key,
	error) {
	record, err := encodeRecord(&r, private)
	if err != nil {
		return Key{}, err
	}
	o, err = keyCollection.add(d, o, name, record)
	return r.bundle(d, o), err
}

// generate makes a key when a core is free for it: finding RSA primes keeps one busy for up to
// seconds and can't be cancelled.
func (v *Vaults) generate(ctx context.Context,
	make func() (seal.Plaintext, PublicKey, error)) (seal.Plaintext, PublicKey, error) {
	select {
	case v.generating <- struct{}{}:
	case <-ctx.Done():
		return nil, PublicKey{}, unavailable("Busy", "This node is making other keys.")
	}
	defer func() { <-v.generating }()
	return make()
}

// GetKey gives the public half and the attributes of a version, "" for the latest, in whatever
// state it is.
func (v *Vaults) GetKey(ctx context.Context, c Caller, name, version string) (Key, error) {
	return perform(ctx, v, c, getKey, target{name, version}, func(d *decision) (Key, error) {
		o, err := keyCollection.find(d, name, version)
		if err != nil {
			return Key{}, err
		}
		return keyCollection.answer(d, o)
	})
}

// UpdateKey changes what is supplied of a version, "" for the latest.
func (v *Vaults) UpdateKey(ctx context.Context, c Caller, name, version string, ch Change) (Key,
	error) {
	return perform(ctx, v, c, updateKey, target{name, version}, func(d *decision) (Key, error) {
		d.relieves = ch.disables()
		o, err := keyCollection.find(d, name, version)
		if err != nil {
			return Key{}, err
		}
		record, err := d.open(o.versionPath(), o.record)
		if err != nil {
			return Key{}, err
		}
		defer record.Zero()
		old, private, err := decodeKeyRecord(record)
		if err != nil {
			return Key{}, damaged(o.versionPath())
		}
		r, err := old.with(ch, old.Attributes.with(ch, d.now))
		if err != nil {
			return Key{}, err
		}
		if r.exchanges() != old.exchanges() {
			return Key{}, badValue("key_ops",
				"a key that others are wrapped with stays one, and no other becomes one")
		}
		if r, err = r.rereleasable(ch); err != nil {
			return Key{}, err
		}
		changed, err := encodeRecord(&r, private)
		if err != nil {
			return Key{}, err
		}
		return r.bundle(d, o), keyCollection.replace(d, o, changed)
	})
}

// ListKeys lists the live keys with the attributes of their latest version, by folded name.
func (v *Vaults) ListKeys(ctx context.Context, c Caller, p PageRequest) (Page[Key], error) {
	return withoutMaterial(keyCollection.performList(ctx, v, c, p))
}

// ListKeyVersions lists all versions of a live key; an unknown name has none.
func (v *Vaults) ListKeyVersions(ctx context.Context, c Caller, name string,
	p PageRequest) (Page[Key], error) {
	return withoutMaterial(keyCollection.performListVersions(ctx, v, c, name, p))
}

// DeleteKey deletes a key with all versions so that it can be recovered.
func (v *Vaults) DeleteKey(ctx context.Context, c Caller, name string) (Key, error) {
	return keyCollection.performDelete(ctx, v, c, name)
}

// GetDeletedKey gives the latest version of a deleted key, in whatever state it is.
func (v *Vaults) GetDeletedKey(ctx context.Context, c Caller, name string) (Key, error) {
	return keyCollection.performGetDeleted(ctx, v, c, name, func(Key) error { return nil })
}

// ListDeletedKeys lists the deleted keys by folded name.
func (v *Vaults) ListDeletedKeys(ctx context.Context, c Caller, p PageRequest) (Page[Key], error) {
	return withoutMaterial(keyCollection.performListDeleted(ctx, v, c, p))
}

// RecoverKey makes a deleted key live again, as it was.
func (v *Vaults) RecoverKey(ctx context.Context, c Caller, name string) (Key, error) {
	return keyCollection.performRecover(ctx, v, c, name)
}

// PurgeKey deletes a deleted key for ever. 403 while the vault has purge protection.
func (v *Vaults) PurgeKey(ctx context.Context, c Caller, name string) error {
	return keyCollection.performPurge(ctx, v, c, name)
}

// withoutMaterial takes from a listing what Azure's items don't have.
func withoutMaterial(page Page[Key], err error) (Page[Key], error) {
	for i := range page.Items {
		page.Items[i].Public, page.Items[i].Ops, page.Items[i].Release = PublicKey{}, nil, nil
	}
	return page, err
}

// BackupKey gives a live key with all versions and its rotation policy, sealed: RestoreKey of any
// vault of this cluster opens it.
func (v *Vaults) BackupKey(ctx context.Context, c Caller, name string) ([]byte, error) {
	return keyCollection.performBackup(ctx, v, c, name)
}

// RestoreKey brings back a key as it was backed up.
func (v *Vaults) RestoreKey(ctx context.Context, c Caller, blob []byte) (Key, error) {
	return keyCollection.performRestore(ctx, v, c, blob)
}
