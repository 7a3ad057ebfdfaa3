package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
)

// Wrappers are ways to the root key beside the shares (seal.Wrapper): a node that can use the
// foreign key of one unseals itself when it starts (unattended.go). The list of them is part of the
// seal record. What it takes to use a foreign key is in a node's configuration and nowhere else, so
// that nobody who can write to a sealed node's folder can have its credentials sent to him.

// A ForeignKey is a key that is not the cluster's, as this node's configuration names it. Its calls
// end with their context, and their errors hold no secrets. One of their errors may have a method
// Final() bool that says true: whoever asks by himself does not ask again, as a token in hardware
// locks after a few wrong PINs.
type ForeignKey interface {
	Kind() string  // such as "age"; the list has it
	About() string // which key it is, in printable ASCII, for people; the list has it
	Wrap(ctx context.Context, key []byte) (wrapped []byte, err error)
	Unwrap(ctx context.Context, wrapped []byte) (key []byte, err error)
}

// wrapperWait is for one use of a foreign key.
const wrapperWait = 10 * time.Second

var (
	// ErrWrappersAltered: somebody without the root key has changed the list of wrappers.
	ErrWrappersAltered = seal.ErrWrappersAltered

	errWrapperOther = errors.New("this node's configuration names another kind of key for it")
	errWrapperRoot  = errors.New("what it opens is not the cluster's root key")
	errKeyringDue   = fmt.Errorf("%w: the change of the keyring that ends the change of the "+
		"shares is still to come: try again in a few seconds", cluster.ErrUnavailable)
)

// A WrapperInfo is one of the list, as this node sees it.
type WrapperInfo struct {
	Name, Kind, About string
	Configured        bool  // this node's configuration names its foreign key
	Trouble           error // why it does not open here; nil where it does, or was not tried
}

// Wrappers are those of the cluster.
func (n *Node) Wrappers() ([]WrapperInfo, error) {
	_, list, err := n.vouchedWrappers()
	if err != nil {
		return nil, err
	}
	infos := make([]WrapperInfo, len(list))
	for i, w := range list {
		_, err := n.foreignKey(w)
		infos[i] = WrapperInfo{w.Name, w.Kind, w.About, err == nil, nil}
	}
	return infos, nil
}

// TestWrappers opens each that this node's configuration names, and compares what it opens with the
// root key.
func (n *Node) TestWrappers(ctx context.Context) ([]WrapperInfo, error) {
	record, list, err := n.vouchedWrappers()
	if err != nil {
		return nil, err
	}
	_, k, err := n.unsealed()
	if err != nil {
		return nil, err
	}
	infos, err := n.Wrappers()
	if err != nil {
		return nil, err
	}
	var all sync.WaitGroup
	for i, w := range list {
		all.Go(func() { infos[i].Trouble = n.proveWrapper(ctx, w, record.Lock, k.root) })
	}
	all.Wait()
	return infos, nil
}

// vouchedWrappers is the list of the state, for which this node's root key vouches.
func (n *Node) vouchedWrappers() (seal.Record, []seal.Wrapper, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return seal.Record{}, nil, err
	}
	record, err := k.vouched(m.cluster.View())
	return record, record.Wrappers(), err
}

// vouched is the seal record of a view, if its wrappers are the cluster's own.
func (k *keys) vouched(view fsm.View) (seal.Record, error) {
	record, err := sealRecordIn(view)
	switch {
	case err != nil:
		return seal.Record{}, err
	case k.root.Generation() != record.Generation:
		return seal.Record{}, errNoRoot
	}
	return record, k.root.Vouches(record)
}

// foreignKey is the key of a wrapper that this node's configuration names.
func (n *Node) foreignKey(w seal.Wrapper) (ForeignKey, error) {
	key := n.config.Wrappers[w.Name]
	switch {
	case key == nil:
		return nil, fmt.Errorf("this node's configuration names no seal wrapper %q", w.Name)
	case key.Kind() != w.Kind:
		return nil, errWrapperOther
	}
	return key, nil
}

// openWrapper uses the foreign key of a wrapper.
func (n *Node) openWrapper(ctx context.Context, w seal.Wrapper, l seal.Lock) (*seal.Root, error) {
	key, err := n.foreignKey(w)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wrapperWait)
	defer cancel()
	return w.Open(l, func(wrapped []byte) (seal.Plaintext, error) { return key.Unwrap(ctx, wrapped) })
}

// proveWrapper says why a wrapper does not open this root key.
func (n *Node) proveWrapper(
	ctx context.Context, w seal.Wrapper, l seal.Lock, root *seal.Root,
) error {
	opened, err := n.openWrapper(ctx, w, l)
	if err != nil {
		return err
	}
	defer opened.Close()
	if !opened.Equals(root) {
		return errWrapperRoot
	}
	return nil
}

