package node

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"keyquorum/audit"
	"keyquorum/fsm"
	"keyquorum/internal/uuid"
	"keyquorum/seal"
	"keyquorum/storage"
)

// A node whose configuration names wrappers unseals itself when it starts: from then on until it
// was unsealed, or sealed. Shares can be given at any time meanwhile. Whoever seals a node wants it
// sealed: it stays so, also after a restart, until enough shares were given to it.

const (
	unattendedRest = time.Second
	unattendedMost = time.Minute // between two attempts
)

// fileHeld is there while an operator keeps the member sealed.
const fileHeld = "sealed"

// heldWait is how long whoever seals a node waits until it has written that down.
const heldWait = 5 * time.Second

var errSlowDisk = errors.New("the disk does not answer")

// What SealStatus.Unattended says.
const (
	UnattendedTrying = "trying" // this node tries to unseal itself by its wrappers
	UnattendedHeld   = "held"   // an operator has sealed it: it waits for shares
)

var errWrapperGone = errors.New("it was taken off the list of the cluster's wrappers")

// unattendedStatus is empty for a node without wrappers, and for one that does not try.
func (n *Node) unattendedStatus() string {
	m := n.member.Load()
	switch {
	case m == nil || len(n.config.Wrappers) == 0 || n.keys.Load() != nil:
		return ""
	case n.held.Load():
		return UnattendedHeld
	case n.unattended.Err() == nil && len(m.sealRecord().Wrappers()) > 0:
		return UnattendedTrying
	}
	return ""
}

// readHeld says whether an operator has sealed this member. What can't be looked at holds.
func (n *Node) readHeld() {
	_, err := os.Lstat(filepath.Join(n.memberDir(), fileHeld))
	if held := !errors.Is(err, fs.ErrNotExist); held {
		n.held.Store(true)
		n.stopUnattended()
	}
	if n.held.Load() && len(n.config.Wrappers) > 0 {
		n.logger().Warn("this node was sealed by an operator: it stays sealed until it is given its " +
			"unseal shares, whatever its wrappers open")
	}
}

// hold keeps the member sealed from now on. Nobody who comes after waits for the disk.
func (n *Node) hold() error {
	n.mu.Lock()
	if n.ctx.Err() != nil {
		n.mu.Unlock()
		return errClosed
	}
	n.held.Store(true)
	written := make(chan error, 1)
	n.wg.Go(func() { written <- n.writeHeld() })
	n.mu.Unlock()
	var err error
	select {
	case err = <-written:
	case <-time.After(heldWait):
		err = errSlowDisk
	}
	if err == nil || len(n.config.Wrappers) == 0 {
		return nil
	}
	n.logger().Error("this node is sealed, and could not write that down: its next start unseals it",
		"error", err)
	return fmt.Errorf("sealed, but at its next start this node unseals itself, as it could not "+
		"write down that it shall not: %w", err)
}

func (n *Node) writeHeld() error {
	path := filepath.Join(n.memberDir(), fileHeld)
	err := storage.WriteFile(path, nil)
	if !n.held.Load() { // enough shares have come meanwhile
		_ = os.Remove(path)
	}
	return err
}

// releaseLocked ends that: enough shares were given. If the mark can't be taken away, the member's
// next start waits for shares again.
func (n *Node) releaseLocked() {
	if !n.held.Swap(false) {
		return
	}
	err := os.Remove(filepath.Join(n.memberDir(), fileHeld))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		n.logger().Warn("the next start of this node needs shares again: it could not forget that it "+
			"was sealed by an operator", "error", err)
	}
}

// attempts are what is remembered from one attempt to the next, by the names of wrappers.
type attempts struct {
	told  map[string]string // why one does not open, as the log has it
	ended map[string]bool   // those that must not be asked again: isFinal
}

// isFinal says whether an error of a foreign key forbids to ask again. People may, by a command or
// another start.
func isFinal(err error) bool {
	var final interface{ Final() bool }
	return errors.As(err, &final) && final.Final()
}

// errNoneLeft: each wrapper that this node could ask has ended.
var errNoneLeft = errors.New("no wrapper of this node may be asked again")

// openUnattended ends when the node is unsealed, or sealed, or closed, or when no wrapper is left
// that may be asked. It is for each member.
func (n *Node) openUnattended(m *member) {
	if len(n.config.Wrappers) == 0 {
		return
	}
	ctx := n.unattended
	defer n.stopUnattended()
	a := &attempts{make(map[string]string), make(map[string]bool)}
	for rest := unattendedRest; ctx.Err() == nil && n.keys.Load() == nil; {
		if err := n.tryUnattended(ctx, m, a); err == nil || errors.Is(err, errNoneLeft) {
			return
		}
		select {
		case <-time.After(rest):
			rest = min(2*rest, unattendedMost)
		case <-ctx.Done():
		}
	}
}

