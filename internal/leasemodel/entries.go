package leasemodel

// A Kind is what an entry of the log does.
type Kind uint8

// Kinds of entries.
const (
	opening Kind = iota // the entry that opens a term, which no FSM is sent
	PutX
	PutY
	DropY
	changed // the first change of the configuration; the second is the next kind
)

// paths is a set of the two objects of the model.
type paths uint8

const (
	x paths = 1 << iota
	y
	both = x | y // what a listing shows
)

// changes says which objects an entry of this kind changes.
func (k Kind) changes() paths {
	switch k {
	case PutX:
		return x
	case PutY, DropY:
		return y
	}
	return 0
}

func (k Kind) configures() bool { return k >= changed }

// An entry is its term and its kind. No entry is 0, since terms begin with 1.
type entry uint8

const kindBits = 3

func newEntry(t int, k Kind) entry { return entry(t)<<kindBits | entry(k) }

func (e entry) term() int  { return int(e >> kindBits) }
func (e entry) kind() Kind { return Kind(e & (1<<kindBits - 1)) }

// entries are a log. The first has index 1.
type entries struct {
	len uint8
	at  [maxLog]entry
}

func (l *entries) get(index uint8) entry { return l.at[index-1] }

func (l *entries) append(e entry) {
	l.at[l.len] = e
	l.len++
}

// cut leaves the first n.
func (l *entries) cut(n uint8) {
	for l.len > n {
		l.len--
		l.at[l.len] = 0
	}
}

// common is how many entries two logs agree on.
func (l *entries) common(o *entries) (n uint8) {
	for n < l.len && n < o.len && l.at[n] == o.at[n] {
		n++
	}
	return n
}

// lastTerm is that of the last entry, 0 of an empty log.
func (l *entries) lastTerm() int {
	if l.len == 0 {
		return 0
	}
	return l.get(l.len).term()
}

// olderThan says whether Raft would not let a node with this log vote down one with the other.
func (l *entries) olderThan(o *entries) bool {
	a, b := l.lastTerm(), o.lastTerm()
	return a < b || a == b && l.len < o.len
}

// nextSent is the first entry after an index that an FSM is sent, 0 when there is none.
func (l *entries) nextSent(after uint8) uint8 {
	for i := after + 1; i <= l.len; i++ {
		if l.get(i).kind() != opening {
			return i
		}
	}
	return 0
}

// lastSent is the last entry up to an index that an FSM is sent, 0 when there is none.
func (l *entries) lastSent(upTo uint8) uint8 {
	i := min(upTo, l.len)
	for i > 0 && l.get(i).kind() == opening {
		i--
	}
	return i
}

// lastChange is the index of the last change of p up to an index, 0 when there is none.
func (l *entries) lastChange(p paths, upTo uint8) uint8 {
	for i := min(upTo, l.len); i > 0; i-- {
		if l.get(i).kind().changes()&p != 0 {
			return i
		}
	}
	return 0
}

// nextChange is the index of the first change of p after an index, and more than any index when
// there is none.
func (l *entries) nextChange(p paths, after uint8) uint8 {
	for i := after + 1; i <= l.len; i++ {
		if l.get(i).kind().changes()&p != 0 {
			return i
		}
	}
	return maxLog + 1
}
