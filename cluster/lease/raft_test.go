package lease_test

import (
	"slices"
	"time"

	"keyquorum/cluster/lease"
)

// Raft as far as leases rest on it: terms that are on disk, logs that match, leaders by majority
// and with an up-to-date log, entries that are committed by a majority in the leader's term,
// configurations that count as soon as they are in the log. A vote, or the copying of entries, is
// one step; any may come late or never.

// A peer is a node and its Raft. What a restart leaves it is term and log, and a state from before.
type peer struct {
	lease.Node
	rate, offset time.Duration // of its clock: thousandths of true time

	term   uint64
	log    []entry
	commit int // as far as it knows
	pos    int // up to which its state machine has applied the log
	reign  *reign
	sealed bool
	reads  []*travel
}

type entry struct {
	term   uint64
	config []lease.Server // nil: an entry for the state machine, unless it is a term's first
	first  bool
}

// A reign is what a leader knows as long as it leads.
type reign struct {
	matches map[string]int // how much of its log others are known to have
	opening lease.Opening
	opened  uint64
}

// state is the index of the FSM: of the last entry that it was sent.
func (p *peer) state() uint64 { return lastSent(p.log[:p.pos]) }

func lastSent(log []entry) uint64 {
	for i := len(log); i > 0; i-- {
		if e := log[i-1]; e.config == nil && !e.first {
			return uint64(i)
		}
	}
	return 0
}

// latest is the configuration that the node goes by, and where it stands; committed the one that
// its state has got to.
func (p *peer) latest() (config []lease.Server, at int) { return lastConfig(p.log) }

func (p *peer) committed() []lease.Server {
	config, _ := lastConfig(p.log[:p.pos])
	return config
}

func lastConfig(log []entry) ([]lease.Server, int) {
	for i := len(log); i > 0; i-- {
		if log[i-1].config != nil {
			return log[i-1].config, i
		}
	}
	return nil, 0
}

func isMember(config []lease.Server, id string) bool {
	return slices.ContainsFunc(config, func(s lease.Server) bool { return s.ID == id })
}

func voters(config []lease.Server) (n int) {
	for _, s := range config {
		if s.Voter {
			n++
		}
	}
	return n
}

// majority says whether more than half of the voters are among them.
func majority(config []lease.Server, among func(id string) bool) bool {
	voters, yes := 0, 0
	for _, s := range config {
		if s.Voter {
			voters++
			if among(s.ID) {
				yes++
			}
		}
	}
	return 2*yes > voters
}

// atLeast is Raft's rule for whom a voter helps.
func atLeast(log, than []entry) bool {
	if len(log) == 0 || len(than) == 0 {
		return len(than) == 0
	}
	a, b := log[len(log)-1].term, than[len(than)-1].term
	return a > b || a == b && len(log) >= len(than)
}

func (p *peer) enter(term uint64) {
	if term > p.term {
		p.term, p.reign = term, nil
	}
}

// stand has p stand for election in a term that none of those who are asked has seen.
func (w *cluster) stand(p *peer, asked func(id string) bool) bool {
	config, _ := p.latest()
	term := p.term + 1
	for _, v := range w.peers {
		if asked(v.ID) && w.meet(p, v) {
			term = max(term, v.term+1)
		}
	}
	helps := func(id string) bool {
		v := w.peer(id)
		return v == p || asked(id) && w.meet(p, v) && atLeast(p.log, v.log)
	}
	if !isVoter(config, p.ID) || !majority(config, helps) {
		return false
	}
	for _, s := range config {
		if helps(s.ID) {
			w.peer(s.ID).enter(term)
		}
	}
	p.reign = &reign{matches: map[string]int{},
		opening: lease.Opening{Term: term, First: uint64(len(p.log) + 1), Before: lastSent(p.log)}}
	p.log = append(slices.Clip(p.log), entry{term: term, first: true})
	p.Elected(w.reading(p), config)
	return true
}

func isVoter(config []lease.Server, id string) bool {
	return slices.Contains(config, lease.Server{ID: id, Voter: true})
}

// replicate copies the first entries of a leader's log to a member.
func (w *cluster) replicate(leader, to *peer, upTo int, acknowledged bool) {
	if leader.reign == nil || to.term > leader.term || !w.meet(leader, to) {
		return
	}
	to.enter(leader.term)
	sent := leader.log[:upTo]
	same := func(a, b entry) bool { return a.term == b.term }
	if len(to.log) < upTo || !slices.EqualFunc(to.log[:upTo], sent, same) {
		to.log = slices.Clone(sent)
	}
	to.commit = max(to.commit, min(leader.commit, upTo))
	if acknowledged {
		leader.reign.matches[to.ID] = max(leader.reign.matches[to.ID], upTo)
		leader.count()
	}
}

// count commits what a majority has.
func (p *peer) count() {
	config, _ := p.latest()
	for i := len(p.log); i > p.commit && p.log[i-1].term == p.term; i-- {
		has := func(id string) bool { return id == p.ID || p.reign.matches[id] >= i }
		if majority(config, has) {
			p.commit = i
			return
		}
	}
}

// restart begins another process, whose state is from some time before.
func (w *cluster) restart(p *peer, pos int) {
	p.reign, p.reads, p.commit, p.pos = nil, nil, pos, pos
	p.Node = lease.New(p.Limits, p.ID, p.Process+1, w.reading(p))
}

// configure is a change of the configuration by the rules of Raft and of leases.
func (w *cluster) configure(p *peer, kind lease.Change, id string) bool {
	config, at := p.latest()
	if p.reign == nil || p.reign.opened != p.term || at > p.commit {
		return false
	}
	next := slices.Clone(config)
	i := slices.IndexFunc(next, func(s lease.Server) bool { return s.ID == id })
	switch {
	case kind == lease.Arrive && i < 0:
		next = append(next, lease.Server{ID: id})
	case kind == lease.Promote && i >= 0 && !next[i].Voter:
		next[i].Voter = true
	case kind == lease.Demote && i >= 0 && next[i].Voter && voters(next) > 2:
		next[i].Voter = false
	case kind == lease.Depart && i >= 0 && len(next) > 2:
		next = slices.Delete(next, i, i+1)
	default:
		return false
	}
	if !p.MayChange(w.reading(p), kind, id) {
		return false
	}
	p.VotersChange(w.reading(p))
	p.log = append(slices.Clip(p.log), entry{term: p.term, config: next})
	p.count()
	p.VotersChange(w.reading(p))
	return true
}
