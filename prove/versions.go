package prove

import (
	"cmp"
	"hash/maphash"
	"slices"
	"strconv"
)

// versions is the state of a secret or of a key. In which order versions were made shows in nothing
// but which of them is the latest, so states differ in no more than that: with writes of unknown
// outcome that is far fewer to search.
type versions struct {
	deleted bool      // it can be recovered
	latest  int32     // the write that made the latest version; 0: there is no such object
	all     []version // by their writes. States share it, so it is never changed
}

// A version is known by the id of the write that made it.
type version struct {
	write int32
	mark  int32 // the id of the last update; 0: none
	off   bool
}

func (v version) reply() reply {
	return reply{word: done, version: v.write, mark: v.mark, on: !v.off}
}

func (s versions) live() bool { return s.latest != 0 && !s.deleted }

// find returns the place of a version of a live object; 0 is the latest.
func (s versions) find(write int32) (i int, ok bool) {
	if write == 0 {
		write = s.latest
	}
	i, ok = s.place(write)
	return i, ok && s.live()
}

func (s versions) place(write int32) (i int, ok bool) {
	return slices.BinarySearchFunc(s.all, write,
		func(v version, write int32) int { return cmp.Compare(v.write, write) })
}

func (s versions) head() version {
	i, _ := s.place(s.latest)
	return s.all[i]
}

// list spells the versions of a live object: "17 23+31-" is 17, and 23 that update 31 has switched
// off.
func (s versions) list() string {
	if !s.live() {
		return ""
	}
	return spell(s.all)
}

// item is what a list of the vault shows of the object: its latest version, also where that is
// switched off.
func (s versions) item(here bool) reply {
	if !here {
		return reply{word: missing}
	}
	return s.head().reply()
}

func spell(all []version) string {
	var b []byte
	for _, v := range all {
		if len(b) > 0 {
			b = append(b, ' ')
		}
		b = strconv.AppendInt(b, int64(v.write), 10)
		if v.mark != 0 {
			b = strconv.AppendInt(append(b, '+'), int64(v.mark), 10)
		}
		if v.off {
			b = append(b, '-')
		}
	}
	return string(b)
}

func (c *collection) initial() any { return versions{} }

func (c *collection) same(a, b any) bool {
	s, t := a.(versions), b.(versions)
	return s.deleted == t.deleted && s.latest == t.latest && slices.Equal(s.all, t.all)
}

func (c *collection) hash(state any) uint64 {
	s := state.(versions)
	sum := maphash.Comparable(seed, s.latest)
	for _, v := range s.all {
		sum = sum*31 + maphash.Comparable(seed, v)
	}
	return sum
}

func (c *collection) answer(state any, q request) (reply, any) {
	s := state.(versions)
	switch q.verb {
	case set:
		return s.set(q)
	case list:
		return reply{word: done, list: s.list()}, s
	case listed:
		return s.item(s.live()), s
	case listedDeleted:
		return s.item(s.deleted), s
	case update:
		return s.update(q)
	case remove:
		if !s.live() {
			return reply{word: missing}, s
		}
		s.deleted = true
		return s.head().reply(), s
	case getDeleted, undelete, purge:
		if !s.deleted {
			return reply{word: missing}, s
		}
		return c.ofDeleted(s, q)
	default:
		return c.read(s, q), s
	}
}

func (s versions) set(q request) (reply, any) {
	if s.deleted {
		return reply{word: taken}, s
	}
	v := version{write: q.id}
	i, _ := s.place(q.id)
	s.latest, s.all = q.id, slices.Insert(slices.Clip(s.all), i, v)
	return v.reply(), s
}

func (s versions) update(q request) (reply, any) {
	i, ok := s.find(q.version)
	if !ok {
		return reply{word: missing}, s
	}
	s.all = slices.Clone(s.all)
	s.all[i].mark, s.all[i].off = q.id, !q.on
	return s.all[i].reply(), s
}

func (c *collection) ofDeleted(s versions, q request) (reply, any) {
	v := s.head()
	switch {
	case q.verb == purge:
		return reply{word: done}, versions{}
	case q.verb == undelete:
		s.deleted = false
		return v.reply(), s
	case v.off && c.hides:
		return reply{word: disabled}, s
	default:
		return v.reply(), s
	}
}

// read answers what needs a version and changes nothing.
func (c *collection) read(s versions, q request) reply {
	i, ok := s.find(q.version)
	switch {
	case !ok:
		return reply{word: missing}
	case s.all[i].off && (c.hides || q.verb != get):
		return reply{word: disabled}
	case q.verb == get:
		return s.all[i].reply()
	default:
		return reply{word: done, version: s.all[i].write}
	}
}
