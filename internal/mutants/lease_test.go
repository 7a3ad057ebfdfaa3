package main

import (
	"sync"
	"testing"
)

// TestLeaseBugsAreFound seeds each bug of the lease protocol's core, two at a time: only that one
// small package is built for them.
func TestLeaseBugsAreFound(t *testing.T) {
	if raceDetector {
		t.Skip("make test seeds these without the race detector")
	}
	t.Chdir("../..")
	left := make(chan mutant)
	var seeding sync.WaitGroup
	for range 2 {
		seeding.Go(func() {
			for m := range left {
				huntOne(t, m)
			}
		})
	}
	for _, m := range leaseMutants {
		left <- m
	}
	close(left)
	seeding.Wait()
}

func huntOne(t *testing.T, m mutant) {
	f, err := m.hunt(t.Context())
	if err != nil {
		t.Errorf("%s: %v", m.name, err)
	} else if !f.found {
		t.Errorf("%s, %s: %s does not find it", m.name, m.bug, m.test)
	}
}
