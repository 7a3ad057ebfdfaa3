package trace_test

import (
	"strings"
	"testing"
	"time"

	"keyquorum/cluster/lease"
	"keyquorum/cluster/lease/trace"
)

func lead(n *lease.Node, s lease.Steps) {
	at := lease.Reading{Now: time.Hour, Applied: 7, Term: 3}
	servers := []lease.Server{{ID: n.ID, Voter: true}}
	s.Elected(at, servers)
	s.Opened(at)
	c := s.Ask(at, true, 0)
	s.Hear(at, n.ID, c)
	a, _ := s.Grant(at, n.ID, c, servers, true)
	s.Take(at, at, true, c, a)
}

// What happened happens once more. What was done to a node behind the back of its steps is found.
func TestReplay(t *testing.T) {
	for name, meddle := range map[string]func(*lease.Node){
		"":            func(*lease.Node) {},
		"E":           func(n *lease.Node) { n.E++ },
		"lease":       func(n *lease.Node) { n.Lease.Until += time.Second },
		"what it has": func(n *lease.Node) { n.Echo = lease.Echo{Term: 3, Token: time.Hour + 1} },
	} {
		var log trace.Log
		n := lease.New(&lease.Standard, "n0", 1, lease.Reading{Now: time.Hour})
		s := log.Watch(&n)
		lead(&n, s)
		meddle(&n)
		s.Ask(lease.Reading{Now: time.Hour + 1, Applied: 7, Term: 3}, true, 0)
		steps, err := log.Replay()
		if (err == nil) != (name == "") || err != nil && !strings.Contains(err.Error(), "step 6") {
			t.Errorf("meddled with %q: %d steps, %v", name, steps, err)
		}
		if name == "" && steps != 7 {
			t.Errorf("%d steps were kept", steps)
		}
	}
}
