package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fxamacker/cbor/v2"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/internal/release"
	"keyquorum/seal"
)

// Keys change while nodes serve. The keyring is in the state, wrapped, and each unsealed node
// follows it: a new term is known to a node before it can meet a record that is sealed under it,
// since the record comes later in the log.

// errForeignKeyring: somebody put another cluster's state, or an old one, under this node's shares.
var errForeignKeyring = errors.New("node: the keyring does not hold the transaction key " +
	"that this node's state goes by: its folder was altered; remove it and join anew")

// rightful says whether a keyring holds the key that the state in view goes by.
func rightful(keyring *seal.Keyring, view fsm.View) error {
	newest := view.Line().Newest()
	public, ok := keyring.Public(newest.Term)
	if !ok || keyring.Term() != newest.Term || !bytes.Equal(public, newest.Public) {
		return errForeignKeyring
	}
	return nil
}

// refresh takes over the keyring of the state, if it is another one than before. errNoRoot: it is
// wrapped by the root key of newer shares.
func (k *keys) refresh(view fsm.View) error {
	k.refreshing.Lock()
	defer k.refreshing.Unlock()
	r, ok := view.Get(pathKeyring)
	if !ok || r.Mod <= k.wrapped {
		return nil
	}
	newer, err := k.unwrapLocked(view)
	if err != nil {
		return fmt.Errorf("node: the new keyring does not open: %w", err)
	}
	defer newer.Close()
	return k.adoptLocked(view, newer)
}

// adoptLocked takes over the keyring of a view.
func (k *keys) adoptLocked(view fsm.View, newer *seal.Keyring) error {
	r, _ := view.Get(pathKeyring)
	if err := k.keyring.Adopt(newer); err != nil {
		return err
	}
	k.wrapped = r.Mod
	return nil
}

// followKeyring ends with the keys.
func (n *Node) followKeyring(m *member, k *keys) {
	for {
		view := m.cluster.View()
		err := k.refresh(view)
		if errors.Is(err, errNoRoot) {
			if err = n.awaitRoot(m, k); err == nil {
				continue
			}
		}
		if err != nil && k.working.Err() == nil {
			n.logger().Error("this node does not follow the keyring, and seals itself", "error", err)
			n.wg.Go(n.sealNow)
			return
		}
		if m.cluster.Wait(k.working, view.Index()+1) != nil {
			return
		}
	}
}

// RotateKeyring gives the cluster a new data key and a new transaction key, while all nodes serve.
// What is sealed under older terms stays readable; what an older transaction key signs is refused
// from now on.
func (n *Node) RotateKeyring(ctx context.Context) (term uint32, err error) {
	return n.changeKeyring(ctx, func(fsm.View) (change, error) { return change{due: true}, nil })
}

// A change is what is to be done with the keyring of a view.
type change struct {
	due  bool // it gets a new term
	drop bool // and loses the data keys that nothing is sealed under
}

// changeKeyring does what decide says of the newest view, and says which term is the newest then.
// Where others were faster it is asked again.
func (n *Node) changeKeyring(
	ctx context.Context, decide func(fsm.View) (change, error),
) (term uint32, err error) {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return 0, ErrSealed
	}
	for {
		view := m.cluster.View()
		if err := k.refresh(view); err != nil {
			return 0, err
		}
		c, err := decide(view)
		if err != nil || !c.due {
			return view.Line().Newest().Term, err
		}
		if c.drop {
			if err := m.cluster.Awaits(release.Dropping); err != nil {
				return 0, err
			}
		}
		txn, err := k.rotation(view, fsm.Rotate, c.drop)
		if err != nil {
			return 0, err
		}
		outcome, err := m.cluster.Commit(ctx, txn)
		if err != nil {
			return 0, err
		}
		if outcome.Kind == fsm.Applied {
			break
		}
		if err := m.cluster.Wait(ctx, outcome.At); err != nil {
			return 0, err
		}
	}
	view := m.cluster.View()
	if err := k.refresh(view); err != nil {
		return 0, err
	}
	if err := n.noteRotation(ctx, m, k); err != nil { // it is changed all the same
		n.logger().Warn("since when the keyring is what it is has not been noted yet", "error", err)
	}
	return view.Line().Newest().Term, nil
}

