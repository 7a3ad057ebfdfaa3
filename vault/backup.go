package vault

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"

	"keyquorum/seal"
)

// A backup is an object with all its versions as they are stored, sealed under the cluster's
// keyring for a place that is no record's path ("backup/key"), so that it opens in any vault of
// this cluster and nowhere else, and as the kind that it is.
//
//	0x02 ‖ CBOR array: name, latest version, bytes of the rotation record, versions [[id, bytes], …] ‖ the versions' records ‖ the rotation record
//
// The records are the tail, since CBOR must never touch the secrets that are in them.
type backupRecord struct {
	_        struct{} `cbor:",toarray"`
	Name     string   // as first spelt
	Current  string   // 32 hex
	Extra    int      // bytes of a key's rotation record; 0: none
	Versions []backupVersion
}

type backupVersion struct {
	_    struct{} `cbor:",toarray"`
	ID   string   // 32 hex
	Size int      // bytes of its record
}

func (backupRecord) shape() byte { return 0x02 }

// An openedBackup is a backup with what it holds, opened.
type openedBackup struct {
	backupRecord
	records [][]byte // of Versions, in their order
	extra   []byte   // nil: none
}

// Bounds of a backup. A version of the largest secret has some 35 KiB.
const (
	maxBackupVersions = 500      // Azure's
	maxBackup         = 20 << 20 // bytes
)

func (k *collection[T]) backupPath() string { return "backup/" + k.kind }

// performBackup gives the sealed backup of a live object, in whatever state it is.
func (k *collection[T]) performBackup(ctx context.Context, v *Vaults, c Caller,
	name string) ([]byte, error) {
	return perform(ctx, v, c, k.backup, target{name: name}, func(d *decision) ([]byte, error) {
		o, err := k.find(d, name, "")
		if err != nil {
			return nil, err
		}
		b, err := k.collect(d, o, "")
		defer b.zero()
		if errors.Is(err, errTooManyVersions) {
			err = badParameter("%s %s has more than %d versions and can't be backed up.", k.noun,
				o.head.Name, maxBackupVersions)
		}
		if err != nil {
			return nil, err
		}
		blob, err := k.seal(v, b)
		if err == nil && len(blob) > maxBackup {
			return nil, badParameter("%s %s is too large to be backed up: its versions have more than 20 MiB together.",
				k.noun, o.head.Name)
		}
		return blob, err
	})
}

var errTooManyVersions = errors.New("vault: more versions than are held in memory at a time")

// collect opens everything that an object has; of its versions only one, if it is named. The error
// may be errTooManyVersions.
func (k *collection[T]) collect(d *decision, o object, only string) (*openedBackup, error) {
	b := &openedBackup{backupRecord: backupRecord{Name: o.head.Name,
		Current: cmp.Or(only, o.head.Current)}}
	dir := versionDir(o.path)
	for path, record := range d.view.Scan(dir, "") {
		if only != "" && path[len(dir):] != only {
			continue
		}
		if len(b.Versions) == maxBackupVersions {
			return b, errTooManyVersions
		}
		plain, err := d.open(path, record)
		if err != nil {
			return b, err
		}
		b.Versions = append(b.Versions, backupVersion{ID: path[len(dir):], Size: len(plain)})
		b.records = append(b.records, plain)
	}
	if k.extra == "" {
		return b, nil
	}
	record, ok := d.read(o.path + k.extra)
	if !ok {
		return b, nil
	}
	plain, err := d.open(o.path+k.extra, record)
	b.Extra, b.extra = len(plain), plain
	return b, err
}

func (b *openedBackup) zero() {
	for _, record := range b.records {
		clear(record)
	}
	clear(b.extra)
}

func (k *collection[T]) seal(v *Vaults, b *openedBackup) (blob []byte, err error) {
	seal.Do(func() {
		var plain seal.Plaintext
		if plain, err = encodeRecord(&b.backupRecord,
			append(slices.Clip(b.records), b.extra)...); err == nil {
			defer plain.Zero()
			blob, err = v.cfg.Keyring.Seal(nil, k.backupPath(), 0, plain)
		}
	})
	return blob, err
}

var errBackup = badParameter("Backup blob contains invalid or corrupt version.")

