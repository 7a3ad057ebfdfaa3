package main

// The thief leads whenever he likes, with whatever log and commit index he likes: a follower
// believes both. What an honest leader may send is among what he may, so there are no terms and no
// elections.

// give: the thief has a member apply an entry. Others hear nothing of it. A member that does not
// hear him applies what an honest leader gives it.
func (m *Model) give(w *world, i int, emit emitter) {
	n := &w.members[i]
	if !n.in || !n.joining && !m.stands(n) {
		return
	}
	e, last := event{act: gives, who: i}, m.Length
	if !m.hears(n) {
		e.act, last = leads, min(last, m.states[n.state].index+1)
	}
	for index := m.states[n.state].index + 1; index <= last; index++ {
		m.offer(w, n, e.act == gives, func(given entry) {
			next := *w
			h, o := m.apply(n.state, given, index, n.since)
			wrong := m.process(w, n, h, o)
			if wrong == right && m.states[h].idle > m.Idle {
				return
			}
			if later := m.moveTo(&next.members[i], h); wrong == right {
				wrong = later
			}
			e.history = h
			emit(e, next, wrong)
		})
	}
}

// offer yields the entries that a leader has for a member.
func (m *Model) offer(w *world, n *member, thief bool, yield func(entry)) {
	if n.state == nothing {
		yield(entry{kind: founding})
		if thief {
			yield(entry{kind: falseFounding})
		}
		return
	}
	for t := range w.each {
		yield(entry{command, t})
	}
	if m.unfollowed(n.state) {
		yield(entry{kind: following})
	}
	if thief {
		m.offerForged(w, n, yield)
	}
}

// offerForged yields what only the thief has in his log.
func (m *Model) offerForged(w *world, n *member, yield func(entry)) {
	if !m.rules.Configuration {
		yield(entry{kind: straying})
	}
	switch {
	case !m.rules.Signed:
		yield(entry{junk, m.forge(n, 0, create)})
	case m.Idle > 0:
		yield(entry{kind: junk})
	}
	if w.leaked {
		m.offerLeaked(n, yield)
	}
}

// offerLeaked yields what the thief signs with the first transaction key.
func (m *Model) offerLeaked(n *member, yield func(entry)) {
	s := &m.states[n.state]
	switch {
	case !s.forged && s.value == 0:
		yield(entry{command, m.forge(n, 1, create)})
	case !s.forged:
		yield(entry{command, m.forge(n, 1, overwrite)})
	case s.line == 1: // to the key that the cluster has: he knows its public half
		yield(entry{command, m.forge(n, 1, rotate)})
	}
}

// thiefsValue is what the thief puts at x.
const thiefsValue = 15

// forge makes a transaction that fits the state of who is to apply it.
func (m *Model) forge(n *member, key uint8, v verb) txn {
	t := transaction{verb: v, base: n.state, key: key, thief: true}
	if v != rotate {
		t.value = thiefsValue
	}
	return m.intern(t)
}

// install: the thief sends a snapshot: a state, and entries behind it. One of those has to vouch
// for the state, if there is a rule.
func (m *Model) install(w *world, i int, emit emitter) {
	n := &w.members[i]
	if !m.hears(n) || !n.joining && !m.stands(n) {
		return
	}
	m.installForged(w, i, emit)
	m.tails(w, func(vouched, target history, key uint8) {
		if target == n.state || !m.takes(n, vouched, target, key) {
			return
		}
		next := *w
		wrong := m.moveBy(&next.members[i], vouched, target)
		emit(event{act: installs, who: i, history: target, from: vouched}, next, wrong)
	})
}

// tails yields what a snapshot may hold: a state that somebody vouched for, and where its tail
// leads. The voucher stands in the tail, at most one other entry before it, perhaps to spoil what
// the voucher does. What may follow can as well be given later.
func (m *Model) tails(w *world, yield func(vouched, target history, key uint8)) {
	for t := range w.each {
		base, key := m.txns[t].base, m.txns[t].key
		since := m.states[base].index
		vouch := func(h history) {
			for index := m.states[h].index + 1; index <= m.Length; index++ {
				if target, o := m.apply(h, entry{command, t}, index, since); o.decided() {
					yield(base, target, key)
				}
			}
		}
		vouch(base)
		for other := range w.each {
			for index := since + 1; other != t && index < m.Length; index++ {
				if h, o := m.apply(base, entry{command, other}, index, since); o.decided() {
					vouch(h)
				}
			}
		}
	}
}

