package fsm

import (
	"github.com/hashicorp/raft"
)

// What a node snapshots, and sends to others, is a state that an unsealed member has vouched for,
// and the entries behind it, each with its own signature. A sealed node makes and checks such
// snapshots without a key.
//
// A checkpoint has every node keep the state right after it: the candidate. The next transaction
// whose base is the candidate, with the candidate's digest, vouches for it. It takes the place of
// the vouched state, and what lies before it is not needed any more.
type vouching struct {
	vouched   *state // the one before anything, at first; nil while a snapshot is read whose voucher was not met yet
	candidate *state // nil: none
	tail      []tailEntry
	tailBytes int64
	assured   assurance

	free    bool  // checker.free
	refused error // why the newest entry that was refused was
}

// A tailEntry is an entry behind the vouched state. One that was refused has neither type nor data:
// whatever it was, it is not worth its room.
type tailEntry struct {
	index uint64
	kind  byte // tagCommand, tagServers, tagRefused
	data  []byte
}

// tailOverhead is counted for each entry besides its data, in bytes.
const tailOverhead = 48

// remember adds an entry, applied with outcome o, to the tail. c is nil for a configuration.
func (d *draft) remember(l *raft.Log, o Outcome, c *check) {
	e := tailEntry{index: l.Index, kind: tagRefused}
	switch {
	case o.Kind == Refused:
	case l.Type == raft.LogConfiguration:
		e.kind, e.data = tagServers, l.Data
	default:
		e.kind, e.data = tagCommand, l.Data
	}
	d.tail = append(d.tail, e)
	d.tailBytes += int64(len(e.data)) + tailOverhead
	if c == nil || o.Index != l.Index || o.Kind == Refused || o.Kind == Retired || o.Kind == Foreign {
		return // a copy of an old entry says nothing of today
	}
	d.hear(l.Index, c.txn)
	s := d.candidate
	if s != nil && c.txn.Base == s.index && c.txn.Digest == s.digest {
		d.vouch()
	}
	if c.txn.Verb == Checkpoint && o.Kind == Applied {
		d.candidate = d.freeze()
	}
}

// An assurance is the newest term of which a signer, by then knowing that key, has seen a state
// that this one was, and the index at which that was first so. A snapshot up to that index or
// beyond shows it: the signer's entry is behind the vouched state, for nobody vouches for a later
// one without being such a signer.
type assurance struct {
	term  uint32
	index uint64
}

func (d *draft) hear(index uint64, t Txn) {
	keys, ok := d.records.Get(PathKeys)
	if newest := d.line.Newest().Term; d.assured.term < newest && ok && keys.Mod <= t.Base {
		if own, seen := d.past.Get(t.Base); seen && own == t.Digest {
			d.assured = assurance{newest, index}
		}
	}
}

// vouch has the candidate take the place of the vouched state.
func (d *draft) vouch() {
	d.vouched, d.candidate = d.candidate, nil
	var behind []tailEntry
	d.tailBytes = 0
	for _, e := range d.tail {
		if e.index > d.vouched.index {
			behind = append(behind, e)
			d.tailBytes += int64(len(e.data)) + tailOverhead
		}
	}
	d.tail = behind
}

// A Backing says how far the state is vouched for.
type Backing struct {
	Vouched   uint64   // index of the vouched state
	Tail      int64    // bytes of entries behind it
	Candidate uint64   // index of the candidate, 0 for none
	Digest    [32]byte // of the candidate

	// Assured is the index from which on a snapshot is good for members that know the newest
	// transaction key (FSM.Vet). 0: nobody with that key has signed anything that shows it.
	Assured uint64
}

func (d *draft) backing() Backing {
	b := Backing{Vouched: d.vouched.index, Tail: d.tailBytes}
	if d.candidate != nil {
		b.Candidate, b.Digest = d.candidate.index, d.candidate.digest
	}
	if d.assured.term == d.line.Newest().Term {
		b.Assured = d.assured.index
	}
	return b
}
