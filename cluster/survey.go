package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/internal/placement"
)

// A Survey is the cluster as its leader sees it at one moment; without a leader, as one node does.
type Survey struct {
	_      struct{}      `cbor:",toarray"`
	By     string        // node id of who looked
	Leads  bool          // who leads
	Life   time.Duration // of leases; 0 where nobody leads
	Seats  []Seat        // ordered by id
	Leader string        // node id, as far as the surveyor knows
}

// A Seat is a member in a survey.
type Seat struct {
	_           struct{} `cbor:",toarray"`
	ID, Address string
	Voter       bool
	Answers     bool // it did within a second; all below, up to Heard, is its own word
	About       About
	Sealed      bool
	Trouble     string // why it had better not lead, "" when nothing
	Applied     uint64
	Skew        time.Duration // of its wall clock against the surveyor's, to within half a round trip
	Astray      bool          // its lease clock and the leader's run at different rates, so it takes no lease
	Trips       []Trip
	Accused     []Accusation
	GossipKeys  [32]byte      // the hash of those that it has
	RoundTrip   time.Duration // of this question
	Heard       time.Duration // since it last checked in with the leader; negative: never, or not known
	Lease       bool          // it may answer from its own copy without a message
	Barred      time.Duration // for how long yet it gets no lease, because writers had to wait for it
}

// surveyTimeout is how long a member is waited for.
const surveyTimeout = time.Second

// Survey asks the leader to look at all members, and looks itself where no leader answers.
func (c *Cluster) Survey(ctx context.Context) Survey {
	if leader := c.leader(); leader != "" && leader != c.id {
		asking, cancel := context.WithTimeout(ctx, 2*surveyTimeout)
		defer cancel()
		asking, stop := c.whileFollowing(asking)
		defer stop()
		seen, err := ask[surveyCall, Survey](asking, c, leader, "/v1/survey", surveyCall{})
		if err == nil && len(seen.Seats) > 0 {
			return seen
		}
	}
	return c.look(ctx)
}

type surveyCall struct {
	_ struct{} `cbor:",toarray"`
}

func (c *Cluster) serveSurvey(ctx context.Context, _ string, _ surveyCall) (Survey, error) {
	if !c.leads() {
		return Survey{}, errNotLeader
	}
	return c.look(ctx), nil
}

// look asks every member at the same time.
func (c *Cluster) look(ctx context.Context) Survey {
	standing := c.Standing()
	configuration, _ := c.fsm.View().Configuration()
	s := Survey{By: c.id, Leads: standing.Leads, Leader: standing.Leader}
	if s.Leads {
		s.Life = c.life()
	}
	s.Seats = make([]Seat, len(configuration.Servers))
	var asked sync.WaitGroup
	for i, server := range configuration.Servers {
		s.Seats[i] = Seat{ID: string(server.ID), Address: string(server.Address), Voter: server.Suffrage == raft.Voter}
		asked.Go(func() { c.askSeat(ctx, &s.Seats[i]) })
	}
	asked.Wait()
	for i := range s.Seats {
		c.bookSeat(&s.Seats[i], s.Leads)
	}
	slices.SortFunc(s.Seats, func(a, b Seat) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return s
}

// askSeat fills in what a member says of itself.
func (c *Cluster) askSeat(ctx context.Context, seat *Seat) {
	ctx, cancel := context.WithTimeout(ctx, surveyTimeout)
	defer cancel()
	begun := time.Now()
	var answer statusAnswer
	var err error
	if seat.ID == c.id {
		answer, err = c.serveStatus(ctx, c.id, statusCall{})
	} else {
		answer, err = ask[statusCall, statusAnswer](ctx, c, seat.ID, pathStatus, statusCall{})
	}
	took := time.Since(begun)
	if err != nil {
		if heard, ok := c.gossip.Of(seat.ID); ok {
			seat.About = aboutOf(heard)
		}
		return
	}
	seat.Answers, seat.Sealed, seat.Trouble, seat.Applied, seat.Trips = true, answer.Sealed, answer.Trouble, answer.Applied, answer.Trips
	seat.About = About{Label: answer.Label, Region: answer.Region, API: answer.API, Version: answer.Version}
	seat.Astray, seat.Accused, seat.GossipKeys = answer.Astray, answer.Accused, answer.GossipKeys
	if seat.ID != c.id {
		seat.RoundTrip = took
		seat.Skew = time.UnixMilli(answer.Clock).Sub(c.wall().Add(-took / 2)).Truncate(time.Millisecond)
	}
}

// bookSeat fills in what a leader has in its books.
func (c *Cluster) bookSeat(seat *Seat, leads bool) {
	seat.Heard = -1
	if !leads {
		seat.Lease = seat.ID == c.id && c.Leased()
		return
	}
	if seat.ID == c.id {
		seat.Heard, seat.Lease = 0, c.Leased()
		return
	}
	a, _ := c.account(seat.ID)
	seat.Heard, seat.Lease, seat.Barred = a.Heard, a.Holds, a.Barred
}

// Servers are the seats in placement's words.
func (s Survey) Servers() []placement.Server {
	servers := make([]placement.Server, len(s.Seats))
	for i, seat := range s.Seats {
		servers[i] = placement.Server{ID: seat.ID, Region: seat.About.Region, Voter: seat.Voter, Up: seat.Answers, Serves: !seat.Sealed && seat.Trouble == ""}
	}
	return servers
}

// RoundTrip between two members is the shorter of what each has measured. false: neither has.
func (s Survey) RoundTrip(a, b string) (time.Duration, bool) {
	best, known := time.Duration(0), false
	for _, seat := range s.Seats {
		for _, trip := range seat.Trips {
			between := seat.ID == a && trip.To == b || seat.ID == b && trip.To == a
			if between && (!known || trip.Took < best) {
				best, known = trip.Took, true
			}
		}
	}
	return best, known
}
