package fsm

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// An ID names a transaction: 16 random bytes chosen by the proposer. The first outcome of an ID is
// its outcome for ever.
type ID [16]byte

// NewID draws a random ID.
func NewID() ID {
	var id ID
	rand.Read(id[:]) // never fails: crypto/rand ends the program instead
	return id
}

// A ConditionKind says what a Condition asks of the state.
type ConditionKind uint8

const (
	// Unchanged holds when the record at Path exists and its mod index is Index.
	Unchanged ConditionKind = 1
	// Absent holds when there is no record at Path.
	Absent ConditionKind = 2
	// DirUnchanged holds when nothing below the directory Path (which ends in '/') was created or
	// deleted after Index. With an Index beyond the id window the transaction is TooOld.
	DirUnchanged ConditionKind = 3
)

// A Condition is something that must still be true when the transaction is applied.
type Condition struct {
	_     struct{} `cbor:",toarray"`
	Kind  ConditionKind
	Path  string
	Index uint64 // mod index (Unchanged) or view index (DirUnchanged), neither above the transaction's Base; 0 for Absent
}

// A Write puts Value at Path with the logical version it was sealed for, or deletes Path. A put
// needs a condition on its own path: Logical is that condition's Index, or the transaction's Base
// for an Absent one. A delete needs an Unchanged condition on its own path, and has neither Logical
// nor Value.
type Write struct {
	_       struct{} `cbor:",toarray"`
	Path    string
	Delete  bool
	Logical uint64
	Value   []byte
}

// A Txn is the only command of the state machine: it applies wholly, if every condition holds, or
// not at all. Without conditions and writes it moves the index alone. There is at most one
// condition and one write on a path.
type Txn struct {
	_          struct{} `cbor:",toarray"`
	ID         ID
	Base       uint64   // index of the view it was decided on
	Digest     [32]byte // of the state at Base: who signs vouches for it
	Generation uint64   // restore generation of that view
	Verb       Verb
	Conditions []Condition
	Writes     []Write
}

// Limits of one transaction (encoded bytes, conditions, writes) and of the id window (log indexes).
const (
	MaxTxnBytes   = 1 << 20
	MaxConditions = 64
	MaxWrites     = 64
	IDWindow      = 65536
)

// An OutcomeKind says what became of a transaction.
type OutcomeKind uint8

const (
	Applied         OutcomeKind = 1
	Conflict        OutcomeKind = 2 // a condition failed: Path, At
	TooOld          OutcomeKind = 3 // its base is beyond the id window, or not below its own index
	WrongGeneration OutcomeKind = 4 // the state was restored since its view

	// These change nothing, and are not the outcome of an id.
	Retired OutcomeKind = 5 // signed by a transaction key that has a successor: to be signed again
	Refused OutcomeKind = 6 // not signed, not a transaction, or breaks a rule that no member breaks
	Foreign OutcomeKind = 7 // decided on a state that this one never was: signer and state have different pasts
)

// An Outcome is what the state machine did with a transaction, the same on every node.
type Outcome struct {
	Kind  OutcomeKind
	Index uint64 // log index at which it was decided first
	Path  string // the path of the first condition that failed, with Conflict
	At    uint64 // the index to wait for before deciding again, with Conflict
}

// valid says what in t no proposer may send, whatever the state is.
func (t Txn) valid() error {
	if t.ID == (ID{}) {
		return errors.New("it has no id")
	}
	if len(t.Conditions) > MaxConditions || len(t.Writes) > MaxWrites {
		return fmt.Errorf("%d conditions and %d writes are more than %d and %d", len(t.Conditions),
			len(t.Writes), MaxConditions, MaxWrites)
	}
	conditions := make(map[string]Condition, len(t.Conditions))
	for _, c := range t.Conditions {
		if err := c.valid(t.Base); err != nil {
			return err
		}
		if _, twice := conditions[c.Path]; twice {
			return fmt.Errorf("two conditions on %q", c.Path)
		}
		conditions[c.Path] = c
	}
	written := make(map[string]bool, len(t.Writes))
	for _, w := range t.Writes {
		if err := w.valid(conditions[w.Path], t.Base); err != nil {
			return err
		}
		if written[w.Path] {
			return fmt.Errorf("two writes to %q", w.Path)
		}
		written[w.Path] = true
	}
	return t.validVerb()
}

func (c Condition) valid(base uint64) error {
	path, index := c.Path, c.Index
	switch c.Kind {
	case Unchanged:
		if index == 0 {
			return fmt.Errorf("a condition on %q has no index", c.Path)
		}
	case Absent:
		if index != 0 {
			return fmt.Errorf("an absence of %q has an index", c.Path)
		}
	case DirUnchanged:
		var slash bool
		if path, slash = strings.CutSuffix(c.Path, "/"); !slash {
			return fmt.Errorf("directory %q does not end in a slash", c.Path)
		}
	default:
		return fmt.Errorf("unknown condition kind %d", c.Kind)
	}
	if index > base {
		return fmt.Errorf("a condition on %q has index %d, above the base %d", c.Path, index, base)
	}
	if len(c.Path) > maxPath {
		return errors.New("a path is too long")
	}
	return validPath(path)
}

// valid checks w against the condition on its path, whose Kind is 0 when there is none.
func (w Write) valid(own Condition, base uint64) error {
	if w.Delete {
		if own.Kind != Unchanged {
			return fmt.Errorf("a delete of %q without its mod index", w.Path)
		}
		if w.Logical != 0 || len(w.Value) != 0 {
			return fmt.Errorf("a delete of %q with a value", w.Path)
		}
		return nil
	}
	logical := own.Index
	switch own.Kind {
	case Unchanged:
	case Absent:
		logical = base
	default:
		return fmt.Errorf("a put to %q without a condition on it", w.Path)
	}
	if w.Logical != logical {
		return fmt.Errorf("the logical version %d of %q should be %d", w.Logical, w.Path, logical)
	}
	return nil
}
