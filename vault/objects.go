package vault

import (
	"context"
	"crypto/rand"
	"encoding/hex"

	"keyquorum/fsm"
	"keyquorum/seal"
)

// A collection is what secrets and keys have in common: named objects with versions, soft deletion,
// recovery, purge, listings. A kind of object plugs in by one value of this type (see
// secretCollection): its words, its verbs, and bundle, which turns a version's stored record into
// what the API answers. T is that answer: Secret or Key, for one version.
//
// What is stored: a head record for each object (type head) and below it a record for each version,
// whose shape is the kind's own, and whatever else the kind keeps of an object. Whoever writes a
// version holds the transaction to the head; whoever adds one, deletes, recovers or purges changes
// it.
type collection[T described] struct {
	kind    string // path segment, "secret"
	noun    string // "Secret"
	article string // "A secret"
	missing string // code of 404, "SecretNotFound"

	extra     string               // what a head has below it beside its versions, "/rotation"; "" for nothing
	readExtra func(b []byte) error // whether it can be read; nil where there is none
	// noteExtra has the indexes know of one that was restored.
	noteExtra func(d *decision, o object, b []byte) error

	list, versions, delete, getDeleted, listDeleted, recover, purge, backup, restore verb

	// bundle gives the answer for o without secret bytes. record is cleared when it returns.
	bundle func(d *decision, o object, record seal.Plaintext) (T, error)
}

// An object is one version of a named object in a decision's view.
type object struct {
	path    string     // of the head
	head    *head      // nil: there is no object yet
	version string     // 32 hex
	record  fsm.Record // of the version, sealed
}

func (o object) versionPath() string { return versionPath(o.path, o.version) }

// head reads the object called name, in whatever state; its head is nil when there is none.
func (k *collection[T]) head(d *decision, name string) (object, error) {
	o := object{path: headPath(d.vault.ID, k.kind, fold(name))}
	h, ok, err := load(d, d.v.heads, o.path)
	if err != nil || !ok {
		return o, err
	}
	o.head = h
	return o, nil
}

// find reads a version of a live object, "" for the latest. 404 if there is none.
func (k *collection[T]) find(d *decision, name, version string) (object, error) {
	o, err := k.head(d, name)
	if err != nil {
		return o, err
	}
	if o.head == nil || o.head.State != live {
		return o, k.notFound(name, version)
	}
	return k.pick(d, o, name, version)
}

// findDeleted reads the latest version of a deleted object. 404 if there is none.
func (k *collection[T]) findDeleted(d *decision, name string) (object, error) {
	o, err := k.head(d, name)
	if err != nil {
		return o, err
	}
	if o.head == nil || o.head.State != deleted {
		return o, notFound(k.missing, "Deleted %s not found: %s", k.noun, name)
	}
	return k.pick(d, o, name, "")
}

func (k *collection[T]) pick(d *decision, o object, name, version string) (object, error) {
	o.version = version
	if version == "" {
		o.version = o.head.Current
	}
	d.version = o.version
	var ok bool
	o.record, ok = d.read(o.versionPath())
	switch {
	case ok:
		return o, nil
	case version == "":
		return o, damaged(o.versionPath()) // a head never names a version that isn't there
	default:
		return o, k.notFound(name, version)
	}
}

func (k *collection[T]) notFound(name, version string) error {
	if version != "" {
		name += "/" + version
	}
	return notFound(k.missing,
		"%s with (name/id) %s was not found in this key vault. If you recently deleted this %s you may be able to recover it using the correct recovery command. "+
			"For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
		k.article, name, k.kind)
}

// claim reads the object that is to get a new version: one that is live or was never there. A
// deleted one is refused (409).
func (k *collection[T]) claim(d *decision, name string) (object, error) {
	o, err := k.head(d, name)
	switch {
	case err != nil:
		return o, err
	case o.head == nil || o.head.State == live:
		return o, nil
	case o.head.State == restoring:
		return o, conflict("ObjectIsBeingRecovered",
			"%s %s is currently being restored from another backup; what is there of it can be purged.",
			k.noun, name)
	case o.head.State == purging:
		return o, conflict("ObjectIsBeingDeleted",
			"%s %s is currently being deleted and cannot be re-created; retry later.", k.noun, name)
	default:
		return o, conflict("ObjectIsDeletedButRecoverable",
			"%s %s is currently in a deleted but recoverable state, and its name cannot be reused; "+
				"in this state, the %s can only be recovered or purged.", k.noun, name, k.kind)
	}
}