// openBackup opens what a client says is a backup. All that is wrong with one gets the same answer.
func (k *collection[T]) openBackup(v *Vaults, blob []byte) (*openedBackup, error) {
	if blob == nil {
		return nil, missing("value")
	}
	if len(blob) > maxBackup {
		return nil, errBackup
	}
	if v.closed.Load() {
		return nil, seal.ErrSealed
	}
	plain, err := v.refreshed(func() (seal.Plaintext, error) {
		return v.cfg.Keyring.Open(nil, k.backupPath(), 0, blob)
	})
	if err != nil {
		if v.closed.Load() {
			return nil, seal.ErrSealed
		}
		return nil, errBackup
	}
	b, err := decodeBackup(plain)
	if err != nil {
		plain.Zero()
		return nil, errBackup
	}
	return b, nil
}

// decodeBackup reads the plaintext of a backup. The records are parts of it.
func decodeBackup(plain []byte) (*openedBackup, error) {
	r, tail, err := decodeRecord[backupRecord](plain)
	if err != nil {
		return nil, err
	}
	if !validName(r.Name) || len(r.Versions) > maxBackupVersions || !r.ordered() {
		return nil, errRecordForm
	}
	b := &openedBackup{backupRecord: r}
	take := func(size int) (part []byte, ok bool) {
		if size < 0 || size > len(tail) {
			return nil, false
		}
		part, tail = tail[:size:size], tail[size:]
		return part, true
	}
	for _, v := range r.Versions {
		record, ok := take(v.Size)
		if !ok {
			return nil, errRecordForm
		}
		b.records = append(b.records, record)
	}
	extra, ok := take(r.Extra)
	if !ok || len(tail) != 0 {
		return nil, errRecordForm
	}
	if len(extra) > 0 {
		b.extra = extra
	}
	return b, nil
}

// ordered: versions as collect finds them, each once, the latest among them.
func (r *backupRecord) ordered() bool {
	last, current := "", false
	for _, v := range r.Versions {
		if !validVersion(v.ID) || v.ID <= last {
			return false
		}
		last, current = v.ID, current || v.ID == r.Current
	}
	return current
}

// performRestore brings back an object as it was backed up, under its name, with its versions' ids
// and times. 409 while there is one of that name, deleted or not.
//
// One with more versions than a transaction holds goes in steps under a head in state restoring,
// which shows nothing; the last step makes it live. The head is marked with the blob's hash, so
// that whoever repeats the restore goes on with it, and another blob is refused. Each step writes
// the head, so that none is lost to a purge that comes between: the restore begins anew then, or is
// refused.
func (k *collection[T]) performRestore(ctx context.Context, v *Vaults, c Caller, blob []byte) (T,
	error) {
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
func (k *collection[T]) rebuild(d *decision, o object, b *openedBackup, mark string) (answer T,
	err error) {
	h := head{Name: b.Name, Current: mark, State: restoring, Deleted: d.now.Unix()}
	if o.head != nil {
		h.Deleted = o.head.Deleted // of the first step: whoever repeats a restore must not hold the name for ever
	}
	before := o
	o.head = &h
	if !k.legible(d, o, b) {
		return answer, errBackup
	}
	d.holdIndexes(before, &h)
	for i, v := range b.Versions {
		path := versionPath(o.path, v.ID)
		if _, there := d.view.Get(path); there {
			continue
		}
		if !d.room(v.Size) {
			d.again = true
			return answer, d.storeHead(before, &h)
		}
		if err := d.copy(path, b.records[i]); err != nil {
			return answer, err
		}
	}
	if b.extra != nil {
		if !d.room(b.Extra) {
			d.again = true
			return answer, d.storeHead(before, &h)
		}
		if err := d.copy(o.path+k.extra, b.extra); err != nil {
			return answer, err
		}
		if err := k.noteExtra(d, o, b.extra); err != nil {
			return answer, err
		}
	}
	h = head{Name: b.Name, Current: b.Current}
	if err := d.storeHead(before, &h); err != nil {
		return answer, err
	}
	o.version = b.Current
	d.version = b.Current
	return k.restored(d, o, b)
}

// legible says whether all of it can be read, before anything is written: a newer program may have
// sealed what this one can't read.
func (k *collection[T]) legible(d *decision, o object, b *openedBackup) bool {
	if b.extra != nil && (k.readExtra == nil || k.readExtra(b.extra) != nil) {
		return false
	}
	return !slices.ContainsFunc(b.records, func(record []byte) bool {
		_, err := k.bundle(d, o, record)
		return err != nil
	})
}

// restored answers with the latest version, out of the backup: it isn't in the view yet.
func (k *collection[T]) restored(d *decision, o object, b *openedBackup) (answer T, err error) {
	for i, v := range b.Versions {
		if v.ID == b.Current {
			return k.bundle(d, o, b.records[i])
		}
	}
	return answer, errBackup
}
