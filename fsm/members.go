package fsm

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/hashicorp/raft"
)

// A Member is a node that an unsealed member has signed for.
type Member struct {
	_          struct{} `cbor:",toarray"`
	ID         string   // 32 hex digits
	Address    string   // host:port of its cluster port
	Voter      bool
	Keys       [][]byte // SHA-256 of each public key (SubjectPublicKeyInfo) that speaks for it
	Generation uint64   // of these keys: a certificate of a later one speaks for it too
}

// Members are who belongs to the cluster, by ascending id: what PathMembers holds. Raft's
// configuration follows them, and no other configuration is taken.
type Members []Member

// Bounds of a member list.
const (
	maxMembers     = 256
	maxMemberText  = 300 // bytes of an id or address; a host name has 255 at most
	maxMemberKeys  = 4
	removedIDBytes = 16
)

// Encode is the one encoding of a list.
func (m Members) Encode() ([]byte, error) { return encodeClear(m) }

// DecodeMembers reads what Encode wrote.
func DecodeMembers(b []byte) (Members, error) {
	m, err := decodeClear[Members](b)
	if err == nil {
		err = m.valid()
	}
	if err != nil {
		return nil, fmt.Errorf("fsm: members: %w", err)
	}
	return m, nil
}

func (m Members) valid() error {
	if len(m) > maxMembers {
		return fmt.Errorf("%d members are more than %d", len(m), maxMembers)
	}
	voters := 0
	for i, s := range m {
		if i > 0 && s.ID <= m[i-1].ID {
			return errors.New("the members are not in order")
		}
		if err := s.valid(); err != nil {
			return fmt.Errorf("member %.80q: %w", s.ID, err)
		}
		if s.Voter {
			voters++
		}
	}
	if voters == 0 {
		return errors.New("nobody has a vote")
	}
	return nil
}

func (s Member) valid() error {
	if s.ID == "" || len(s.ID) > maxMemberText || len(s.Address) > maxMemberText {
		return fmt.Errorf("no id, or an id or address of more than %d bytes", maxMemberText)
	}
	if len(s.Keys) > maxMemberKeys {
		return fmt.Errorf("%d keys are more than %d", len(s.Keys), maxMemberKeys)
	}
	for _, k := range s.Keys {
		if len(k) != sha256.Size {
			return errors.New("a key's hash has a wrong length")
		}
	}
	return nil
}

// Find returns the member with an id.
func (m Members) Find(id string) (Member, bool) {
	i := slices.IndexFunc(m, func(s Member) bool { return s.ID == id })
	if i < 0 {
		return Member{}, false
	}
	return m[i], true
}

// With is the list with a member added, or in the place of the one with its id.
func (m Members) With(s Member) Members {
	list := m.Without(s.ID)
	i, _ := slices.BinarySearchFunc(list, s.ID, func(a Member, id string) int {
		return strings.Compare(a.ID, id)
	})
	return slices.Insert(list, i, s)
}

// Without is the list without a member.
func (m Members) Without(id string) Members {
	return slices.DeleteFunc(slices.Clone(m), func(s Member) bool { return s.ID == id })
}

// Matches says whether a Raft configuration is what the list says.
func (m Members) Matches(c raft.Configuration) bool {
	if len(c.Servers) != len(m) {
		return false
	}
	seen := make(map[raft.ServerID]bool, len(c.Servers))
	for _, s := range c.Servers {
		member, ok := m.Find(string(s.ID))
		if !ok || seen[s.ID] || string(s.Address) != member.Address || s.Suffrage != member.suffrage() {
			return false
		}
		seen[s.ID] = true
	}
	return true
}

func (s Member) suffrage() raft.ServerSuffrage {
	if s.Voter {
		return raft.Voter
	}
	return raft.Nonvoter
}

// errRule says that a signed transaction breaks a rule that no member breaks.
var errRule = errors.New("it breaks a rule")

// change says what a new list does to an old one: one thing. removed is the id of a member that
// is gone, "" for none.
func (m Members) change(next Members) (removed string, err error) {
	var added, gone, altered []Member
	for _, s := range next {
		if old, ok := m.Find(s.ID); !ok {
			added = append(added, s)
		} else if !old.same(s) {
			altered = append(altered, s)
		}
	}
	for _, s := range m {
		if _, ok := next.Find(s.ID); !ok {
			gone = append(gone, s)
		}
	}
	switch {
	case len(added)+len(gone)+len(altered) != 1:
		return "", fmt.Errorf("%w: %d members added, %d removed and %d changed at once", errRule,
			len(added), len(gone), len(altered))
	case len(gone) == 1:
		return gone[0].ID, nil
	case len(added) == 1 && added[0].Voter:
		return "", fmt.Errorf("%w: a member begins with a vote", errRule)
	}
	return "", next.addressesDiffer()
}

