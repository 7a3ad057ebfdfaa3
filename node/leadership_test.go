package node_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"keyquorum/internal/fakenet"
	"keyquorum/internal/heavy"
	"keyquorum/node"
)

// startWith makes an unsealed cluster of three, and returns who leads it.
func (s *site) startWith(configure func(i int, c *node.Config)) (leader int) {
	s.t.Helper()
	for i := range 3 {
		s.openWith(i, func(c *node.Config) { configure(i, c) })
	}
	s.startOpened(3)
	s.await("one leads", func() bool { return s.leader() >= 0 })
	return s.leader()
}

func address(i int) string { return fmt.Sprintf("host%d:8201", i) }

// far gives the link between two nodes a round trip.
func (s *site) far(i, j int, roundTrip time.Duration) {
	a, b := fmt.Sprintf("host%d", i), fmt.Sprintf("host%d", j)
	s.network.Shape(a, b, fakenet.Link{Delay: roundTrip / 2})
	s.network.Shape(b, a, fakenet.Link{Delay: roundTrip / 2})
}

func region(_ int, c *node.Config) { c.Region = c.Label }

// A leader that was told to goes where writes cost least: between the others. One that was not
// stays where it is.
func TestLeaderMovesToWhereWritesAreCheap(t *testing.T) {
	heavy.Test(t)
	for _, told := range []bool{true, false} {
		bubble(t, func(t *testing.T, s *site) {
			leader := s.startWith(func(i int, c *node.Config) { region(i, c); c.PlaceLeader = told })
			middle, end := (leader+1)%3, (leader+2)%3
			s.far(leader, end, 200*time.Millisecond)
			s.far(leader, middle, 60*time.Millisecond)
			s.far(end, middle, 60*time.Millisecond)
			begun := time.Now()
			time.Sleep(20 * time.Second) // two looks: they may be at what a moment brought
			if now := s.leader(); now != leader {
				t.Errorf("node %d leads after %s", now, time.Since(begun))
			}
			time.Sleep(40 * time.Second)
			wanted := leader
			if told {
				wanted = middle
			}
			if now := s.leader(); now != wanted {
				t.Fatalf("told to move: %v: node %d leads, not %d", told, now, wanted)
			}
			since := s.nodes[wanted].Leader(t.Context()).Since
			time.Sleep(time.Minute)
			if now := s.nodes[wanted].Leader(t.Context()); !now.IsSelf || now.Since != since {
				t.Errorf("it did not stay: it leads since %s, and then %s", since, now.Since)
			}
		})
	}
}

// A fullDisk takes no line of the usage log when it is full.
type fullDisk struct{ full atomic.Bool }

func (d *fullDisk) Write(line []byte) (int, error) {
	if d.full.Load() {
		return 0, errors.New("the disk is full")
	}
	return len(line), nil
}

func (d *fullDisk) Sync() error  { return nil }
func (d *fullDisk) Close() error { return nil }

func TestLeaderInTroubleHandsOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var disks [3]fullDisk
		leader := s.startWith(func(i int, c *node.Config) { c.Audit = &disks[i] })
		worse := (leader + 1) % 3
		for _, i := range []int{leader, worse} {
			v, o := s.operator(i)
			disks[i].full.Store(true)
			if _, err := v.ListVaults(t.Context(), o); err == nil {
				t.Fatal("the test shows nothing: a request was served that was not recorded")
			}
		}
		time.Sleep(3 * time.Second)
		if now := s.leader(); now == leader || now == worse {
			t.Errorf("node %d leads, though it is in trouble", now)
		}
		survey, err := s.nodes[worse].Survey(t.Context())
		must(t, err)
		for _, p := range survey.Members {
			in := p.Address == address(leader) || p.Address == address(worse)
			if strings.Contains(p.Status.Trouble, "the disk is full") != in {
				t.Errorf("of %s the survey says %q", p.Address, p.Status.Trouble)
			}
		}
	})
}
