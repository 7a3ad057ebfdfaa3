package cluster_test

import (
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/internal/fakenet"
	"keyquorum/internal/heavy"
)

// far gives the link between two members a round trip.
func (g *group) far(i, j int, roundTrip time.Duration) {
	g.network.Shape(host(i), host(j), fakenet.Link{Delay: roundTrip / 2})
	g.network.Shape(host(j), host(i), fakenet.Link{Delay: roundTrip / 2})
}

// surveyed is what a survey says of member i.
func (g *group) surveyed(s cluster.Survey, i int) cluster.Member {
	g.t.Helper()
	for _, m := range s.Members {
		if m.ID == g.ids[i] {
			return m
		}
	}
	g.t.Fatalf("no member %d in %+v", i, s)
	return cluster.Member{}
}

func TestSurvey(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3, func(c *cluster.Config) { c.About.Region = c.Address })
		near, away := (leader+1)%3, (leader+2)%3
		g.far(leader, away, 80*time.Millisecond)
		time.Sleep(20 * time.Second)
		for asked := range 3 {
			s := g.members[asked].Survey(t.Context())
			if s.By != g.ids[leader] || !s.Leads || s.Leader != s.By || len(s.Members) != 3 {
				t.Fatalf("asked member %d: %+v", asked, s)
			}
			for i := range 3 {
				m := g.surveyed(s, i)
				if !m.Answers || !m.Voter || m.Leader != (i == leader) || m.Skew != 0 {
					t.Errorf("member %d: %+v", i, m)
				}
				if s := m.Status; s.Sealed || s.About.Region != address(i) || s.Applied == 0 {
					t.Errorf("member %d says %+v", i, s)
				}
				if a := m.Account; !a.Lease || a.Heard < 0 || a.Applied == 0 {
					t.Errorf("member %d in the leader's books: %+v", i, a)
				}
			}
			for _, pair := range []struct {
				i, j int
				want time.Duration
			}{{leader, away, 80 * time.Millisecond}, {away, leader, 80 * time.Millisecond},
				{leader, near, 0}, {near, away, 0}} {
				if got, known := s.RoundTrip(g.ids[pair.i], g.ids[pair.j]); !known || got < pair.want ||
					got > pair.want+time.Millisecond {
					t.Errorf("from %d to %d: %s, %v", pair.i, pair.j, got, known)
				}
			}
		}
		g.isolate(leader) // asked while it is still followed
		s := g.members[near].Survey(t.Context())
		answer := g.surveyed(s, near).Answers && g.surveyed(s, away).Answers
		if !answer || s.Leads && s.By == g.ids[leader] {
			t.Errorf("just after the leader was cut off: %+v", s)
		}
		g.network.Heal()
		g.far(leader, away, 80*time.Millisecond)
		time.Sleep(5 * time.Second)
		if g.leader() == away {
			return // the rest asks what it sees when it is cut off as a follower
		}
		g.isolate(away)
		time.Sleep(2 * time.Second)
		s = g.members[near].Survey(t.Context())
		m := g.surveyed(s, away)
		if !s.Leads || m.Answers || m.Account.Lease || m.Account.Heard < time.Second {
			t.Errorf("a member that is cut off: %+v", m)
		}
		s = g.members[away].Survey(t.Context())
		m = g.surveyed(s, away)
		if s.Leads || s.By != m.ID || !m.Answers || g.surveyed(s, near).Answers || m.Account.Lease {
			t.Errorf("asked where nobody leads: %+v", s)
		}
	})
}

// Nobody tunes a time-out: over ways of 300 ms the leader stays in office, and when they are short
// again so are the time-outs.
func TestTimeoutsFollowTheWays(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		term := g.members[leader].Raft().CurrentTerm()
		for i := range 3 {
			for j := range i {
				g.far(i, j, 300*time.Millisecond)
			}
		}
		time.Sleep(2 * time.Minute)
		for i, m := range g.members {
			if got := m.Raft().ReloadableConfig(); got.HeartbeatTimeout < 1050*time.Millisecond ||
				got.HeartbeatTimeout > 1350*time.Millisecond || got.ElectionTimeout < got.HeartbeatTimeout {
				t.Errorf("member %d: %s and %s", i, got.HeartbeatTimeout, got.ElectionTimeout)
			}
		}
		if now := g.members[leader].Raft().CurrentTerm(); now != term {
			t.Errorf("the leader of term %d was replaced, %d now", term, now)
		}
		if _, err := g.get((leader+1)%3, "x", time.Second); err != nil {
			t.Error(err)
		}
		g.network.Heal()
		time.Sleep(time.Minute)
		for i, m := range g.members {
			if got := m.Raft().ReloadableConfig(); got.HeartbeatTimeout > 825*time.Millisecond {
				t.Errorf("member %d: %s when the ways were short again", i, got.HeartbeatTimeout)
			}
		}
	})
}

func TestLeaderInTroubleHandsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var trouble [3]atomic.Pointer[string]
		g, leader := settled(t, 3, func(c *cluster.Config) {
			i := int(c.Address[4] - '0')
			c.Trouble = func() error {
				if words := trouble[i].Load(); words != nil {
					return errors.New(*words)
				}
				return nil
			}
		})
		worse := (leader + 1) % 3
		words := "its usage log can't be written"
		trouble[leader].Store(&words)
		trouble[worse].Store(&words)
		time.Sleep(3 * time.Second)
		if now := g.leader(); now == leader || now == worse {
			t.Errorf("member %d leads, though it is in trouble", now)
		}
		if s := g.members[worse].Survey(t.Context()); g.surveyed(s, worse).Status.Trouble != words {
			t.Errorf("the survey says %q", g.surveyed(s, worse).Status.Trouble)
		}
	})
}

// The office goes to the voter that is named, and to none that can't take it.
func TestHandOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g, leader := settled(t, 3)
		next, cut := (leader+1)%3, (leader+2)%3
		g.isolate(cut)
		time.Sleep(5 * time.Second)
		err := g.members[leader].HandOver(t.Context(), g.ids[cut], "of this test")
		if !errors.Is(err, cluster.ErrNotReady) || !g.members[leader].Standing().Leads {
			t.Errorf("handed over to a member that is cut off: %v", err)
		}
		must(t, g.members[leader].HandOver(t.Context(), g.ids[next], "of this test"))
		if now := g.leader(); now != next {
			t.Errorf("member %d leads, not %d, which was handed the office", now, next)
		}
	})
}
