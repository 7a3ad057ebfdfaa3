package rules

import "keyquorum/internal/leasemodel"

type setup struct{ *leasemodel.Setup }

// changes has the configuration change. In so large a world the model has to forget, which rests on
// no rule about that.
func (s *setup) changes(log int, changes ...leasemodel.Change) {
	s.Remember = false
	s.Change(log, changes...)
}

func with(world leasemodel.Setup, change func(*setup)) leasemodel.Setup {
	change(&setup{&world})
	return world
}

// two is a world of two terms. Nothing is forgotten in it: what the model forgets rests on the
// rules.
func two() leasemodel.Setup {
	return leasemodel.Setup{
		Nodes: 3, Voters: 3, Terms: 2, Writes: 1, Kinds: []leasemodel.Kind{leasemodel.PutX}, Reads: 1,
		Lease: 1, Slow: leasemodel.NoSlowClock, Liar: leasemodel.Nobody, AtOnce: true, Remember: true,
	}
}

// one is a world of one term.
func one() leasemodel.Setup { return with(two(), func(s *setup) { s.Terms = 1 }) }

// timed is a world in which time passes.
func timed() leasemodel.Setup { return with(one(), func(s *setup) { s.Lease, s.Margin = 2, 1 }) }

// twice is a world in which one answer shows what the next one misses.
func twice() leasemodel.Setup { return with(one(), func(s *setup) { s.Reads = 2 }) }

// four is a world with a node that does not vote.
func four() leasemodel.Setup { return with(two(), func(s *setup) { s.Nodes = 4 }) }
