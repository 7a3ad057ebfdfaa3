package leasemodel

import "keyquorum/cluster/lease"

// oldest is the oldest state that an answer can come from: that of the last change it shows.
func (m *Model) oldest(s *State, r *read) uint8 {
	return max(s.chosen.lastChange(r.paths&x, r.view[0]), s.chosen.lastChange(r.paths&y, r.view[1]))
}

// newest is the newest state that it can come from: that before the first change it does not show.
func (m *Model) newest(s *State, r *read) uint8 {
	return min(s.chosen.nextChange(r.paths&x, r.view[0]),
		s.chosen.nextChange(r.paths&y, r.view[1])) - 1
}

// judge: the states of the log follow one another, so an answer is right when one of them, no older
// than what was shown as the read began, can have given it. That is more than linearizability asks
// for, which knows no log.
func (m *Model) judge(s *State, n *node) verdict {
	r := &n.read
	newest := m.newest(s, r)
	switch {
	case n.rotten:
		return rotten
	case newest < r.must:
		return stale
	case newest < m.oldest(s, r):
		return torn
	case m.Timely && newest < s.shown && int(s.since) >= m.Lease:
		return late
	}
	return right
}

// sees is the least index that a node's read will have seen.
func (n *node) sees() uint8 {
	switch n.read.steps.Stage {
	case lease.Applying:
		return max(n.applied, uint8(n.read.steps.Need))
	case lease.Showing:
		return min(n.read.view[0], n.read.view[1])
	}
	return n.applied
}
