package vault

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"keyquorum/fsm"
	"keyquorum/seal"
)

// One object is brought back out of the past: out of a state of this cluster from before, which the
// operator has kept. An object that is gone comes back as Restore brings one back, and one that
// lives gets the versions that it lacks. Whatever is there stays what it is.

// A Past is a state of this cluster from before, and the keyring that opens it.
type Past struct {
	View    fsm.View
	Keyring *seal.Keyring
}

// An ObjectRef names an object in the vaults that had, and have, that name.
type ObjectRef struct {
	Vault   string
	Type    string // "secrets" or "keys"
	Name    string
	Version string // 32 hex digits; "": all
}

// A Comparison says what an object was, beside what it is. It holds no value and no private key.
type Comparison struct {
	ObjectRef          // Name as it was spelt
	Was, Is            ObjectState
	Versions           []VersionPair // that there were, the oldest first; if one is named, that
	BroughtBack        bool          // those that were missing are there now: Is is what was before
	SnapshotIndex      uint64
	SnapshotGeneration uint64 // of restores
}

// An ObjectState is an object as a whole at one moment.
type ObjectState struct {
	State    string // "absent", "live", "deleted", "purging", or "restoring"
	Current  string // the latest version; "" where nobody sees one
	Versions int
	Deletion *Deletion // nil: it is not deleted
}

// A VersionPair is what a version was, and what it is.
type VersionPair struct {
	Version  string
	Was      VersionInfo
	Is       *VersionInfo // nil: it is not there
	SameData bool         // the value or the key is the same
}

// A VersionInfo is what anybody may know of a version who may not know its value.
type VersionInfo struct {
	Attributes  Attributes
	ContentType string // of a secret
	Tags        map[string]string
	Kty, Crv    string // of a key, as are the others
	Ops         []string
	Exportable  bool
}

// What a kind of object answers is described by this.
type described interface{ about() VersionInfo }

func (s Secret) about() VersionInfo {
	return VersionInfo{Attributes: s.Attributes, ContentType: s.ContentType, Tags: s.Tags}
}

func (k Key) about() VersionInfo {
	return VersionInfo{Attributes: k.Attributes, Tags: k.Tags, Kty: k.Public.Kty, Crv: k.Public.Crv,
		Ops: k.Ops, Exportable: k.Exportable}
}

// CompareObject shows what an object was, beside what it is. NotFound where it was not.
func (v *Vaults) CompareObject(ctx context.Context, o Operator, p Past, ref ObjectRef) (Comparison,
	error) {
	return v.lookBack(ctx, o, adminVerb{operation: "admin/objects/compare"}, p, ref)
}

// BringBackObject brings back what is missing of an object: the whole of one that is gone, the
// versions that one lacks which lives. Conflict for one that is deleted, or whose purge or restore
// has begun. What is more than a transaction holds goes in steps: of an object that was gone
// nothing shows before the last, and whoever asks again goes on where it stopped.
func (v *Vaults) BringBackObject(ctx context.Context, o Operator, p Past,
	ref ObjectRef) (Comparison, error) {
	w := adminVerb{operation: "admin/objects/bring-back", writes: true}
	return v.lookBack(ctx, o, w, p, ref)
}

func (v *Vaults) lookBack(ctx context.Context, o Operator, w adminVerb, p Past,
	ref ObjectRef) (Comparison, error) {
	ref.Vault = fold(ref.Vault)
	switch ref.Type {
	case plurals[keyKind]:
		return lookBack(ctx, v, o, w, &keyCollection, p, ref)
	case plurals[secretCollection.kind]:
		return lookBack(ctx, v, o, w, &secretCollection, p, ref)
	}
	return performAdmin(ctx, v, o, w, ref.Vault, fold(ref.Name),
		func(*decision) (Comparison, error) {
			return Comparison{}, badParameter("The type of an object is secrets or keys.")
		})
}