// noteRotation writes down since when the keyring has been what it is, where nobody has. That is
// the new key's word for the state, too, at once: without it nobody takes a snapshot any more.
func (n *Node) noteRotation(ctx context.Context, m *member, k *keys) error {
	return m.change(ctx, fsm.Ordinary, func(view fsm.View, txn *fsm.Txn) error {
		newest := view.Line().Newest().Term
		since, ok, err := openSealed[keyringSince](k, view, pathSince)
		if err != nil || ok && since.Term == newest {
			return err
		}
		return putSealed(txn, view, k.keyring, pathSince,
			keyringSince{Term: newest, Time: n.config.Now().Unix()})
	})
}

// keyringSince is what pathSince holds, sealed: when the newest term began.
type keyringSince struct {
	_    struct{} `cbor:",toarray"`
	Term uint32
	Time int64 // Unix seconds
}

// putSealed adds a write of a sealed record, held to what is at path now.
func putSealed(txn *fsm.Txn, view fsm.View, k *seal.Keyring, path string, record any) error {
	plain, err := cbor.Marshal(record)
	if err != nil {
		return err
	}
	defer clear(plain)
	cluster.Put(txn, view, path, nil)
	w := &txn.Writes[len(txn.Writes)-1]
	w.Value, err = k.Seal(nil, path, w.Logical, plain)
	return err
}

// openSealed reads what putSealed wrote.
func openSealed[T any](k *keys, view fsm.View, path string) (record T, ok bool, err error) {
	r, ok := view.Get(path)
	if !ok {
		return record, false, nil
	}
	if err := k.refresh(view); err != nil { // it may be sealed under a term that came with this view
		return record, false, err
	}
	plain, err := k.keyring.Open(nil, path, r.Logical, r.Value)
	if err != nil {
		return record, false, err
	}
	defer plain.Zero()
	if err := cbor.Unmarshal(plain, &record); err != nil {
		return record, false, fmt.Errorf("node: the record %s is not readable", path)
	}
	return record, true, nil
}

// A KeyStatus is what an operator may know of the keyring.
type KeyStatus struct {
	Term    uint32
	Since   time.Time // zero: not known
	Older   int       // terms before it, which open what was sealed under them
	Entries uint64    // of the log since then
	Left    int       // records that are sealed under those terms
}

// KeyStatus describes the newest term, as this node knows it.
func (n *Node) KeyStatus() (KeyStatus, error) {
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return KeyStatus{}, ErrSealed
	}
	view := m.cluster.View()
	if err := k.refresh(view); err != nil && !errors.Is(err, errNoRoot) {
		return KeyStatus{}, err
	}
	s := KeyStatus{Term: view.Line().Newest().Term, Older: k.keyring.Older(), Left: outdated(view)}
	if r, ok := view.Get(pathKeyring); ok {
		s.Entries = view.Index() - r.Mod
	}
	since, ok, err := openSealed[keyringSince](k, view, pathSince)
	if ok && since.Term == s.Term {
		s.Since = time.Unix(since.Time, 0).UTC()
	}
	return s, err
}

// keyringOf unwraps the keyring of a view for the next one to be made of it. ErrUnavailable: the
// view is older than this node's root key by now.
func (k *keys) keyringOf(view fsm.View) (*seal.Keyring, error) {
	wrapped, ok := view.Get(pathKeyring)
	if !ok {
		return nil, errForeignKeyring
	}
	keyring, err := k.root.UnwrapKeyring(wrapped.Value)
	if errors.Is(err, seal.ErrWrongKey) {
		return nil, fmt.Errorf("%w: %w", cluster.ErrUnavailable, err)
	}
	return keyring, err
}

// rotation is a transaction of a verb that gives keyring and transaction key a successor. With drop
// nothing in the view may be sealed under another term than the newest.
func (k *keys) rotation(view fsm.View, verb fsm.Verb, drop bool) (fsm.Txn, error) {
	none := fsm.Txn{}
	next, err := k.keyringOf(view)
	if err != nil {
		return none, err
	}
	defer next.Close()
	last := next.Term()
	if err := next.Rotate(); err != nil {
		return none, err
	}
	if drop {
		if err := next.Drop(); err != nil {
			return none, err
		}
	}
	public, _ := next.Public(next.Term())
	endorsement, err := next.SignUnder(last, fsm.EndorsementOf(next.Term(), public))
	if err != nil {
		return none, err
	}
	line, err := view.Line().Extend(next.Term(), public, endorsement).Encode()
	if err != nil {
		return none, err
	}
	wrapped, err := k.root.WrapKeyring(next)
	if err != nil {
		return none, err
	}
	txn := view.Begin(verb)
	cluster.Put(&txn, view, pathKeyring, wrapped)
	cluster.Put(&txn, view, fsm.PathKeys, line)
	return txn, nil
}