func (s Member) same(other Member) bool {
	return s.ID == other.ID && s.Address == other.Address && s.Voter == other.Voter &&
		s.Generation == other.Generation &&
		slices.EqualFunc(s.Keys, other.Keys, bytes.Equal)
}

func (m Members) addressesDiffer() error {
	seen := make(map[string]string, len(m))
	for _, s := range m {
		if other, twice := seen[s.Address]; twice {
			return fmt.Errorf("%w: members %s and %s have one address", errRule, other, s.ID)
		}
		seen[s.Address] = s.ID
	}
	return nil
}

// validMark accepts the path of the mark of a removed node.
func validMark(path string) error {
	id, err := hex.DecodeString(strings.TrimPrefix(path, RemovedDir))
	if err != nil || len(id) != removedIDBytes {
		return fmt.Errorf("%q marks no node", path)
	}
	return nil
}

// Equal says whether two lists say the same.
func (m Members) Equal(other Members) bool { return slices.EqualFunc(m, other, Member.same) }

// Configuration is what Raft is to go by.
func (m Members) Configuration() (c raft.Configuration) {
	for _, s := range m {
		c.Servers = append(c.Servers, raft.Server{
			Suffrage: s.suffrage(), ID: raft.ServerID(s.ID), Address: raft.ServerAddress(s.Address),
		})
	}
	return c
}

// MembersAfter is who the members will be when the entries that are still to be applied, in order,
// have been: by what is signed in them. Raft goes by a configuration before the change that it
// follows from is committed, which after a start may only be when the configuration is in the log
// too.
func (v View) MembersAfter(entries iter.Seq2[uint64, []byte]) Members {
	line, members, changed := v.state.line, v.state.members, v.reservedAt()
	for index, data := range entries {
		c := checkEntry(data, line, v.state.anchor)
		if c.refused != nil || c.retired || c.fatal != nil {
			continue
		}
		if _, decided := v.Outcome(c.txn.ID); decided && len(line) > 0 {
			continue
		}
		switch c.txn.Verb {
		case Found:
			line, _ = DecodeLine(c.txn.value(PathKeys))
			members, _ = DecodeMembers(c.txn.value(PathMembers))
		case Rotate:
			next, err := DecodeLine(c.txn.value(PathKeys))
			if err != nil || !next.extends(line) || !changed.hold(c.txn) || v.refuses(index, c.txn) {
				continue
			}
			line = next
		case Reseal:
			if !changed.hold(c.txn) || v.refuses(index, c.txn) {
				continue
			}
		case Change: // a recovery is in no log
			next, err := DecodeMembers(c.txn.value(PathMembers))
			if err != nil || !changed.hold(c.txn) || v.refuses(index, c.txn) {
				continue
			}
			if _, err := members.change(next); err != nil {
				continue
			}
			members = next
		default:
			continue // it writes no record that others are held to here
		}
		changed.note(index, c.txn)
	}
	return members
}

// A reservedAt is at which index each of the records was changed last that a verb of its own
// writes; zero: there is none.
type reservedAt map[string]uint64

func (v View) reservedAt() reservedAt {
	all := make(reservedAt)
	for _, path := range []string{PathKeys, PathKeyring, PathSeal, PathMembers} {
		all[path] = 0
		if r, ok := v.state.records.Get(path); ok {
			all[path] = r.Mod
		}
	}
	return all
}

// hold says whether what a transaction is conditional on holds, as far as these records go.
func (r reservedAt) hold(t Txn) bool {
	return !slices.ContainsFunc(t.Conditions, func(c Condition) bool {
		at, reserved := r[c.Path]
		return reserved && (c.Kind == Absent && at != 0 || c.Kind == Unchanged && c.Index != at)
	})
}

func (r reservedAt) note(index uint64, t Txn) {
	for _, w := range t.Writes {
		if _, reserved := r[w.Path]; reserved {
			r[w.Path] = index
		}
	}
}

// refuses says whether it is known by now that a transaction will not be applied at index: it was
// decided in another generation, too long ago, or on another past.
func (v View) refuses(index uint64, t Txn) bool {
	return t.Generation != v.Generation() || tooOld(index, t) || t.Base <= v.Index() &&
		v.state.doubts(t)
}