// wrap makes a wrapper of a root key, and has it opened once before anybody relies on it.
func (n *Node) wrap(
	ctx context.Context, name string, l seal.Lock, root *seal.Root,
) (seal.Wrapper, error) {
	key := n.config.Wrappers[name]
	within, cancel := context.WithTimeout(ctx, wrapperWait)
	defer cancel()
	w := seal.Wrapper{Name: name, Kind: key.Kind(), About: key.About()}
	w, err := root.Wrap(l, w, func(wrapping seal.Plaintext) ([]byte, error) {
		return key.Wrap(within, wrapping)
	})
	if err != nil {
		return w, err
	}
	return w, n.proveWrapper(ctx, w, l, root)
}

// RemoveWrapper takes one off the list. Whoever has its foreign key and a copy of the seal record
// from before opens the root key all the same: only a change of the shares ends that.
func (n *Node) RemoveWrapper(ctx context.Context, name string) error {
	m, k, err := n.unsealed()
	if err != nil {
		return err
	}
	none := &CeremonyError{fmt.Sprintf("there is no seal wrapper %q", name)}
	return n.changeWrappers(ctx, m, k, func(list []seal.Wrapper) ([]seal.Wrapper, error) {
		left := slices.DeleteFunc(list, func(w seal.Wrapper) bool { return w.Name == name })
		if len(left) == len(list) {
			return nil, none
		}
		return left, nil
	})
}

// changeWrappers puts another list in the place of the one that is. The keyring is wrapped anew, by
// the same root key: seal record and keyring change together, always.
func (n *Node) changeWrappers(ctx context.Context, m *member, k *keys,
	edit func([]seal.Wrapper) ([]seal.Wrapper, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(k.working, cancel)() // sealing waits for nobody
	return m.change(ctx, fsm.Reseal, func(view fsm.View, txn *fsm.Txn) error {
		if resealed(view) {
			return errKeyringDue
		}
		record, err := k.vouched(view)
		if err != nil {
			return err
		}
		list, err := edit(record.Wrappers())
		if err != nil {
			return err
		}
		next, err := k.root.WithWrappers(record, list)
		if err != nil {
			return err
		}
		keyring, err := k.rewrap(view, k.root)
		if err != nil {
			return err
		}
		cluster.Put(txn, view, pathSeal, next.Encode())
		cluster.Put(txn, view, pathKeyring, keyring)
		return nil
	})
}

// carryOver wraps the root key of new shares as the one before it is. It names those wrappers that
// can't be had here: they open nothing any more when the new shares are in force.
func (n *Node) carryOver(ctx context.Context, k *keys, old, record seal.Record, root *seal.Root) (
	_ seal.Record, dropped []string, err error,
) {
	before := old.Wrappers()
	if err := k.root.Vouches(old); err != nil {
		n.logger().Error("no seal wrapper goes over to the new root key", "error", err)
		return record, namesOf(before), nil
	}
	made, failed := make([]seal.Wrapper, len(before)), make([]error, len(before))
	var all sync.WaitGroup
	for i, w := range before {
		all.Go(func() {
			if _, failed[i] = n.foreignKey(w); failed[i] == nil {
				made[i], failed[i] = n.wrap(ctx, w.Name, record.Lock, root)
			}
		})
	}
	all.Wait()
	var list []seal.Wrapper
	for i, w := range before {
		if failed[i] == nil {
			list = append(list, made[i])
			continue
		}
		dropped = append(dropped, w.Name)
		n.logger().Warn("a seal wrapper does not go over to the new root key", "wrapper", w.Name,
			"error", failed[i])
	}
	record, err = root.BeginWrappers(record, list)
	return record, dropped, err
}

// unconfigured are the wrappers of a record that this node can't carry over.
func (n *Node) unconfigured(record seal.Record) []string {
	return namesOf(slices.DeleteFunc(record.Wrappers(), func(w seal.Wrapper) bool {
		_, err := n.foreignKey(w)
		return err == nil
	}))
}

func namesOf(list []seal.Wrapper) (names []string) {
	for _, w := range list {
		names = append(names, w.Name)
	}
	return names
}

// withWrapper is a list with one more, in the order of their names.
func withWrapper(list []seal.Wrapper, w seal.Wrapper) []seal.Wrapper {
	at, _ := slices.BinarySearchFunc(list, w.Name, func(w seal.Wrapper, name string) int {
		return strings.Compare(w.Name, name)
	})
	return slices.Insert(list, at, w)
}
