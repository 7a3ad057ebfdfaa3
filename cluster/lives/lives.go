// Package lives judges whether a member's folder has gone back in time or is used twice, by what
// the member said of itself before.
//
// A life is one process on a member's folder. Raft trusts a member to keep what it stored: a vote,
// and an entry that it said it has. A disk that was put back, a copy of a folder and a machine that
// was rolled back have forgotten that, and don't know it. The other members know: each life has a
// number and a name that nobody can guess, and a member tells them in which life it is and how far
// it has come. A member with an older folder can't have said what it once said.
//
// The package has both ends of a hello, as plain data: Self says it and judges the answer; a Book
// keeps what was heard and judges the next one. It uses no clock, lock, goroutine, disk or socket.
// Package cluster has these (hello.go, greet.go), and carries out the judgements. DESIGN.md has the
// rules and what breaks without each.
package lives

import (
	"encoding/hex"
	"strconv"
	"strings"
)

// A Life is what a folder keeps of one.
type Life struct {
	_    struct{} `cbor:",toarray"`
	Name [16]byte // drawn at the start
	Last uint64   // where the log ended when it began
	Term uint64   // Raft's, then
}

// An ID names a life. The zero one is nobody's.
type ID struct {
	_     struct{} `cbor:",toarray"`
	Count uint64   // from 1
	Name  [16]byte
}

// Lives are a member's latest, the newest last. Their counts follow one another.
type Lives struct {
	_     struct{} `cbor:",toarray"`
	Count uint64   // of the newest
	List  []Life
}

// maxLives bounds those that a member remembers and tells.
const maxLives = 16

// Now is the newest. There must be one.
func (l Lives) Now() ID { return ID{Count: l.Count, Name: l.List[len(l.List)-1].Name} }

// wellFormed holds for what Begin made.
func (l Lives) wellFormed() bool {
	n := uint64(len(l.List))
	return n > 0 && n <= maxLives && n <= l.Count
}

// at is the life with a count, while it is remembered.
func (l Lives) at(count uint64) (Life, bool) {
	back := l.Count - count
	if count > l.Count || back >= uint64(len(l.List)) {
		return Life{}, false
	}
	return l.List[uint64(len(l.List))-1-back], true
}

// after is the first life behind one with a count that is remembered.
func (l Lives) after(count uint64) (Life, bool) {
	first := l.Count - uint64(len(l.List)) + 1
	return l.at(max(count+1, first))
}

// Against says why a member with these lives can't be the one that said s before; "": it can.
func (l Lives) Against(s Said) Word {
	then, remembered := l.at(s.Life.Count)
	next, later := l.after(s.Life.Count)
	switch {
	case s.Life.Count > l.Count, remembered && then.Name != s.Life.Name:
		return PutBack
	case s.Rival == l.Now().Name:
		return Copied
	case later && (next.Last < s.Applied || next.Term < s.Term):
		return PutBack
	}
	return ""
}

// WentOn says whether a majority has gone on with a member that said s and has forgotten it:
// another entry is committed in the place of one that it had applied. committed is the index up to
// which it knows the log to be committed in this life; termAt is the term of an entry that it has,
// else 0.
func WentOn(s Said, committed uint64, termAt func(index uint64) uint64) bool {
	if committed < s.Applied {
		return termAt(committed) > s.AppliedTerm // no entry before that one is of a later term
	}
	return termAt(s.Applied) != s.AppliedTerm
}

// String is what a dialler shows, as the server name of TLS: its folder may be a copy, and the
// other end must tell its connections from those of the process beside it.
func (id ID) String() string {
	return strconv.FormatUint(id.Count, 10) + "-" + hex.EncodeToString(id.Name[:])
}

// Parse reads what String made; zero for whatever else stands there.
func Parse(name string) (id ID) {
	count, rest, _ := strings.Cut(name, "-")
	b, err := hex.DecodeString(rest)
	if err != nil || len(b) != len(id.Name) {
		return ID{}
	}
	if id.Count, err = strconv.ParseUint(count, 10, 64); err != nil {
		return ID{}
	}
	id.Name = [16]byte(b)
	return id
}
