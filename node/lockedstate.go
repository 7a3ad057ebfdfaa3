package node

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"

	"keyquorum/fsm"
	"keyquorum/seal"
)

// A LockedState is a cluster's state outside of any node, from a file or a folder, and the shares
// that were given for it.
type LockedState struct {
	Cluster           string // its id, 32 hex digits
	Shares, Threshold int    // of the seal in it
	TransactionKey    string // the cluster's first, 64 hex digits: it is in none of another cluster

	fsm      *fsm.FSM
	record   seal.Record
	ceremony *seal.Ceremony
}

func lockedState(f *fsm.FSM) (LockedState, error) {
	r, ok := f.View().Get(pathSeal)
	if !ok || len(f.View().Line()) == 0 {
		return LockedState{}, errors.New("it holds no seal record")
	}
	record, err := seal.DecodeRecord(r.Value)
	if err != nil {
		return LockedState{}, err
	}
	return LockedState{
		Cluster: hex.EncodeToString(record.ClusterID[:]), Shares: record.Shares,
		Threshold: record.Threshold, TransactionKey: hex.EncodeToString(f.View().Line()[0].Public),
		fsm: f, record: record, ceremony: seal.NewCeremony(record),
	}, nil
}

// Share takes an unseal share and says how many are good by now. A wrong one is refused by name, as
// at Unseal, and the progress stays. The share stays the caller's to erase.
func (s *LockedState) Share(share seal.Plaintext) (progress int, err error) {
	progress, err = s.ceremony.Add(share)
	if errors.Is(err, seal.ErrShareForeign) {
		err = errNotOfItsDay
	}
	return progress, err
}

// errNotOfItsDay: the share opens another state than this one, or nothing.
var errNotOfItsDay = fmt.Errorf("%w: it does not open this state", seal.ErrShareForeign)

// Progress is how many shares are good by now.
func (s *LockedState) Progress() int { return s.ceremony.Progress() }

// unlock makes the keys of the shares that were given. They are the caller's to close.
func (s *LockedState) unlock() (*keys, error) {
	root, err := s.ceremony.Open()
	if err != nil {
		return nil, err
	}
	wrapped, _ := s.fsm.View().Get(pathKeyring)
	keyring, err := root.UnwrapKeyring(wrapped.Value)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("the keyring does not open: %w", err)
	}
	if !holdsAll(keyring, s.fsm.View().Line()) {
		seal.CloseBoth(root, keyring)
		return nil, errors.New("the keyring does not hold the transaction keys that the state goes by: " +
			"somebody has put it together")
	}
	return &keys{root: root, keyring: keyring}, nil
}

// holdsAll says whether every key of a line is the keyring's, not only the newest: in a state from
// somewhere else anybody can have the newest follow a key of his own.
func holdsAll(keyring *seal.Keyring, line fsm.Line) bool {
	for _, key := range line {
		if public, ok := keyring.Public(key.Term); !ok || !bytes.Equal(public, key.Public) {
			return false
		}
	}
	return keyring.Term() == line.Newest().Term
}
