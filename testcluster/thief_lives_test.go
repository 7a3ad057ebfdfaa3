package testcluster_test

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// What the thief says of himself is held against the node whose key he has, and against no other.
// While that node goes on he only waits for it; when it has ended he takes its place, and it is
// refused when it comes back.
func TestThiefLocksOutHisNodeAlone(t *testing.T) {
	heist(t, 3, func(t *testing.T, s *scene) {
		time.Sleep(3 * time.Second) // the node has said hello to all
		if words := s.thief.SayHello(); !slices.Equal(words, []string{"wait", "wait"}) {
			t.Errorf("beside the node itself he hears %q", words)
		}
		time.Sleep(3 * time.Second)
		s.c.Unseal(robbed)
		must(t, s.read(t, robbed))

		s.c.Kill(robbed)
		time.Sleep(5 * time.Second)
		if words := s.thief.SayHello(); !slices.Equal(words, []string{"", ""}) {
			t.Errorf("in the place of the node he hears %q", words)
		}
		s.c.Start(robbed)
		time.Sleep(5 * time.Second)
		for _, i := range s.thief.Others() {
			must(t, s.read(t, i))
			if status := create(s.c, i, "beside"+string(rune('a'+i))); status != 200 {
				t.Errorf("node %d answers a write with %d", i, status)
			}
		}
		if outlook := strings.Join(status(t, s.c, 0).Outlook, " "); !strings.Contains(outlook,
			"came back with a data folder") {
			t.Errorf("the status says %q", outlook)
		}
		s.thief.Leave()
		s.c.Remove(robbed)
		s.c.AddVoter()
		s.c.Settled()
	})
}
