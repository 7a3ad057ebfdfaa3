package leasemodel

import "keyquorum/cluster/lease"

// configuration is what a log says up to an index: who is a member, and who of them votes.
func (m *Model) configuration(l *entries, upTo uint8) (members, voters NodeSet) {
	members, voters = m.initial()
	if len(m.Changes) == 0 {
		return members, voters
	}
	for i := uint8(1); i <= min(upTo, l.len); i++ {
		k := l.get(i).kind()
		if !k.configures() {
			continue
		}
		c := m.Changes[k-changed]
		switch node := NodeSet(1) << c.Node; c.How {
		case lease.Arrive:
			members |= node
		case lease.Promote:
			members, voters = members|node, voters|node
		case lease.Demote:
			voters &^= node
		default:
			members, voters = members&^node, voters&^node
		}
	}
	return members, voters
}

// change: a leader wants a node to join or leave, and proposes that if the core lets it. Raft does
// one change at a time, after an entry of the term.
func (m *Model) change(s *State, l int, emit emitter) {
	if s.changes == 0 || m.Log == 0 || m.changing(s, &s.nodes[l].log) {
		return
	}
	which := m.nextChange(&s.nodes[l].log)
	if which == len(m.Changes) || int(s.nodes[l].log.len) == m.Log {
		return
	}
	c := m.Changes[which]
	members, voters := m.latest(&s.nodes[l])
	if is(c, members, voters) {
		return
	}
	next := m.fork(s)
	n := &next.nodes[l]
	step := Step{verb: asksLeave, node: c.Node, leader: l, kind: changed + Kind(which)}
	if n.core.MayChange(n.reading(), c.How, ids[c.Node]) {
		step.verb = proposes
		if c.How != lease.Arrive {
			n.core.VotersChange(n.reading())
		}
		next.changes--
		n.log.append(newEntry(int(n.term), step.kind))
	}
	emit(step, next)
}

// is says whether the configuration is what a change is to make of it.
func is(c Change, members, voters NodeSet) bool {
	switch c.How {
	case lease.Promote:
		return voters.has(c.Node)
	case lease.Demote:
		return !voters.has(c.Node)
	}
	return members.has(c.Node) == (c.How == lease.Arrive)
}

// nextChange is the first change that a log lacks.
func (m *Model) nextChange(l *entries) int {
	next := 0
	for i := uint8(1); i <= l.len; i++ {
		if k := l.get(i).kind(); k.configures() {
			next = max(next, int(k-changed)+1)
		}
	}
	return next
}

// changing says whether a change is not committed yet.
func (m *Model) changing(s *State, log *entries) bool {
	for i := s.chosen.common(log) + 1; i <= log.len; i++ {
		if log.get(i).kind().configures() {
			return true
		}
	}
	return false
}

// changesVoter says whether an entry of a kind is announced to the core, before and after.
func (m *Model) changesVoter(k Kind) bool {
	return k.configures() && m.Changes[k-changed].How != lease.Arrive
}
