package vault

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"keyquorum/seal"
)

// A backup is an object with all its versions as they are stored, sealed under the cluster's keyring for a place that is no record's
// path ("backup/key"), so that it opens in any vault of this cluster and nowhere else, and as the kind that it is.
//
//	0x01 ‖ CBOR array: name, latest version, more records of the object by name, versions [[id, record], …]
type backupRecord struct {
	_        struct{} `cbor:",toarray"`
	Name     string   // as first spelt
	Current  string   // 32 hex
	Extra    []byte   // a key's rotation record, or nil
	Versions []backupVersion
}

type backupVersion struct {
	_      struct{} `cbor:",toarray"`
	ID     string   // 32 hex
	Record []byte
}

// Bounds of a backup. A version of the largest secret has some 35 KiB.
const (
	maxBackupVersions = 500      // Azure's
	maxBackup         = 20 << 20 // bytes
)

func (k *collection[T]) backupPath() string { return "backup/" + k.kind }

// performBackup gives the sealed backup of a live object, in whatever state it is.
func (k *collection[T]) performBackup(ctx context.Context, v *Vaults, c Caller, name string) ([]byte, error) {
	return perform(ctx, v, c, k.backup, target{name: name}, func(d *decision) ([]byte, error) {
		o, err := k.find(d, name, "")
		if err != nil {
			return nil, err
		}
		b, err := k.collect(d, o)
		defer b.zero()
		if err != nil {
			return nil, err
		}
		plain, err := encodeRecord(b, nil)
		if err != nil {
			return nil, err
		}
		defer plain.Zero()
		blob, err := v.cfg.Keyring.Seal(nil, k.backupPath(), 0, plain)
		if err == nil && len(blob) > maxBackup {
			return nil, badParameter("%s %s is too large to be backed up: its versions have more than 20 MiB together.", k.noun, o.head.Name)
		}
		return blob, err
	})
}

// collect opens everything that an object has.
func (k *collection[T]) collect(d *decision, o object) (*backupRecord, error) {
	b := &backupRecord{Name: o.head.Name, Current: o.head.Current}
	dir := versionDir(o.path)
	for path, record := range d.view.Scan(dir, "") {
		if len(b.Versions) == maxBackupVersions {
			return b, badParameter("%s %s has more than %d versions and can't be backed up.", k.noun, o.head.Name, maxBackupVersions)
		}
		plain, err := d.open(path, record)
		if err != nil {
			return b, err
		}
		b.Versions = append(b.Versions, backupVersion{ID: path[len(dir):], Record: plain})
	}
	if k.extra == "" {
		return b, nil
	}
	record, ok := d.read(o.path + k.extra)
	if !ok {
		return b, nil
	}
	plain, err := d.open(o.path+k.extra, record)
	b.Extra = plain
	return b, err
}

func (b *backupRecord) zero() {
	for _, v := range b.Versions {
		clear(v.Record)
	}
}

var errBackup = badParameter("Backup blob contains invalid or corrupt version.")

// openBackup opens what a client says is a backup. All that is wrong with one gets the same answer.
func (k *collection[T]) openBackup(v *Vaults, blob []byte) (*backupRecord, error) {
	if len(blob) == 0 || len(blob) > maxBackup {
		return nil, errBackup
	}
	if v.closed.Load() {
		return nil, seal.ErrSealed
	}
	plain, err := v.cfg.Keyring.Open(k.backupPath(), 0, blob)
	if err != nil {
		if v.closed.Load() {
			return nil, seal.ErrSealed
		}
		return nil, errBackup
	}
	defer plain.Zero()
	b, err := decodeWhole[backupRecord](plain)
	if err != nil || !validName(b.Name) || len(b.Versions) > maxBackupVersions || !b.ordered() {
		return nil, errBackup
	}
	return b, nil
}

// ordered: versions as collect finds them, each once, the latest among them.
func (b *backupRecord) ordered() bool {
	last, current := "", false
	for _, v := range b.Versions {
		if !validVersion(v.ID) || v.ID <= last {
			return false
		}
		last, current = v.ID, current || v.ID == b.Current
	}
	return current
}

// performRestore brings back an object as it was backed up, under its name, with its versions' ids and times. 409 while there is one of
// that name, deleted or not.
//
// One with more versions than a transaction holds goes in steps under a head in state restoring, which shows nothing; the last step
// makes it live. The head is marked with the blob's hash, so that whoever repeats the restore goes on with it, and another blob is refused.
func (k *collection[T]) performRestore(ctx context.Context, v *Vaults, c Caller, blob []byte) (T, error) {
	b, broken := k.openBackup(v, blob)
	name := ""
	if b != nil {
		defer b.zero()
		name = b.Name
	}
	sum := sha256.Sum256(blob)
	mark := hex.EncodeToString(sum[:16])
	w := k.restore
	w.unnamed = b == nil
	return perform(ctx, v, c, w, target{name: name}, func(d *decision) (T, error) {
		if broken != nil {
			return *new(T), broken
		}
		o, err := k.vacant(d, b.Name, mark)
		if err != nil {
			return *new(T), err
		}
		return k.rebuild(d, o, b, mark)
	})
}

// vacant finds the place of a restore: there is nothing there, or what the same restore has left.
func (k *collection[T]) vacant(d *decision, name, mark string) (object, error) {
	o, err := k.head(d, name)
	switch {
	case err != nil, o.head == nil, o.head.State == restoring && o.head.Current == mark:
		return o, err
	case o.head.State == live:
		return o, conflict("", "%s %s already exists.", k.noun, name)
	default:
		_, err := k.claim(d, name)
		return o, err
	}
}

// rebuild writes what is missing of a backup, as far as the transaction goes.
func (k *collection[T]) rebuild(d *decision, o object, b *backupRecord, mark string) (answer T, err error) {
	h := head{Name: b.Name, Current: mark, State: restoring, Deleted: d.now.Unix()}
	o.head = &h
	if !k.legible(d, o, b) {
		return answer, errBackup
	}
	for _, v := range b.Versions {
		path := versionPath(o.path, v.ID)
		if _, there := d.view.Get(path); there {
			continue
		}
		if !d.room(len(v.Record)) {
			d.again = true
			return answer, d.store(o.path, &h)
		}
		if err := d.put(path, append(seal.Plaintext{}, v.Record...)); err != nil {
			return answer, err
		}
	}
	if b.Extra != nil {
		if !d.room(len(b.Extra)) {
			d.again = true
			return answer, d.store(o.path, &h)
		}
		if err := d.put(o.path+k.extra, append(seal.Plaintext{}, b.Extra...)); err != nil {
			return answer, err
		}
	}
	h = head{Name: b.Name, Current: b.Current}
	if err := d.store(o.path, &h); err != nil {
		return answer, err
	}
	o.version = b.Current
	d.version = b.Current
	return k.restored(d, o, b)
}

// legible says whether every version can be read, before anything is written: a newer program may have sealed what this one can't read.
func (k *collection[T]) legible(d *decision, o object, b *backupRecord) bool {
	return !slices.ContainsFunc(b.Versions, func(v backupVersion) bool {
		_, err := k.bundle(d, o, v.Record)
		return err != nil
	})
}

// restored answers with the latest version, out of the backup: it isn't in the view yet.
func (k *collection[T]) restored(d *decision, o object, b *backupRecord) (answer T, err error) {
	for _, v := range b.Versions {
		if v.ID == b.Current {
			return k.bundle(d, o, seal.Plaintext(v.Record))
		}
	}
	return answer, errBackup
}
