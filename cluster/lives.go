package cluster

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/wire"
)

// A life is one process on a member's folder. Raft trusts a member to keep what it stored: a vote,
// and an entry that it said it has. A disk that was put back, a copy of a folder and a machine that
// was rolled back have forgotten, and don't know. The others do: each life is numbered and has a
// name that nobody can guess, and a member tells them which one it is in and how far it has come
// (hello.go). What it once said, a member with an older folder can't have said.
type life struct {
	_    struct{} `cbor:",toarray"`
	Name [16]byte // drawn at the start
	Last uint64   // where the log ended when it began
	Term uint64   // Raft's, then
}

// A lifeID names a life. The zero one is nobody's.
type lifeID struct {
	_     struct{} `cbor:",toarray"`
	Count uint64   // from 1
	Name  [16]byte
}

// lives are a member's latest, the newest last. Their counts follow one another.
type lives struct {
	_     struct{} `cbor:",toarray"`
	Count uint64   // of the newest
	List  []life
}

// maxLives bounds those that a member remembers and tells.
const maxLives = 16

func (l lives) now() lifeID { return lifeID{Count: l.Count, Name: l.List[len(l.List)-1].Name} }

// wellFormed holds for what begin made.
func (l lives) wellFormed() bool {
	n := uint64(len(l.List))
	return n > 0 && n <= maxLives && n <= l.Count
}

// at is the life with a count, while it is remembered.
func (l lives) at(count uint64) (life, bool) {
	back := l.Count - count
	if count > l.Count || back >= uint64(len(l.List)) {
		return life{}, false
	}
	return l.List[uint64(len(l.List))-1-back], true
}

// after is the first life behind one with a count that is remembered.
func (l lives) after(count uint64) (life, bool) {
	first := l.Count - uint64(len(l.List)) + 1
	return l.at(max(count+1, first))
}

// A said is what a member said of itself in one hello.
type said struct {
	_                    struct{} `cbor:",toarray"`
	Life                 lifeID
	Beat                 uint64   // counts the hellos of a life
	Term                 uint64   // Raft's
	Applied, AppliedTerm uint64   // the newest entry that the state has, and its term
	Rival                [16]byte // a later life that wants to begin meanwhile; zero for none
	Out                  string   // the deed for which it takes no part any more; "" while it does
	Tag                  [32]byte
}

// diary is what a member's folder keeps of its lives. The key makes tags: whoever shows the member
// what it said shows something that only a holder of this folder, or of a copy, can have said. So
// nobody can stop a member by a lie.
type diary struct {
	_     struct{} `cbor:",toarray"`
	Key   [32]byte
	Lives lives
	Out   string // the deed for which this member stopped taking part, for ever; "" for none
}

var (
	keyLives = []byte("keyquorum/lives")
	keyTerm  = []byte("CurrentTerm") // Raft's
)

// begin opens the next life, and has it on disk before anybody can hear of it.
func (d *diary) begin(stable raft.StableStore, last, term uint64) error {
	b, err := stable.Get(keyLives)
	switch {
	case err != nil && err.Error() == notFound:
		_, _ = rand.Read(d.Key[:]) // does not fail
	case err != nil:
		return err
	case wire.Decode(b, d) != nil || !d.Lives.wellFormed():
		return errors.New("cluster: what the folder keeps of this member's lives can't be read")
	}
	next := life{Last: last, Term: term}
	_, _ = rand.Read(next.Name[:])
	d.Lives.Count++
	d.Lives.List = append(d.Lives.List, next)
	d.Lives.List = d.Lives.List[max(0, len(d.Lives.List)-maxLives):]
	return d.keep(stable)
}

// beginLife comes before anything else: who was an outcast is one.
func (c *Cluster) beginLife() error {
	stable := c.Store.Stable()
	last, err := c.Store.Logs().LastIndex()
	if err != nil {
		return err
	}
	snapshot, _ := c.Store.NewestSnapshot()
	term, err := stable.GetUint64(keyTerm)
	if err != nil && err.Error() != notFound {
		return err
	}
	d := &c.greets.diary
	if err := d.begin(stable, max(last, snapshot), term); err != nil {
		return err
	}
	if d.Out != "" {
		o := &outcast{diskDeed(d.Out), c.id}
		c.out.Store(o)
		c.logger.Error("this node takes no part in the cluster", "why", o)
	}
	return nil
}

// notFound is how Raft's stores say that there is no such value.
const notFound = "not found"

func (d *diary) keep(stable raft.StableStore) error {
	b, err := wire.Encode(d)
	if err != nil {
		return err
	}
	return stable.Set(keyLives, b)
}

const tagLabel = "keyquorum hello v1\n"

func (d *diary) tag(node string, s said) (tag [32]byte) {
	s.Tag = tag
	b, err := wire.Encode(s)
	if err != nil {
		panic(err) // numbers and bytes can be encoded
	}
	mac := hmac.New(sha256.New, d.Key[:])
	mac.Write([]byte(tagLabel + node + "\n"))
	mac.Write(b)
	return [32]byte(mac.Sum(nil))
}

// genuine says whether a holder of this folder, or of a copy of it, said that.
func (d *diary) genuine(node string, s said) bool {
	tag := d.tag(node, s)
	return s.Life.Count > 0 && hmac.Equal(tag[:], s.Tag[:])
}

// against says why a member with these lives can't be the one that said s before; nil: it can.
func (l lives) against(s said) *deed {
	then, remembered := l.at(s.Life.Count)
	next, later := l.after(s.Life.Count)
	switch {
	case s.Life.Count > l.Count, remembered && then.Name != s.Life.Name:
		return &deedPutBack
	case s.Rival == l.now().Name:
		return &deedCopied
	case later && (next.Last < s.Applied || next.Term < s.Term):
		return &deedPutBack
	}
	return nil
}

// String is what a dialler shows, as the server name of TLS: its folder may be a copy, and the
// other end must tell its connections from those of the process beside it.
func (id lifeID) String() string {
	return strconv.FormatUint(id.Count, 10) + "-" + hex.EncodeToString(id.Name[:])
}

// lifeOf reads it; zero for whatever else stands there.
func lifeOf(name string) (id lifeID) {
	count, rest, _ := strings.Cut(name, "-")
	b, err := hex.DecodeString(rest)
	if err != nil || len(b) != len(id.Name) {
		return lifeID{}
	}
	if id.Count, err = strconv.ParseUint(count, 10, 64); err != nil {
		return lifeID{}
	}
	id.Name = [16]byte(b)
	return id
}
