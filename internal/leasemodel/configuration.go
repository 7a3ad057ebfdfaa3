package main

// configuration is what a log says up to an index: who is a member, and who of them votes.
func (m *Model) configuration(l *entries, upTo uint8) (members, voters nodeSet) {
	mover := nodeSet(1) << m.Mover
	members, voters = firstNodes(m.Nodes), firstNodes(m.Voters)
	if m.Change == join || m.Change == joinAsVoter {
		members, voters = members&^mover, voters&^mover
	}
	for i := uint8(1); i <= min(upTo, l.len); i++ {
		switch l.get(i).kind() {
		case join:
			members |= mover
		case joinAsVoter:
			members, voters = members|mover, voters|mover
		case leave:
			members, voters = members&^mover, voters&^mover
		}
	}
	return members, voters
}

// latest is the configuration that a node goes by. Raft uses an entry as soon as it is stored.
func (m *Model) latest(n *node) (members, voters nodeSet) {
	return m.configuration(&n.log, maxLog)
}

// mayHold says whether node i is somebody whom the leader of t may grant a lease.
func (m *Model) mayHold(s *State, t, i int) bool {
	n := s.leaderNode(t)
	latest, _ := m.latest(n)
	committed, _ := m.configuration(&n.log, n.applied)
	switch {
	case !m.rules.Committed:
		return latest.has(i)
	case !m.rules.NoneOnceLeaving:
		return committed.has(i)
	}
	return (committed & latest).has(i)
}

// change: the leader of t proposes that a node join or leave. Raft does one change at a time, after an entry of the term.
func (m *Model) change(s *State, t int, emit emitter) {
	if s.changes == 0 || !m.mayChange(s, t) {
		return
	}
	next := *s
	next.changes--
	if m.put(&next, t, m.Change) {
		emit(Step{verb: proposes, term: t, kind: m.Change}, next)
	}
}

func (m *Model) mayChange(s *State, t int) bool {
	l, log := &s.leaders[t], &s.leaderNode(t).log
	switch members, _ := m.latest(s.leaderNode(t)); {
	case s.chosen.len < l.opens || m.changing(s, log):
		return false
	case members.has(m.Mover) != (m.Change == leave):
		return false
	case m.rules.WaitBeforeChange && m.mustWait(s, t):
		return false
	case m.rules.NotItself && s.ledBy(t, m.Mover):
		return false
	}
	return m.Change != leave || !m.rules.OverBeforeLeave || l.table[m.Mover] == 0
}

// changing says whether a change is not committed yet.
func (m *Model) changing(s *State, log *entries) bool {
	for i := s.chosen.len + 1; i <= log.len; i++ {
		if log.get(i).kind().configures() {
			return true
		}
	}
	return false
}
