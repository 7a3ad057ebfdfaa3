package autopilot

import "time"

// A Member is what its leader has in the books of a member, at one moment.
type Member struct {
	ID, Name, Address, Version string
	Voter, Leader              bool
	Heard                      time.Duration // since its last check-in in this term; negative: none yet
	Applied                    uint64        // index that it had applied by then
}

// A Watch is what one leader has seen in one term. The zero Watch has seen nothing.
type Watch struct {
	term uint64
	of   map[string]seen
}

// seen is a member in a Watch.
type seen struct {
	healthy bool
	since   time.Time // when that began
	heard   time.Time // of it last; when the term's watch began, if never
}

// A State is how the members are, as the leader sees them.
type State struct {
	_         struct{} `cbor:",toarray"`
	Healthy   bool     // every one is
	Tolerance int      // healthy voters that may yet be lost before there is no majority of them
	Leader    string   // id
	Servers   []Server // in the order of the members
}

// A Server is one of them.
type Server struct {
	_                          struct{} `cbor:",toarray"`
	ID, Name, Address, Version string
	Voter, Leader              bool
	Held                       bool          // it was demoted, and does not get a vote by itself
	Dead                       bool          // silent for longer than Config.DeadAfter
	Silent                     time.Duration // since it was last heard in this term, or the watch began
	Term                       uint64        // in which it was heard; 0: not in this one
	Index                      uint64        // that it had applied then
	Healthy                    bool
	Since                      int64         // Unix nanoseconds of the leader's clock, when that began
	For                        time.Duration // likewise, by now
}

// Look judges the members of a leader, which has applied an index in a term, and itself is among
// them. What an earlier term's watch has seen is forgotten: nobody watched in between.
func (w *Watch) Look(now time.Time, term, applied uint64, r Record, members []Member) State {
	if w.term != term || w.of == nil {
		*w = Watch{term: term}
	}
	next := make(map[string]seen, len(members))
	s := State{Healthy: true}
	for _, m := range members {
		had, known := w.of[m.ID]
		is := had.next(known, now, healthy(m, applied, r.Config), m.Heard)
		next[m.ID] = is
		s.Servers = append(s.Servers, is.server(now, term, r, m))
		s.Healthy = s.Healthy && is.healthy
		if m.Leader {
			s.Leader = m.ID
		}
	}
	w.of = next
	s.Tolerance = s.tolerance()
	return s
}

// healthy: it has been heard lately, in the leader's term, and is not far behind.
func healthy(m Member, applied uint64, c Config) bool {
	return m.Heard >= 0 && m.Heard <= c.LastContact && m.Applied+c.MaxTrailing >= applied
}

func (s seen) next(known bool, now time.Time, healthy bool, heard time.Duration) seen {
	if !known {
		s = seen{healthy: healthy, since: now, heard: now}
	}
	if s.healthy != healthy {
		s.healthy, s.since = healthy, now
	}
	if heard >= 0 {
		s.heard = now.Add(-heard)
	}
	return s
}

func (s seen) server(now time.Time, term uint64, r Record, m Member) Server {
	server := Server{
		ID: m.ID, Name: m.Name, Address: m.Address, Version: m.Version,
		Voter: m.Voter, Leader: m.Leader, Held: r.Holds(m.ID) && !m.Voter,
		Silent: now.Sub(s.heard), Index: m.Applied,
		Healthy: s.healthy, Since: s.since.UnixNano(), For: now.Sub(s.since),
	}
	server.Dead = server.Silent > r.Config.DeadAfter
	if m.Heard >= 0 {
		server.Term = term
	}
	return server
}

func (s State) tolerance() int {
	voters, well := s.voters()
	return max(0, well-(voters/2+1))
}

func (s State) voters() (voters, healthy int) {
	for _, server := range s.Servers {
		if server.Voter {
			voters++
			if server.Healthy {
				healthy++
			}
		}
	}
	return voters, healthy
}

// Find returns the server with an id.
func (s State) Find(id string) (Server, bool) {
	for _, server := range s.Servers {
		if server.ID == id {
			return server, true
		}
	}
	return Server{}, false
}

// MayVote says whether a member without a vote has been healthy for long enough to get it.
func (s Server) MayVote(c Config) bool {
	return !s.Held && s.Healthy && s.For >= c.Stabilization
}

// Dead is a member that is to be removed. One without a vote comes first; a voter is kept where
// without it there were fewer than MinQuorum. false: there is none.
func (s State) Dead(c Config) (dead Server, found bool) {
	if !c.CleanUp {
		return Server{}, false
	}
	voters, _ := s.voters()
	for _, server := range s.Servers {
		switch {
		case !server.Dead || server.Leader:
		case !server.Voter:
			return server, true
		case !found && uint64(voters-1) >= c.MinQuorum:
			dead, found = server, true
		}
	}
	return dead, found
}
