package succession_test

import (
	"testing"
	"time"

	"keyquorum/cluster/succession"
)

type voter = succession.Voter

const (
	timeout = 500 * time.Millisecond
	missed  = 300 * time.Millisecond // enough to agree
)

// polls are answers to a follower m that has missed its leader of term 3 for the time-out, and
// whose log ends at entry 9 of term 2.
var polls = []struct {
	name        string
	voters      int
	sealed      bool // m is
	answers     []voter
	won, beaten bool
}{
	{"alone", 1, false, nil, true, false},
	{"cut off", 3, false, nil, false, false},

	{"one of two agrees", 3, false, answer(same), true, false},
	{"one of three is no majority", 4, false, answer(same), false, false},
	{"one of four is no majority", 5, false, answer(same), false, false},
	{"two of four agree", 5, false, answer(same, same), true, false},
	{"it has just heard the leader", 3, false, answer(hears), false, false},
	{"an earlier term can vote for m", 3, false, answer(term(2, true)), true, false},

	{"a longer log", 3, false, answer(log(2, 10, true)), false, true},
	{"a later term in the log", 3, false, answer(log(3, 1, true)), false, true},
	{"a longer log that can't stand", 3, false, answer(log(2, 10, false)), false, false},
	{"a shorter log", 3, false, answer(log(2, 8, true)), true, false},
	{"the first by id", 3, false, answer(id("a", true, true)), true, true},
	{"the first by id, sealed", 3, false, answer(id("a", true, false)), true, false},
	{"the first by id, can't stand", 3, false, answer(id("a", false, true)), true, false},
	{"m is sealed", 3, true, answer(same), true, true},
	{"m is sealed, its log longer", 3, true, answer(log(2, 8, true)), true, false},

	{"one stands already", 5, false, answer(same, same, term(4, true)), true, true},
	{"one stood in vain", 5, false, answer(same, same, term(4, false)), true, false},
	{"a later term gives no vote", 3, false, answer(term(4, false)), false, false},
}

// answer is what voters say that are like m, but for an id behind it and these differences.
func answer(differ ...func(*voter)) (answers []voter) {
	for _, change := range differ {
		v := m(false)
		v.ID, v.Missed = "z", missed
		change(&v)
		answers = append(answers, v)
	}
	return answers
}

func m(sealed bool) voter {
	return voter{
		ID: "m", Term: 3, Missed: timeout, LastTerm: 2, Last: 9, Ready: true, Serves: !sealed,
	}
}

func same(*voter)    {}
func hears(v *voter) { v.ID, v.Missed = "a", missed-1 }

func term(t uint64, ready bool) func(*voter) {
	return func(v *voter) { v.Term, v.Ready = t, ready }
}

func log(term, index uint64, ready bool) func(*voter) {
	return func(v *voter) { v.LastTerm, v.Last, v.Ready = term, index, ready }
}

func id(name string, ready, serves bool) func(*voter) {
	return func(v *voter) { v.ID, v.Ready, v.Serves = name, ready, serves }
}

func TestPoll(t *testing.T) {
	for _, test := range polls {
		t.Run(test.name, func(t *testing.T) {
			poll := succession.NewPoll(m(test.sealed), test.voters, timeout)
			for _, v := range test.answers {
				poll.Hear(v)
			}
			if poll.Won() != test.won || poll.Beaten() != test.beaten {
				t.Errorf("won %v, beaten %v", poll.Won(), poll.Beaten())
			}
		})
	}
}
