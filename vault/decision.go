package vault

import (
	"errors"
	"slices"
	"sync"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault/access"
)

// A decision is what one view says about one request, and what should change. Everything that it
// reads for a write becomes a condition of its transaction.
type decision struct {
	v         *Vaults
	view      fsm.View
	look      cluster.Look // zero when the view need not be current
	fenced    bool         // reads ask the leader, whatever lease there is
	now       time.Time
	writes    bool
	txn       fsm.Txn
	size      int  // bytes of what txn writes
	committed bool // the transaction, or an earlier step, was handed to the cluster
	operator  bool // an operator asks, who may know what is deleted
	again     bool // there is more to do than one transaction holds: decide again when this one is applied
	relieves  bool // it frees room or takes a right away: it is done where no room is left
	mustFind  bool // NotFound is a failure in a step after the first too; to a duty it is not

	turn    *turn        // at a core; nil: none is needed
	vault   *vaultRecord // set by admit
	allowed access.Set   // of the caller, in that vault; set by admit
	version string       // that was used or made, for the usage record
	with    string       // the other key that was used, for the usage record
	subject *principal   // whom an operator's act is about, for the usage record
	detail  string       // what it makes so, likewise
}

// read returns the record at path, and holds the transaction to it.
func (d *decision) read(path string) (fsm.Record, bool) {
	r, ok := d.view.Get(path)
	if d.writes && !slices.ContainsFunc(d.txn.Conditions,
		func(c fsm.Condition) bool { return c.Path == path }) {
		c := fsm.Condition{Kind: fsm.Absent, Path: path}
		if ok {
			c.Kind, c.Index = fsm.Unchanged, r.Mod
		}
		d.txn.Conditions = append(d.txn.Conditions, c)
	}
	return r, ok
}

// open opens the record that was read at path.
func (d *decision) open(path string, r fsm.Record) (seal.Plaintext, error) {
	return d.v.openInto(nil, path, r)
}

func (v *Vaults) openInto(dst []byte, path string, r fsm.Record) (seal.Plaintext, error) {
	return v.opened(path, func() (seal.Plaintext, error) {
		return v.cfg.Keyring.Open(dst, path, r.Logical, r.Value)
	})
}

// opened says in the domain's words why a record does not open.
func (v *Vaults) opened(
	path string, open func() (seal.Plaintext, error),
) (seal.Plaintext, error) {
	if v.closed.Load() {
		return nil, seal.ErrSealed
	}
	p, err := v.refreshed(open)
	switch {
	case err == nil:
		return p, nil
	case errors.Is(err, seal.ErrSealed):
		return nil, err
	default:
		return nil, damaged(path)
	}
}

// openFirst is open without the record's tail, where that is sealed apart: a listing decrypts no
// value.
func (v *Vaults) openFirst(path string, r fsm.Record) (seal.Plaintext, error) {
	return v.opened(path, func() (seal.Plaintext, error) {
		return v.cfg.Keyring.OpenFirst(nil, path, r.Logical, r.Value)
	})
}

// refreshed opens what was sealed. Another node may have changed the keyring a moment ago: this
// node's state has the new one by now, since what is sealed under it comes later in the log.
func (v *Vaults) refreshed(open func() (seal.Plaintext, error)) (seal.Plaintext, error) {
	p, err := open()
	if errors.Is(err, seal.ErrUnknownTerm) && v.cfg.Refresh != nil {
		if err := v.cfg.Refresh(); err != nil {
			return nil, err
		}
		return open()
	}
	return p, err
}

// buffers are for what is opened, decoded and erased at once: nothing in them outlives that.
var buffers = sync.Pool{New: func() any { return new(seal.Plaintext) }}

// load reads a record through the cache of what its kind decodes to.
func load[T any](d *decision, c *cache[T], path string) (value T, ok bool, err error) {
	r, ok := d.read(path)
	if !ok {
		return value, false, nil
	}
	value, err = decoded(d, c, path, r)
	return value, err == nil, err
}

// decoded gives what a record of the view decodes to. Unlike load it makes no condition.
func decoded[T any](d *decision, c *cache[T], path string, r fsm.Record) (value T, err error) {
	s := stamp{d.view.Generation(), r.Mod}
	if value, ok := c.find(path, s); ok {
		return value, nil
	}
	if value, err = unkept(d.v, path, r, c.decode); err != nil {
		return value, err
	}
	c.keep(path, s, value)
	return value, nil
}

// unkept is what a record decodes to, without a cache: whoever passes over everything would drive
// out of it what is used.
func unkept[T any](
	v *Vaults, path string, r fsm.Record, decode func([]byte) (T, error),
) (value T, err error) {
	buffer := buffers.Get().(*seal.Plaintext)
	defer buffers.Put(buffer)
	p, err := v.openInto((*buffer)[:0], path, r)
	if err != nil {
		return value, err
	}
	defer p.Zero()
	*buffer = p
	if value, err = decode(p); err != nil {
		return value, damaged(path)
	}
	return value, nil
}

// put seals a record (from encodeRecord, which is cleared) and adds it to the transaction, held to
// what is at path now.
func (d *decision) put(path string, record seal.Plaintext) error {
	defer record.Zero()
	return d.copy(path, record)
}

// copy is put for a record that stays the caller's.
func (d *decision) copy(path string, record []byte) error {
	logical := d.view.Index()
	if r, ok := d.read(path); ok {
		logical = r.Mod
	}
	sealed, err := sealRecord(d.v.cfg.Keyring, path, logical, record)
	if err != nil {
		return err
	}
	d.txn.Writes = append(d.txn.Writes, fsm.Write{Path: path, Logical: logical, Value: sealed})
	d.size += len(path) + len(sealed)
	return nil
}

// store encodes and puts a record without a tail.
func (d *decision) store(path string, meta any) error {
	record, err := encodeRecord(meta, nil)
	if err != nil {
		return err
	}
	return d.put(path, record)
}

// remove adds a deletion, held to what is at path now; there is nothing to do where nothing is.
func (d *decision) remove(path string) {
	if _, ok := d.read(path); ok {
		d.txn.Writes = append(d.txn.Writes, fsm.Write{Path: path, Delete: true})
	}
}

// full says that the transaction holds no condition more. Every write has one on its own path, so
// conditions run out first.
func (d *decision) full() bool { return len(d.txn.Conditions) == fsm.MaxConditions }

// room says that the transaction holds one record more, of so many bytes before it is sealed,
// beside what belongs to every step.
func (d *decision) room(bytes int) bool {
	return !d.full() &&
		d.size+bytes < fsm.MaxTxnBytes-maxAround
}

// maxAround is more than conditions, envelopes, paths and a head take beside the records of one
// transaction.
const maxAround = 64 << 10
