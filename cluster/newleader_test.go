package cluster_test

import (
	"testing"
	"time"
)

// A new leader has every acknowledged entry in its log, but need not know yet that it is committed:
// the old leader acknowledged it and died before it could tell. Until an entry of the new term is
// committed, the new leader's state machine lacks what was acknowledged, so it must serve nobody.
func TestNewLeaderServesNobodyBeforeItsTermIsOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3, withoutLeases)
		old := g.leader()
		followers := []int{(old + 1) % 3, (old + 2) % 3}
		must(t, g.put(old, "x", "old"))
		time.Sleep(time.Second) // nothing is under way
		var entered []<-chan struct{}
		for _, f := range followers {
			entered = append(entered, g.stalls[f].close())
		}
		acknowledged := make(chan error, 1)
		go func() { acknowledged <- g.put(old, "x", "new") }()
		for i, f := range followers { // has the entry; what follows it, the news that it is committed, does not arrive
			<-entered[i]
			g.network.Hold(host(old), host(f))
			g.stalls[f].release()
		}
		must(t, <-acknowledged)
		g.isolate(old)
		for _, f := range followers { // votes are stored, and the new term's first entry is not yet
			g.stalls[f].close()
		}
		reads := make(chan string, len(followers))
		for _, f := range followers {
			go func() {
				got := "error"
				for got == "error" {
					if value, err := g.get(f, "x", time.Second); err == nil {
						got = value
					}
				}
				reads <- got
			}()
		}
		time.Sleep(3 * time.Second) // one of them is elected
		for _, f := range followers {
			g.stalls[f].release()
		}
		for range followers {
			if got := <-reads; got != "new" {
				t.Errorf("under the new leader %q is read, %q was acknowledged", got, "new")
			}
		}
	})
}

// A new leader's first entry may be committed long before its own state machine has applied what
// came before it. Until it has, it serves nobody.
func TestNewLeaderWaitsForItsStateMachine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3, withoutLeases)
		old := g.leader()
		followers := []int{(old + 1) % 3, (old + 2) % 3}
		must(t, g.put(old, "x", "old"))
		time.Sleep(time.Second) // nothing is under way
		for _, f := range followers {
			g.slow[f].hold()
		}
		must(t, g.put(old, "x", "new"))
		g.isolate(old)
		for _, f := range followers {
			if got, err := g.get(f, "x", 4*time.Second); err == nil { // one of them is elected meanwhile
				t.Errorf("%q is read from a state machine that is behind", got)
			}
		}
		for _, f := range followers {
			g.slow[f].release()
		}
		for _, f := range followers {
			if got, err := g.get(f, "x", 4*time.Second); err != nil || got != "new" {
				t.Errorf("%q, %v; %q was acknowledged", got, err, "new")
			}
		}
	})
}
