package lives

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"

	"keyquorum/cluster/wire"
)

// A Diary is what a member's folder keeps of its lives. The key makes tags: whoever shows the
// member what it said shows something that only a holder of this folder, or of a copy, can have
// said. So nobody can stop a member by a lie.
type Diary struct {
	_     struct{} `cbor:",toarray"`
	Key   [32]byte
	Lives Lives
	Out   Word // the deed for which this member stopped taking part, for ever; "" for none
}

// Begin opens the next life in a diary that was encoded, nil for none. The log ends at last, Raft
// is in term. What it returns must be on disk before anybody hears of it.
func Begin(kept []byte, last, term uint64) (d Diary, err error) {
	if kept == nil {
		_, _ = rand.Read(d.Key[:]) // does not fail
	} else if wire.Decode(kept, &d) != nil || !d.Lives.wellFormed() {
		return Diary{}, errors.New("lives: what the folder keeps of this member's can't be read")
	}
	next := Life{Last: last, Term: term}
	_, _ = rand.Read(next.Name[:])
	d.Lives.Count++
	d.Lives.List = append(d.Lives.List, next)
	d.Lives.List = d.Lives.List[max(0, len(d.Lives.List)-maxLives):]
	return d, nil
}

// Encode is what a folder keeps.
func (d Diary) Encode() ([]byte, error) { return wire.Encode(d) }

const tagLabel = "keyquorum hello v1\n"

func (d Diary) tag(node string, s Said) (tag [32]byte) {
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
func (d Diary) genuine(node string, s Said) bool {
	tag := d.tag(node, s)
	return s.Life.Count > 0 && hmac.Equal(tag[:], s.Tag[:])
}

// A Self is a member as the one who says hello.
type Self struct {
	Node  string // its id
	Diary Diary
	Beat  uint64   // of the last hello
	Rival [16]byte // of whoever was heard to wait for this life's end; zero for nobody
}

// Hello is the next one, without the address. The member is in a term of Raft's, and has applied an
// entry of another.
func (m *Self) Hello(term, applied, appliedTerm uint64) Hello {
	m.Beat++
	s := Said{
		Life: m.Diary.Lives.Now(), Beat: m.Beat, Term: term,
		Applied: applied, AppliedTerm: appliedTerm, Rival: m.Rival, Out: m.Diary.Out,
	}
	s.Tag = m.Diary.tag(m.Node, s)
	return Hello{Said: s, Lives: m.Diary.Lives}
}

// Judge holds this member against what an answer shows that was said in its name. What the other
// one only says proves nothing.
//
// deed is what the member did, "" for nothing. copied: a process on a copy of its folder waits for
// its end, of which it did not know.
func (m *Self) Judge(a Answer) (deed Word, copied bool) {
	now := m.Diary.Lives.Now()
	if m.Diary.genuine(m.Node, a.Heard) {
		deed = m.Diary.Lives.Against(a.Heard)
		if a.Heard.Life == now && a.Heard.Beat > m.Beat {
			deed = RolledBack
		}
		if deed != "" && a.Word == Copied {
			deed = Copied // who was asked can tell them apart
		}
	}
	if r := a.Rival; m.Diary.genuine(m.Node, r) && r.Life.Count > now.Count {
		copied = m.Rival != r.Life.Name
		m.Rival = r.Life.Name
	}
	return deed, copied
}
