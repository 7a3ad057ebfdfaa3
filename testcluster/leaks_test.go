package testcluster_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"go.uber.org/goleak"

	"keyquorum/testcluster"
)

// TestNothingLeaks opens and closes a cluster again and again (KEYQUORUM_CYCLES; make leaks), over
// real sockets and with gossip. No goroutine and no descriptor may be left. (In a bubble, a
// goroutine that is left fails every test.)
func TestNothingLeaks(t *testing.T) {
	cycle := func(n int) {
		t.Run(fmt.Sprint("cycle ", n), func(t *testing.T) {
			c := testcluster.Loopback(t, 3, nil)
			create(c, n%3, "something")
		})
	}
	cycle(0) // what is made once in a process is made now
	before, open := goleak.IgnoreCurrent(), descriptors(t)
	for n := range number(t, "KEYQUORUM_CYCLES", 3) {
		cycle(n + 1)
	}
	for end := time.Now().Add(15 * time.Second); goleak.Find(before) != nil &&
		time.Now().Before(end); {
	} // gossip's last probe ends by its own time-out; Find waits between its looks
	goleak.VerifyNone(t, before)
	if now := descriptors(t); now > open {
		t.Errorf("%d descriptors were open, %d are now", open, now)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(list)
}