// A relic is an object in the past, opened.
type relic struct {
	then *decision
	object
	*openedBackup
}

func (r *relic) zero() {
	if r != nil {
		r.openedBackup.zero()
	}
}

func lookBack[T described](ctx context.Context, v *Vaults, o Operator, w adminVerb,
	k *collection[T], p Past, ref ObjectRef) (Comparison, error) {
	was, broken := k.dig(v, p, ref) // before a view of now is taken, which grows old
	defer was.zero()
	var found Comparison
	return performAdmin(ctx, v, o, w, ref.Vault, fold(ref.Name),
		func(d *decision) (_ Comparison, err error) {
			d.version = ref.Version
			d.detail = fmt.Sprintf("%s snapshot=%d", ref.Type, p.View.Index())
			if err := d.enterVault(ref.Vault); err != nil {
				return found, err
			}
			if broken != nil {
				return found, broken
			}
			if !d.committed { // else the first step changed what is compared
				if found, err = k.compare(d, was, p, ref); err != nil {
					return found, err
				}
			}
			if !w.writes {
				return found, nil
			}
			found.BroughtBack = true
			d.detail += fmt.Sprintf(" versions=%d", found.missing())
			return found, k.bringBack(d, was, p.mark(was, ref))
		})
}

func (ref ObjectRef) valid() error {
	switch {
	case !validName(ref.Name):
		return badParameter("An object's name is 1 to 127 letters, digits and hyphens.")
	case ref.Version != "" && !validVersion(ref.Version):
		return badParameter("A version is 32 hexadecimal digits in lower case.")
	}
	return nil
}

// missing counts the versions that are not there.
func (c *Comparison) missing() (n int) {
	for i := range c.Versions {
		if c.Versions[i].Is == nil {
			n++
		}
	}
	return n
}

// mark is that of a restore in steps: whoever brings the same back out of the same state goes on
// with it.
func (p Past) mark(r *relic, ref ObjectRef) string {
	digest := p.View.Digest()
	sum := sha256.Sum256(slices.Concat([]byte("snapshot\x00"), digest[:],
		[]byte(r.path+"\x00"+ref.Version)))
	return hex.EncodeToString(sum[:16])
}

// look is a decision on a state from before. It shares nothing with those on the state of now.
func (p Past) look(v *Vaults) *decision {
	cfg := v.cfg
	cfg.Keyring, cfg.Refresh = p.Keyring, nil
	return &decision{v: &Vaults{cfg: cfg, vaults: newCache(1, decodeVault),
		heads: newCache(1, decodeHead)}, view: p.View, operator: true}
}

// dig opens an object as it was. One that was deleted then is taken for what it was before that.
func (k *collection[T]) dig(v *Vaults, p Past, ref ObjectRef) (*relic, error) {
	if err := ref.valid(); err != nil {
		return nil, err
	}
	d := p.look(v)
	vault, ok, err := load(d, d.v.vaults, vaultNamePath(ref.Vault))
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, notFound("VaultNotFound", "The snapshot has no vault called %s.", ref.Vault)
	}
	d.vault = vault
	o, err := k.head(d, ref.Name)
	switch {
	case err != nil:
		return nil, err
	case !o.seen():
		return nil, notFound(k.missing, "The snapshot has no %s called %s in the vault %s.", k.kind,
			ref.Name, ref.Vault)
	}
	b, err := k.collect(d, o, ref.Version)
	switch {
	case errors.Is(err, errTooManyVersions):
		err = badParameter("%s %s had more than %d versions. Name one of them, "+
			"or go back to the snapshot as a whole.", k.noun, o.head.Name, maxBackupVersions)
	case err == nil && len(b.Versions) == 0:
		err = notFound(k.missing, "The snapshot has no version %s of the %s %s.", ref.Version, k.kind,
			o.head.Name)
	}
	if err != nil {
		b.zero()
		return nil, err
	}
	return &relic{d, o, b}, nil
}