// add writes a new version of a claimed object. record is cleared.
func (k *collection[T]) add(d *decision, o object, name string, record seal.Plaintext) (object,
	error) {
	o.version = randomHex(16)
	d.version = o.version
	h := head{Name: name, Current: o.version}
	if o.head != nil {
		h.Name = o.head.Name
	}
	if err := d.storeHead(o, &h); err != nil {
		return o, err
	}
	o.head = &h
	return o, d.put(o.versionPath(), record)
}

// replace writes a changed record for a version that was found. record is cleared.
func (k *collection[T]) replace(d *decision, o object, record seal.Plaintext) error {
	return d.put(o.versionPath(), record)
}

// answer opens a version, but for its value, and gives what is answered for it.
func (k *collection[T]) answer(d *decision, o object) (answer T, err error) {
	record, err := d.v.openFirst(o.versionPath(), o.record)
	if err != nil {
		return answer, err
	}
	defer record.Zero()
	if answer, err = k.bundle(d, o, record); err != nil {
		return answer, damaged(o.versionPath())
	}
	return answer, nil
}

// performDelete deletes an object so that it can be recovered.
func (k *collection[T]) performDelete(ctx context.Context, v *Vaults, c Caller, name string) (T, error) {
	return perform(ctx, v, c, k.delete, target{name: name}, func(d *decision) (T, error) {
		o, err := k.find(d, name, "")
		if err != nil {
			return *new(T), err
		}
		h := *o.head
		h.State, h.Deleted = deleted, d.now.Unix()
		h.Purge = d.vault.endOfRetention(d.now)
		return k.rehead(d, o, h)
	})
}

// performRecover makes a deleted object live again, as it was.
func (k *collection[T]) performRecover(ctx context.Context, v *Vaults, c Caller, name string) (T,
	error) {
	return perform(ctx, v, c, k.recover, target{name: name}, func(d *decision) (T, error) {
		o, err := k.findDeleted(d, name)
		if err != nil {
			return *new(T), err
		}
		h := *o.head
		h.State, h.Deleted, h.Purge = live, 0, 0
		return k.rehead(d, o, h)
	})
}

// rehead writes a changed head and answers with the latest version under it.
func (k *collection[T]) rehead(d *decision, o object, h head) (T, error) {
	if err := d.storeHead(o, &h); err != nil {
		return *new(T), err
	}
	o.head = &h
	return k.answer(d, o)
}

// performPurge deletes an object with all its versions for ever. One with more versions than a
// transaction holds goes in steps: the first marks the head, so that nothing can bring back what is
// left, and the head goes last. A step that never came is made up for by the next purge of the
// name. It takes away as well what a restore has left: that is no object yet, and no purge
// protection holds it, nor what a purge has begun with.
func (k *collection[T]) performPurge(ctx context.Context, v *Vaults, c Caller, name string) error {
	_, err := perform(ctx, v, c, k.purge, target{name: name},
		func(d *decision) (none struct{}, err error) {
			o, err := k.head(d, name)
			if err != nil {
				return none, err
			}
			if o.head == nil || o.head.State == live {
				return none, notFound(k.missing, "Deleted %s not found: %s", k.noun, name)
			}
			if d.vault.PurgeProtection && o.head.State == deleted {
				return none, forbidden("",
					`Operation "purge" is not allowed because purge protection is enabled for this vault. `+
						"Key Vault service will automatically purge it after the retention period has passed.")
			}
			return none, d.purge(o)
		})
	return err
}

// purge removes an object with whatever lies below its head, which goes last, as much as fits.
func (d *decision) purge(o object) error {
	h := *o.head
	h.State = purging
	d.holdIndexes(o, &h)
	if !d.empty(o.path + "/") {
		return d.storeHead(o, &h)
	}
	d.remove(o.path)
	if err := d.noteRotation(o, nil); err != nil {
		return err
	}
	return d.reindex(o, nil)
}

// empty removes the records below dir, as many as fit beside the conditions that there are. Where
// some are left it is false and the decision is to be made again, when this step is applied.
func (d *decision) empty(dir string) (all bool) {
	for path := range d.view.Scan(dir, "") {
		if d.full() {
			d.again = true
			return false
		}
		d.remove(path)
	}
	return true
}

// performGetDeleted answers for the latest version of a deleted object. refuse may find a reason
// not to.
func (k *collection[T]) performGetDeleted(ctx context.Context, v *Vaults, c Caller, name string,
	refuse func(T) error) (T, error) {
	return perform(ctx, v, c, k.getDeleted, target{name: name},
		func(d *decision) (answer T, err error) {
			o, err := k.findDeleted(d, name)
			if err != nil {
				return answer, err
			}
			if answer, err = k.answer(d, o); err != nil {
				return answer, err
			}
			return answer, refuse(answer)
		})
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}
