package main

import (
	"strings"

	"keyquorum/internal/statespace"
)

// A run is a search and what it must come to.
type run struct {
	world   string   // in words
	without []string // the rules that are taken out, none for the whole protocol
	finds   string
	held    bool // it is about rules that others hold up
	Setup
}

const nothingWrong = "complete, nothing wrong"

// limit is how many worlds a search may see: about two gigabytes.
const limit = 12_000_000

func (r run) name() string {
	if len(r.without) > 0 {
		return "without " + strings.Join(r.without, ", ")
	}
	return r.world
}

func (r run) search(progress func(states, depth int)) Result {
	return newModel(r.Setup, statespace.AllBut[Rules](r.without...)).search(limit, progress)
}

// counts are how often each verb may be signed.
type counts map[verb]uint8

// pair is two unsealed members and the thief, who has the third node's key.
func pair(may counts, change func(*Setup)) Setup {
	s := Setup{Members: 2, Unsealed: 2, Length: 5, Window: 3}
	for v, n := range may {
		s.Signs[v] = n
	}
	change(&s)
	return s
}

// intact are the runs with all rules in force. Each must see every world and nothing wrong.
func intact() []run {
	record := counts{create: 1, remove: 1}
	vouched := counts{create: 1, remove: 1, touch: 1}
	twice := counts{create: 2, remove: 1}
	key := counts{rotate: 1, create: 1, remove: 1}
	return []run{
		whole("a record comes and goes, two restarts", vouched, again(2)),
		whole("idle entries, a restart", record, func(s *Setup) { s.Restarts, s.Idle = 1, 1 }),
		whole("a record comes, changes and goes",
			counts{create: 1, overwrite: 1, remove: 1, touch: 1}, plain),
		whole("a record comes twice and goes", twice, func(s *Setup) { s.Length = 6 }),
		whole("the window passes", twice, func(s *Setup) { s.Length, s.Window = 7, 2 }),
		whole("a record comes twice and goes, a restart", twice, again(1)),
		whole("three members", vouched, func(s *Setup) { s.Members = 3 }),
		whole("three members, a record comes twice",
			counts{create: 2, remove: 1, touch: 1}, func(s *Setup) { s.Members, s.Length = 3, 4 }),

		whole("a vote, and the thief's node goes, a restart",
			counts{promote: 1, expel: 1, touch: 1}, again(1)),
		whole("the thief's node gets another key, and goes, a restart",
			counts{rekey: 1, expel: 1, touch: 1}, again(1)),
		whole("the thief's node was about to join",
			counts{touch: 2}, func(s *Setup) { s.Stranger = true }),
		whole("a careless signer", counts{meddle: 1, touch: 1}, plain),

		whole("one joins", vouched, func(s *Setup) { s.Joiner = true }),
		whole("one joins two", vouched, joinsTwo),
		whole("one joins two and stays sealed, a restart", record, func(s *Setup) {
			joinsTwo(s)
			s.Unsealed, s.Restarts = 2, 1
		}),
		whole("one joins two, and the thief's node goes, a restart",
			counts{expel: 1, touch: 1}, func(s *Setup) {
				joinsTwo(s)
				s.Restarts = 1
			}),

		whole("another transaction key, a restart", key, again(1)),
		whole("another transaction key, idle entries, a restart",
			key, func(s *Setup) { s.Restarts, s.Idle = 1, 1 }),
		whole("the first key leaks, a restart", key, func(s *Setup) { s.Leak, s.Restarts = true, 1 }),
		whole("the first key leaks, checkpoints, a restart",
			counts{rotate: 1, touch: 2}, func(s *Setup) { s.Leak, s.Restarts = true, 1 }),
		whole("the first key leaks, one joins",
			counts{rotate: 1, create: 1, remove: 1, touch: 1},
			func(s *Setup) { s.Leak, s.Joiner = true, true }),
		whole("the first key leaks, one joins two", counts{rotate: 1, touch: 1}, func(s *Setup) {
			joinsTwo(s)
			s.Leak = true
		}),
	}
}

func plain(*Setup) {}

func again(n uint8) func(*Setup) { return func(s *Setup) { s.Restarts = n } }

func joinsTwo(s *Setup) { s.Members, s.Unsealed, s.Joiner, s.Length = 3, 3, true, 4 }