// seen says that the object is there as a whole, live or deleted.
func (o object) seen() bool {
	return o.head != nil && (o.head.State == live || o.head.State == deleted)
}

// compare says what an object was, beside what it is. The transaction is held to the head alone, so
// that it has room for what is brought back.
func (k *collection[T]) compare(d *decision, was *relic, p Past, ref ObjectRef) (Comparison,
	error) {
	is, err := k.head(d, ref.Name)
	if err != nil {
		return Comparison{}, err
	}
	ref.Name = was.Name
	c := Comparison{ObjectRef: ref, Was: was.then.stateOf(was.object), Is: d.stateOf(is),
		SnapshotIndex: p.View.Index(), SnapshotGeneration: p.View.Generation()}
	for i, version := range was.Versions {
		pair, err := k.pair(d, was, is, version.ID, was.records[i])
		if err != nil {
			return Comparison{}, err
		}
		c.Versions = append(c.Versions, pair)
	}
	slices.SortStableFunc(c.Versions, func(a, b VersionPair) int {
		return int(a.Was.Attributes.Created - b.Was.Attributes.Created)
	})
	return c, nil
}

// stateOf describes an object of the decision's view.
func (d *decision) stateOf(o object) ObjectState {
	if o.head == nil {
		return ObjectState{State: "absent"}
	}
	s := ObjectState{State: stateNames[o.head.State]}
	for range d.view.Scan(versionDir(o.path), "") {
		s.Versions++
	}
	if o.seen() {
		s.Current, s.Deletion = o.head.Current, o.head.deletion()
	}
	return s
}

var stateNames = map[state]string{live: "live", deleted: "deleted", purging: "purging",
	restoring: "restoring"}

// pair describes a version that there was, beside the one that has its id now.
func (k *collection[T]) pair(d *decision, was *relic, is object, id string,
	record seal.Plaintext) (VersionPair, error) {
	then := was.object
	then.version, is.version = id, id
	about, err := k.bundle(was.then, then, record)
	if err != nil {
		return VersionPair{}, damaged(then.versionPath())
	}
	p := VersionPair{Version: id, Was: about.about()}
	r, there := d.view.Get(is.versionPath())
	if !is.seen() || !there {
		return p, nil
	}
	now, err := d.open(is.versionPath(), r)
	if err != nil {
		return p, err
	}
	defer now.Zero()
	if about, err = k.bundle(d, is, now); err != nil {
		return p, damaged(is.versionPath())
	}
	info := about.about()
	p.Is = &info
	p.SameData, err = sameTail(record, now)
	return p, err
}

// sameTail says whether two records have the same value, or the same private key.
func sameTail(a, b []byte) (bool, error) {
	_, one, err := cut(a)
	_, other, err2 := cut(b)
	return bytes.Equal(one, other), errors.Join(err, err2)
}

// bringBack writes what is missing of an object, as far as the transaction goes.
func (k *collection[T]) bringBack(d *decision, was *relic, mark string) error {
	o, err := k.head(d, was.Name)
	if err != nil {
		return err
	}
	if o.head != nil && o.head.State == live {
		return k.complete(d, o, was.openedBackup)
	}
	if o, err = k.vacant(d, was.Name, mark); err != nil {
		return err
	}
	_, err = k.rebuild(d, o, was.openedBackup, mark)
	return err
}

// complete gives a live object the versions that it lacks. Its latest one stays that, and so does
// everything else of it.
func (k *collection[T]) complete(d *decision, o object, b *openedBackup) error {
	for i, version := range b.Versions {
		path := versionPath(o.path, version.ID)
		if _, there := d.view.Get(path); there {
			continue
		}
		if !d.room(version.Size) {
			d.again = true
			break
		}
		if err := d.copy(path, b.records[i]); err != nil {
			return err
		}
	}
	if len(d.txn.Writes) == 0 {
		return nil
	}
	return d.storeHead(o, o.head) // whoever adds a version changes the head
}
