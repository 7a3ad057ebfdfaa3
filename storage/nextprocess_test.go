package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"keyquorum/internal/powercut"
)

// A process is killed, the next one sees what the first had not synced yet and builds on it, and
// then the power goes: what the second one saw must still be there. Also where the first was killed
// because a sync had failed.
func TestWhatTheNextProcessSeesStays(t *testing.T) {
	t.Parallel()
	if err := secondProcesses(t, ""); err != nil {
		t.Fatal(err)
	}
}

func TestForgottenSyncOfTheNextProcessIsFound(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"names that the last process left",
		"pages that the last process left"} {
		t.Run(what, func(t *testing.T) {
			if secondProcesses(t, what) == nil {
				t.Error("they are not synced, and what the next process saw stayed")
			}
		})
	}
}

// secondProcesses kills a first one before syncs of the workload, until something that a second one
// saw is gone.
func secondProcesses(t *testing.T, forgotten string) error {
	t.Helper()
	s, dir := create(t)
	mustClose(t, s)
	image, trace := traced(t, "record", dir)
	writes, syncs := 0, 0
	for end := range trace {
		c := replay(t, image, trace[:end])
		var err error
		switch {
		case c.files.syncing != nil: // of a file or a folder
			if syncs++; syncs%ifDeep(1, 5) == 0 {
				err = seenStays(t, image, trace[:end], forgotten)
			}
		case c.bolt.Doubtful() > 0 && trace[end].Kind == powercut.Synced:
			if writes++; writes%ifDeep(1, 9) == 0 {
				failed := append(trace[:end:end], powercut.Step{Kind: powercut.SyncFailed})
				err = errors.Join(seenStays(t, image, trace[:end], forgotten),
					seenStays(t, image, failed, forgotten))
			}
		}
		if err != nil {
			return err
		}
	}
	if writes < 50 || syncs < 20 {
		t.Errorf("before only %d syncs of raft.db and %d of snapshots was anything in doubt", writes,
			syncs)
	}
	return nil
}

// replay is a folder after a trace.
func replay(t *testing.T, image []byte, trace []powercut.Step) *crashed {
	t.Helper()
	c := newCrashed(append([]byte(nil), image...))
	for _, step := range trace {
		c.apply(t, step)
	}
	return c
}

// seenStays kills the first process after a trace, and cuts the power at each step of the second:
// before it has seen anything what the first may leave is legal; from then on what it saw, and what
// it adds.
func seenStays(t *testing.T, image []byte, trace []powercut.Step, forgotten string) error {
	t.Helper()
	c := replay(t, image, trace)
	c.files.syncing = nil // it was killed in that
	dir := filepath.Join(memoryFolder(t), "cluster")
	if err := newFolderOf(dir, c.state(pick(newest).counting())); err != nil {
		t.Fatal(err)
	}
	_, more := traced(t, "go on", dir, forgottenVariable+"="+forgotten)
	seen, rng := map[[32]byte]bool{}, rand.New(rand.NewPCG(2, 2))
	for i, step := range more {
		c.apply(t, step)
		if i == len(more)-1 { // the last is done, or the process would not have ended well
			c.files.settle()
			c.narrow(c.legal[len(c.legal)-1:])
		}
		for state := range c.states(rng, seen) {
			if err := c.judge(dir, state); err != nil {
				return fmt.Errorf("killed after step %d, and a power cut after step %d of the next process: %w",
					len(trace), i+1, err)
			}
		}
	}
	return nil
}
