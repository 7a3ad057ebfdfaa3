package main

import (
	"errors"
	"os"
	"testing"
	"time"
)

// The ceiling of a run is this program started again.
func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == ceilingWord {
		serveCeiling(os.Args[2], os.Args[3])
		return
	}
	os.Exit(m.Run())
}

// TestSmallRuns does what make bench and make load do, with little of everything: that they run to
// their end is looked at, and no figure.
func TestSmallRuns(t *testing.T) {
	little := plan{
		slice: 20 * time.Millisecond, rounds: 1, most: 20, clients: []int{1, 2}, lone: 2,
		idle: 10 * time.Millisecond, commits: []time.Duration{50 * time.Millisecond},
	}
	v := volume{Machine: machine(), Secrets: 200, Clients: 8}
	err := withProgram(func() error {
		return errors.Join(run(t.Context(), little), v.look(t.Context()))
	})
	if err != nil {
		t.Fatal(err)
	}
	v.print()
	if len(v.Listings) != 2 || v.Listings[1].Secrets != 200 || v.Applied < 200 ||
		v.Backup.Size < 200<<10 || v.Backup.Restore == 0 {
		t.Errorf("200 secrets were written: %+v", v)
	}
}