// takes says whether a member takes a snapshot: a vouched state, where its tail leads, and the key
// under which it was vouched for.
func (m *Model) takes(n *member, vouched, target history, key uint8) bool {
	own := &m.states[n.state]
	switch {
	case m.rules.NotOlder && m.states[target].index < own.index:
		return false
	case m.rules.NewestVouch && key < n.trust:
		return false
	case n.joining:
		return m.states[vouched].index <= m.states[n.floor].index+m.Window
	case !m.rules.Continues:
		return true
	}
	// Up to where both have got they must be one; what the tail replays shows its own digests.
	common := min(own.index, m.states[target].index)
	if common < m.states[vouched].index && !m.rules.PastInState {
		return true // the vouched state does not say what was before it
	}
	if m.states[vouched].index > common+m.Window {
		return false
	}
	return m.at(target, common) == m.at(n.state, common)
}

// installForged: the thief makes a state up. It fits what the member has, and says of its own past
// what the member wants to hear.
func (m *Model) installForged(w *world, i int, emit emitter) {
	n := &w.members[i]
	if m.states[n.state].index >= m.Length || m.states[n.state].forged {
		return
	}
	e := event{act: installs, who: i}
	for e.how = byNobody; e.how <= beside; e.how++ {
		if !m.believes(w, n, e.how) {
			continue
		}
		made := step{entry: entry{kind: invented}, index: m.states[n.state].index + 1}
		if e.how == beside {
			made.entry.kind = straying
		}
		e.history = m.then(n.state, made)
		next := *w
		to := &next.members[i]
		to.excused = n.excused || e.how == byOldKey && n.trust == 1
		wrong := m.moveBy(to, e.history, e.history)
		emit(e, next, wrong)
	}
}

// believes says whether a member takes what nobody vouched for that had to.
func (m *Model) believes(w *world, n *member, h how) bool {
	switch h {
	case byNobody:
		return !m.rules.Vouched
	case byOwnKey:
		return !m.rules.Endorsed
	case byOldKey:
		return w.leaked && (n.trust == 1 || !m.rules.NewestVouch)
	}
	return !m.rules.RequestAgree
}

// speak: the thief calls, opens a stream, or speaks in another's name, where he must not be heard.
func (m *Model) speak(w *world, i int, emit emitter) {
	n := &w.members[i]
	if m.Stranger && m.states[n.state].line > 0 && m.serves(n) {
		emit(event{act: calls, who: i}, *w, served)
	}
	if n.cut && m.serves(n) || n.rekeyed && m.serves(n) {
		emit(event{act: calls, who: i}, *w, served)
	}
	if (n.cut || n.rekeyed) && m.hears(n) {
		emit(event{act: streams, who: i}, *w, served)
	}
	if !m.rules.SenderNamed && m.hears(n) {
		emit(event{act: poses, who: i, other: (i + 1) % m.Members}, *w, blamed)
	}
	m.rewrite(w, i, emit)
}

// rewrite: the thief has a member drop the last entry of its log that it has applied. What is in
// memory stays as it is until a restart.
func (m *Model) rewrite(w *world, i int, emit emitter) {
	n := &w.members[i]
	if m.rules.AppliedStays || w.restarts == 0 || m.states[n.floor].index <= 1 {
		return
	}
	if n.joining || !m.hears(n) {
		return
	}
	next := *w
	next.members[i].floor = m.states[n.floor].before
	emit(event{act: rewrites, who: i, history: n.floor}, next, right)
}

// lie: the thief, leading, tells a signer that its transaction was not applied, and keeps it.
func (m *Model) lie(w *world, emit emitter) {
	if m.rules.OwnAnswer || w.told != 0 {
		return
	}
	for t := range w.each {
		if !m.appliedSomewhere(w, t) {
			next := *w
			next.told = t
			emit(event{act: lies, txn: t}, next, right)
		}
	}
}

func (m *Model) appliedSomewhere(w *world, t txn) bool {
	for i := range m.Members {
		if o, decided := m.outcomeOf(w.members[i].state, t, 0); decided && o == applied {
			return true
		}
	}
	return false
}
