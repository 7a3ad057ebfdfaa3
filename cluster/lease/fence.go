package lease

import "slices"

// A Fence is a leader's proof that nobody else has acknowledged anything that it lacks.
type Fence struct {
	Term   uint64
	Index  uint64   // of its FSM, noted before anybody is asked (F1)
	Asks   []string // voters who have not answered
	voters int
	yes    int
}

// BeginFence notes where the leader stands, and whom to ask: the voters of its latest
// configuration. opened is the term that it has opened last; false: it is not in that any more.
func BeginFence(r Reading, opened uint64, servers []Server) (f Fence, ok bool) {
	f = Fence{Term: r.Term, Index: r.Applied}
	for _, s := range servers {
		if s.Voter {
			f.Asks = append(f.Asks, s.ID)
		}
	}
	f.voters = len(f.Asks)
	return f, opened == r.Term && f.voters > 0
}

// Alone says whether a node that leads an opened term is its own majority. A configuration with a
// second voter is seen here before that voter can elect anybody.
func Alone(self string, servers []Server) bool {
	voters := 0
	for _, s := range servers {
		if s.Voter {
			voters++
			if s.ID != self {
				return false
			}
		}
	}
	return voters == 1
}

// Hear takes a voter's current term, as it said after it was asked (F2). A voter stores a new term
// before it helps anybody in it, so one that is in the fence's term had helped nobody beyond it.
func (f *Fence) Hear(voter string, term uint64) {
	i := slices.Index(f.Asks, voter)
	if i < 0 {
		return
	}
	f.Asks = slices.Delete(f.Asks, i, i+1)
	if term == f.Term {
		f.yes++
	}
}

// Over says whether the answers that are still to come could change anything.
func (f *Fence) Over() bool { return f.Holds() || f.yes+len(f.Asks) < f.voters/2+1 }

// Holds says whether a majority of the voters is in the term.
func (f *Fence) Holds() bool { return f.yes >= f.voters/2+1 }

// Proves says whether the fence holds and its leader, too, is in its term still.
func (f *Fence) Proves(term uint64) bool { return f.Holds() && term == f.Term }

// Rounds number the rounds of a question that many callers share.
type Rounds struct{ begun uint64 }

// Join is the round that a caller takes part in: the next to begin. An answer to a question that
// was put before a reader came proves nothing to it (F5).
func (r *Rounds) Join() (round uint64) { return r.begun + 1 }

// Begin is the round that begins now.
func (r *Rounds) Begin() (round uint64) { r.begun++; return r.begun }