func whole(name string, may counts, change func(*Setup)) run {
	return run{world: name, finds: nothingWrong, Setup: pair(may, change)}
}

// broken are the runs with one rule taken out, in a world that is just large enough to show what
// it is for.
func broken() []run {
	records := pair(counts{create: 2, remove: 1}, plain)
	late := pair(counts{create: 2, remove: 1}, func(s *Setup) { s.Length, s.Window = 6, 2 })
	one := pair(counts{create: 1, remove: 1, touch: 1}, again(1))
	members := pair(counts{promote: 1, expel: 1}, plain)
	keys := pair(counts{rekey: 1}, again(1))
	joiner := pair(counts{create: 1, remove: 1}, func(s *Setup) { s.Joiner = true })
	leak := pair(counts{rotate: 1, touch: 1}, func(s *Setup) { s.Leak, s.Restarts = true, 1 })
	leakJoiner := pair(counts{rotate: 1, touch: 1}, func(s *Setup) { s.Leak, s.Joiner = true, true })
	stranger := pair(counts{touch: 1}, func(s *Setup) { s.Stranger = true })
	careless := pair(counts{meddle: 1}, plain)
	idle := pair(counts{touch: 1}, func(s *Setup) { s.Idle = 1 })
	return []run{
		without("Signed", "P1 in 1 step", records),
		without("NewestKey", "P1 in 4 steps", leak),
		without("Reserved", "P3 in 2 steps", careless),
		without("Tombstones", "P2 in 6 steps", records),
		without("TooOld", "P2 in 5 steps", late),
		without("FirstOutcome", "P6 in 6 steps", members),
		without("SamePast", "P1 in 6 steps", records),
		without("SamePast", "P6 in 5 steps", late),

		without("Configuration", "P3 in 1 step", members),
		without("OneChange", "P3 in 5 steps", members),
		without("Pinned", "P3 in 3 steps", keys),
		without("MembersCall", "P3 in 1 step", stranger),
		without("SenderNamed", "P7 in 1 step", records),
		without("Authors", "P7 in 2 steps", idle),
		without("Authors", "P7 in 4 steps", records),

		without("AppliedStays", "P2 in 7 steps", one),
		without("Floor", "P2 in 6 steps", one),
		without("UpToFloor", "P2 in 6 steps", one),
		without("PortWaits", "P3 in 4 steps", keys),

		without("Vouched", "P4 in 1 step", records),
		without("NotOlder", "P2 in 5 steps", records),
		without("Continues", "P2 in 5 steps", records),
		without("Continues", "P1 in 7 steps", leak),
		without("PastInState", "P2 in 7 steps", one),
		without("PastInState", "P5 in 7 steps", leak),
		without("Endorsed", "P4 in 1 step", records),
		without("NewestVouch", "P4 in 4 steps", leak),
		without("RequestAgree", "P3 in 1 step", records),

		without("Anchor", "P1 in 2 steps", joiner),
		without("AnchorState", "P2 in 6 steps", joiner),
		without("AnchorState", "P1 in 7 steps", leakJoiner),

		without("BaseDigest", "P5 in 4 steps", one),
		without("NewerKey", "P5 in 4 steps", leak),
		without("OwnAnswer", "P6 in 3 steps", records),
	}
}

// held are runs about rules that other rules hold up: one alone can be taken out, both can't.
func held() []run {
	members := pair(counts{expel: 1, touch: 1}, again(1))
	leak := pair(counts{rotate: 1, touch: 1}, func(s *Setup) { s.Leak, s.Joiner = true, true })
	runs := []run{
		without("Marks", nothingWrong, members),
		without("Marks PortWaits", "P3 in 4 steps", members),
		without("KnownKeys", nothingWrong, leak),
		without("KnownKeys AnchorState", "P1 in 6 steps", leak),
	}
	for i := range runs {
		runs[i].held = true
	}
	return runs
}

// open are runs with all rules in force that find what no rule prevents.
func open() []run {
	return []run{{
		world: "the first key leaks, and a member has not heard of the second",
		finds: "P1 in 4 steps",
		Setup: pair(counts{rotate: 1}, func(s *Setup) { s.Leak, s.Strict = true, true }),
	}}
}

func without(rules, finds string, s Setup) run {
	return run{without: strings.Fields(rules), finds: finds, Setup: s}
}
