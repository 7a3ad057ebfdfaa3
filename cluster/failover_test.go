package cluster_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster"
	"keyquorum/internal/heavy"
)

// A failover is a way for leaders to die. Members live in regions; between the first two a round
// trip takes 80 ms more than within one, to the third one 150.
type failover struct {
	name    string
	regions []int         // of the members
	die     int           // at once, the leader among them
	silent  bool          // their machines are gone: no connection is reset
	every   time.Duration // a write
	median  time.Duration // at most, until a write is answered
}

const (
	often  = 20 * time.Millisecond
	seldom = time.Second
	near   = 700 * time.Millisecond
	far    = 1600 * time.Millisecond
	worse  = 1800 * time.Millisecond
)

var failovers = []failover{
	{"3 near, the machine is gone", []int{0, 0, 0}, 1, true, often, near},
	{"5 in 3 regions, the machine is gone", []int{0, 0, 1, 1, 2}, 1, true, often, far},
	{"3 near, the process ends", []int{0, 0, 0}, 1, false, often, near},
	{"3 near and idle, the machine is gone", []int{0, 0, 0}, 1, true, seldom, near},
	{"5 near and idle, the machine is gone", []int{0, 0, 0, 0, 0}, 1, true, seldom, near},
	{"5 near, two machines are gone", []int{0, 0, 0, 0, 0}, 2, true, often, near},
	{"5 in 3 regions, the process ends", []int{0, 0, 1, 1, 2}, 1, false, often, far},
	{"5 in 3 regions and idle, the machine is gone", []int{0, 0, 1, 1, 2}, 1, true, seldom, far},
	{"5 in 3 regions, two machines are gone", []int{0, 0, 1, 1, 2}, 2, true, often, worse},
}

// How long it takes, when the leader dies at any moment, until a write through a surviving member
// is answered. It is fake time: the ways and a disk that takes 5 ms for a term or a vote are all
// that takes any. KEYQUORUM_FAILOVERS is how many deaths of each kind are measured, with it all
// kinds (`make succession`).
func TestFailover(t *testing.T) {
	heavy.Test(t)
	kinds, deaths := failovers[:2], 3
	if n, err := strconv.Atoi(os.Getenv("KEYQUORUM_FAILOVERS")); err == nil {
		kinds, deaths = failovers, n
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				took := kind.measure(t, deaths)
				slices.Sort(took)
				median := took[len(took)/2]
				t.Logf("median %v, p90 %v, worst %v", median, took[len(took)*9/10], took[len(took)-1])
				if median > kind.median {
					t.Errorf("until a write was answered: %v", took)
				}
			})
		})
	}
}

func (k failover) start(t *testing.T) *group {
	g := newGroup(t, len(k.regions), func(c *cluster.Config) {
		c.WrapStable(func(inner raft.StableStore) raft.StableStore {
			return slowStable{inner, 5 * time.Millisecond}
		})
	})
	further := [3][3]time.Duration{1: {80}, 2: {150, 150}} // ms
	for i := range k.regions {
		for j := range i {
			g.far(i, j, time.Millisecond*(1+further[k.regions[i]][k.regions[j]]))
		}
	}
	must(t, g.put(g.leader(), "x", "0"))
	time.Sleep(10 * time.Second) // leases and time-outs follow the ways
	return g
}

func (k failover) measure(t *testing.T, deaths int) (took []time.Duration) {
	g, random := k.start(t), rand.New(rand.NewPCG(1, 2))
	for range deaths {
		leader := g.leader()
		members := random.Perm(len(g.ids))
		at := slices.Index(members, leader)
		members[0], members[at] = members[at], members[0]
		dead, survive := members[:k.die], members[k.die:]
		stop := g.writes(survive, k.every)
		time.Sleep(time.Second + time.Duration(random.IntN(1000))*time.Millisecond)
		died := time.Now()
		for _, i := range dead {
			if k.silent {
				g.network.Pause(host(i))
			} else {
				g.stop(i)
			}
		}
		must(t, g.put(survive[0], "x", fmt.Sprint(died)))
		took = append(took, time.Since(died))
		stop()
		for _, i := range dead {
			g.stop(i)
			g.network.Resume(host(i))
			g.open(i)
		}
		time.Sleep(8 * time.Second)
	}
	return took
}

// writes go through some members in turn, until stop.
func (g *group) writes(members []int, every time.Duration) (stop func()) {
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for k := 0; ; k++ {
			select {
			case <-stopping:
				return
			case <-time.After(every):
				_ = g.put(members[k%len(members)], "load", fmt.Sprint(k))
			}
		}
	}()
	return func() { close(stopping); <-stopped }
}
