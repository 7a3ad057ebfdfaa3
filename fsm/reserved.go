package fsm

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Reserved paths: each is written by the verbs below and by no other, whoever signs.
const (
	PathKeys    = "sys/transaction-keys" // a Line, in the clear
	PathMembers = "sys/members"          // Members, in the clear
	PathSeal    = "sys/seal"             // the seal record, in the clear
	PathKeyring = "sys/keyring"          // the keyring, wrapped by the root key
	RemovedDir  = "sys/removed/"         // a mark for each node that was removed for ever
)

// A Verb says what a transaction is for, and so which rules hold for it.
type Verb uint8

const (
	// Ordinary changes the records that are not reserved.
	Ordinary Verb = 0
	// Found makes the cluster: the first transaction of a log, with the reserved records but marks.
	Found Verb = 1
	// Rotate changes the keyring together with the transaction key, which gets a successor.
	Rotate Verb = 2
	// Change changes the members: one is added, gets or loses a vote, has another address or key, or
	// is removed, for ever: then its mark is written too.
	Change Verb = 3
	// Checkpoint changes nothing: each node keeps the state as it is at this entry, for the next
	// signer to vouch for.
	Checkpoint Verb = 4
	// Reseal changes the shares: the seal record, and the keyring, which is wrapped anew by the root
	// key that the new record holds. Neither means anything without the other.
	Reseal Verb = 5
	// Recover makes a cluster of one new member out of what is left of another: its keyring and
	// transaction key get successors, all members before are removed for ever, and the state is of
	// the next generation. Nobody sends it to a cluster that has a leader.
	Recover Verb = 6
	// Restore puts the records of an earlier state, which are staged, in the place of those of now.
	Restore Verb = 7
)

// known says whether this release knows the verb. It knows no rule for another one, so it must not
// judge what another release allows.
func (v Verb) known() bool {
	switch v {
	case Ordinary, Found, Rotate, Change, Checkpoint, Reseal, Recover, Restore:
		return true
	}
	return false
}

func reserved(path string) bool {
	switch path {
	case PathKeys, PathMembers, PathSeal, PathKeyring, PathRestored:
		return true
	}
	return strings.HasPrefix(path, RemovedDir)
}

// validVerb holds the writes of a transaction against its verb. Nothing reserved is ever deleted.
func (t Txn) validVerb() error {
	written := make(map[string]bool)
	marks := 0
	for _, w := range t.Writes {
		if !reserved(w.Path) {
			continue
		}
		if w.Delete {
			return fmt.Errorf("%q is not deleted", w.Path)
		}
		written[w.Path] = true
		if strings.HasPrefix(w.Path, RemovedDir) {
			if err := validMark(w.Path); err != nil {
				return err
			}
			marks++
		}
	}
	only := len(written) == len(t.Writes)
	ok := false
	switch t.Verb {
	case Ordinary:
		ok = len(written) == 0
	case Found:
		ok = len(written) == 4 && marks == 0
	case Rotate:
		ok = only && len(written) == 2 && written[PathKeys] && written[PathKeyring]
	case Change:
		ok = only && len(written) == 1+marks && marks <= 1 && written[PathMembers]
	case Reseal:
		ok = only && len(written) == 2 && written[PathSeal] && written[PathKeyring]
	case Recover:
		ok = only && len(written) == 3+marks && marks > 0 && written[PathKeys] &&
			written[PathKeyring] && written[PathMembers]
	case Restore:
		ok = only && len(written) == 1 && written[PathRestored]
	case Checkpoint:
		ok = len(t.Writes)+len(t.Conditions) == 0
	}
	if !ok {
		return fmt.Errorf("verb %d does not write what is written", t.Verb)
	}
	return nil
}

// value returns what the transaction writes to path.
func (t Txn) value(path string) []byte {
	for _, w := range t.Writes {
		if w.Path == path {
			return w.Value
		}
	}
	return nil
}

// clearVersion begins each clear record that the state machine reads.
const clearVersion = 1

func encodeClear(v any) ([]byte, error) {
	b := bytes.NewBuffer([]byte{clearVersion})
	err := encoding.NewEncoder(b).Encode(v)
	return b.Bytes(), err
}

var clearDecoding = must(cbor.DecOptions{
	DupMapKey:         cbor.DupMapKeyEnforcedAPF,
	IndefLength:       cbor.IndefLengthForbidden,
	TagsMd:            cbor.TagsForbidden,
	ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	MaxArrayElements:  maxLine,
	MaxMapPairs:       16,
	MaxNestedLevels:   5,
}.DecMode())

// decodeClear is strict: what decodes encodes back to the same bytes.
func decodeClear[T any](b []byte) (v T, err error) {
	if len(b) == 0 || b[0] != clearVersion {
		return v, errors.New("it has another version")
	}
	if err := clearDecoding.Unmarshal(b[1:], &v); err != nil {
		return v, err
	}
	again, err := encodeClear(v)
	if err == nil && !bytes.Equal(again, b) {
		err = errors.New("the encoding is not canonical")
	}
	return v, err
}
