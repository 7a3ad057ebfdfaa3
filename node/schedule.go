package node

import (
	"context"
	"errors"
	"time"

	"keyquorum/audit"
	"keyquorum/fsm"
	"keyquorum/internal/uuid"
)

// A KeyringSchedule says when the leader changes the keyring by itself.
type KeyringSchedule struct {
	Enabled       bool
	MaxOperations uint64        // entries of the log since the last change
	Interval      time.Duration // since the last change; 0: however long
}

// Bounds of a schedule. The count is that of the ciphers that other vaults use. This one needs
// none: a box has a nonce of 192 random bits. The line of transaction keys has 4,096 places
// (docs/formats-fsm.md), at a change a day for eleven years.
const (
	leastOperations = 1_000_000
	mostOperations  = 3_865_470_566
	leastInterval   = 24 * time.Hour
)

// defaultSchedule is that of a cluster that nobody gave one.
var defaultSchedule = KeyringSchedule{Enabled: true, MaxOperations: mostOperations}

// ErrSchedule: a schedule is out of its bounds.
var ErrSchedule = errors.New("node: max_operations is 1000000 to 3865470566, interval 0 or at " +
	"least 24 hours, in whole seconds")

func (s KeyringSchedule) valid() bool {
	return s.MaxOperations >= leastOperations && s.MaxOperations <= mostOperations &&
		(s.Interval == 0 || s.Interval >= leastInterval) && s.Interval%time.Second == 0
}

// scheduleRecord is what pathSchedule holds, sealed.
type scheduleRecord struct {
	_             struct{} `cbor:",toarray"`
	Enabled       bool
	MaxOperations uint64
	Interval      int64 // seconds
}

func (k *keys) schedule(view fsm.View) (KeyringSchedule, error) {
	r, ok, err := openSealed[scheduleRecord](k, view, pathSchedule)
	if err != nil || !ok {
		return defaultSchedule, err
	}
	return KeyringSchedule{r.Enabled, r.MaxOperations, time.Duration(r.Interval) * time.Second}, nil
}

// KeyringSchedule is the cluster's.
func (n *Node) KeyringSchedule() (KeyringSchedule, error) {
	m, k, err := n.unsealed()
	if err != nil {
		return KeyringSchedule{}, err
	}
	return k.schedule(m.cluster.View())
}

// SetKeyringSchedule changes it. change is given the one that holds, and may be called again.
func (n *Node) SetKeyringSchedule(
	ctx context.Context, change func(KeyringSchedule) (KeyringSchedule, error),
) error {
	m, k, err := n.unsealed()
	if err != nil {
		return err
	}
	return m.change(ctx, fsm.Ordinary, func(view fsm.View, txn *fsm.Txn) error {
		s, err := k.schedule(view)
		if err != nil {
			return err
		}
		if s, err = change(s); err != nil {
			return err
		}
		if !s.valid() {
			return ErrSchedule
		}
		return putSealed(txn, view, k.keyring, pathSchedule, scheduleRecord{Enabled: s.Enabled,
			MaxOperations: s.MaxOperations, Interval: int64(s.Interval / time.Second)})
	})
}

// rotateWhenDue changes the keyring, once, if the schedule has it. It is decided on each view anew:
// where another was faster it is not due any more.
func (n *Node) rotateWhenDue(ctx context.Context, m *member, k *keys) error {
	if err := n.noteRotation(ctx, m, k); err != nil { // who changed it last may have come to no more
		return err
	}
	due, err := n.rotationDue(k, m.cluster.View())
	if err != nil || !due {
		return err
	}
	e := audit.Entry{Time: n.config.Now(), RequestID: uuid.New(), Node: n.config.Label,
		Plane: "node", Operation: "sys/rotate", Detail: "by schedule", Status: 202}
	if err := n.audit.Write(&e); err != nil {
		return err
	}
	begun := time.Now()
	_, err = n.changeKeyring(ctx, func(view fsm.View) (change, error) {
		due, err := n.rotationDue(k, view)
		return change{due: due}, err
	})
	e.Time, e.Duration, e.Status = n.config.Now(), time.Since(begun), 200
	if err != nil {
		e.Status, e.Code = 503, "Unavailable"
	}
	return errors.Join(err, n.audit.Write(&e))
}

// rotationDue says whether a view has the keyring changed by the schedule. Since when a term has
// been the newest is written after its change: without that it is not due.
func (n *Node) rotationDue(k *keys, view fsm.View) (bool, error) {
	s, err := k.schedule(view)
	if err != nil || !s.Enabled {
		return false, err
	}
	since, ok, err := openSealed[keyringSince](k, view, pathSince)
	if err != nil || !ok || since.Term != view.Line().Newest().Term {
		return false, err
	}
	r, _ := view.Get(pathKeyring)
	age := n.config.Now().Sub(time.Unix(since.Time, 0))
	return view.Index()-r.Mod >= s.MaxOperations || s.Interval > 0 && age >= s.Interval, nil
}