// tryUnattended makes one attempt. It waits, without an end of its own, for the cluster to bring the
// keyring once a wrapper has opened.
func (n *Node) tryUnattended(ctx context.Context, m *member, a *attempts) error {
	if n.isOpening() { // shares were faster
		return ErrUnsealed
	}
	if why := m.cluster.Unfit(); why != nil {
		n.tellOnce(a, "", why)
		return why
	}
	root, w, err := n.openAny(ctx, m.sealRecord(), a)
	if err != nil {
		return err
	}
	id := uuid.New() // of both usage records
	opened, err := n.beginUnattended(ctx, root, w, id)
	if err != nil {
		root.Close()
		n.tellOnce(a, w.Name, err)
		return err
	}
	select {
	case err = <-opened:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		n.tellOnce(a, w.Name, err)
		return err
	}
	n.logger().Info("this node has unsealed itself", "wrapper", w.Name)
	if err := n.recordUnattended(w, id, 200); err != nil {
		n.logger().Error("done, and the usage record of it could not be written", "error", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.ceremony != nil && n.keys.Load() != nil {
		n.ceremony.Reset() // shares that were given meanwhile
	}
	n.noteLocked()
	return nil
}

// errNoWrapper: no wrapper has opened.
var errNoWrapper = errors.New("no wrapper of this node opens the root key")

func (n *Node) isOpening() bool {
	n.keysMu.Lock()
	defer n.keysMu.Unlock()
	return n.opening != nil
}

// beginUnattended opens the node with a root key that a wrapper gave, unless shares were faster, or
// it was sealed.
func (n *Node) beginUnattended(
	ctx context.Context, root *seal.Root, w seal.Wrapper, id string,
) (<-chan error, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil || n.held.Load() || n.isOpening() || n.keys.Load() != nil {
		return nil, ErrUnsealed
	}
	if err := n.recordUnattended(w, id, 202); err != nil {
		return nil, fmt.Errorf("it can't be recorded, so nothing is unsealed: %w", err)
	}
	return n.openKeysLocked(root, w), nil
}

// openAny tries all wrappers at once, and takes the root key of the first that opens.
func (n *Node) openAny(
	ctx context.Context, record seal.Record, a *attempts,
) (*seal.Root, seal.Wrapper, error) {
	type result struct {
		root    *seal.Root
		wrapper seal.Wrapper
		err     error
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	list, err := n.askable(record, a)
	if err != nil {
		return nil, seal.Wrapper{}, err
	}
	results := make(chan result)
	for _, w := range list {
		n.wg.Go(func() {
			root, err := n.openVouched(ctx, w, record)
			results <- result{root, w, err}
		})
	}
	var first result
	for range list {
		r := <-results
		switch {
		case isFinal(r.err):
			a.ended[r.wrapper.Name] = true
			n.tellEnd(r.wrapper.Name, r.err)
		case r.err != nil && ctx.Err() == nil:
			n.tellOnce(a, r.wrapper.Name, r.err)
		case r.err != nil:
		case first.root != nil:
			r.root.Close()
		default:
			first = r
			stop()
		}
	}
	if first.root == nil {
		return nil, seal.Wrapper{}, errNoWrapper
	}
	return first.root, first.wrapper, nil
}

// askable are those of a list that this node can ask, and may.
func (n *Node) askable(record seal.Record, a *attempts) (list []seal.Wrapper, err error) {
	ended := 0
	for _, w := range record.Wrappers() {
		_, err := n.foreignKey(w)
		switch {
		case err != nil:
			n.tellOnce(a, w.Name, err)
		case a.ended[w.Name]:
			ended++
		default:
			list = append(list, w)
		}
	}
	switch {
	case len(list) > 0:
		return list, nil
	case ended > 0:
		return nil, errNoneLeft
	case len(record.Wrappers()) > 0:
		n.tellOnce(a, "",
			errors.New("the cluster has no wrapper that this node's configuration names"))
	}
	return nil, errNoWrapper
}

// openVouched takes no root key that does not vouch for the list.
func (n *Node) openVouched(
	ctx context.Context, w seal.Wrapper, record seal.Record,
) (*seal.Root, error) {
	root, err := n.openWrapper(ctx, w, record.Lock)
	if err != nil {
		return nil, err
	}
	if err := root.Vouches(record); err != nil {
		root.Close()
		return nil, err
	}
	return root, nil
}

// recordUnattended writes a usage record: one before this node is unsealed, one after it.
func (n *Node) recordUnattended(w seal.Wrapper, id string, status int) error {
	return n.audit.Write(&audit.Entry{
		Time: n.config.Now(), RequestID: id, Node: n.config.Label, Plane: "node",
		Operation: "sys/unseal", Object: w.Name, Status: status, Detail: "by a seal wrapper",
	})
}

// tellOnce logs why a wrapper does not open, each time that it is for another reason.
func (n *Node) tellOnce(a *attempts, wrapper string, err error) {
	if a.told[wrapper] == err.Error() {
		return
	}
	a.told[wrapper] = err.Error()
	n.logger().Warn("this node waits: a seal wrapper does not unseal it, and neither have enough "+
		"unseal shares; it tries again", "wrapper", wrapper, "error", err)
}

// tellEnd logs that a wrapper is not asked again.
func (n *Node) tellEnd(wrapper string, err error) {
	n.logger().Error("a seal wrapper does not unseal this node, and it is not asked again until the "+
		"next start: put right what it says, and start the node again, or give it its unseal shares",
		"wrapper", wrapper, "error", err)
}

// checkWrappers refuses what a wrapper has opened that the cluster has taken off its list: the copy
// of the seal record in this folder was older. Shares open whatever became of the list. view has all
// that was acknowledged.
func (n *Node) checkWrappers(k *keys, view fsm.View, by seal.Wrapper) error {
	record, err := k.vouched(view)
	if by.Name == "" {
		if errors.Is(err, ErrWrappersAltered) {
			n.logger().Error("no seal wrapper can be relied on: change the shares (operator rekey) to "+
				"begin another list", "error", err)
		}
		return nil
	}
	if err == nil && !slices.Contains(record.Wrappers(), by) {
		err = errWrapperGone
	}
	return err
}
