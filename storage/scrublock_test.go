package storage_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"keyquorum/internal/powercut"
	"keyquorum/storage"
)

// Somebody else who opens the folder is kept out while raft.db becomes another file, also who had
// the old one open already and gets its lock when it is let go.
func TestFolderStaysLockedWhileItIsScrubbed(t *testing.T) {
	t.Parallel()
	openers := map[string]func(dir string) error{
		"Open": func(dir string) error {
			s, err := storage.Open(dir)
			if err == nil {
				s.Close()
			}
			return err
		},
		"behind the look at the pages": func(dir string) error {
			return storage.OpenBolt(filepath.Join(dir, "raft.db"))
		},
	}
	for name, opens := range openers {
		for _, at := range []string{"sync raft.db.tmp", "syncdir cluster"} {
			t.Run(name+", at "+at, func(t *testing.T) {
				s, dir, want := scrubbable(t)
				refused := openAt(t, s, dir, at, opens)
				wantSentence(t, refused, "raft.db is locked", "another process")
				wantScrubbed(t, s, want, nil)
				mustStore(t, s, 301, 310)
				mustClose(t, s)
				wantLog(t, mustOpen(t, dir), 151, 310)
			})
		}
	}
}

// openAt has somebody open the folder at a step of a scrub, which goes on when he has the file.
func openAt(t *testing.T, s *storage.Store, dir, at string, opens func(dir string) error) error {
	t.Helper()
	opened := make(chan error, 1)
	begun := false
	s.OnSnapshotStep(func(op, path string) error {
		if begun || op+" "+filepath.Base(path) != at {
			return nil
		}
		begun = true
		go func() { opened <- opens(dir) }()
		for openFiles(t, filepath.Join(dir, "raft.db")) < 2 {
			runtime.Gosched()
		}
		return nil
	})
	mustScrub(t, s, 7)
	if !begun {
		t.Fatalf("there was no step %s", at)
	}
	return <-opened
}

// openFiles counts how often this process has a file of a name open.
func openFiles(t *testing.T, path string) (n int) {
	t.Helper()
	fds, err := filepath.Glob("/proc/self/fd/*")
	if err != nil {
		t.Fatal(err)
	}
	for _, fd := range fds {
		if name, err := os.Readlink(fd); err == nil && name == path {
			n++
		}
	}
	return n
}

// A process that scrubs all the time is killed, and the power is cut.
func TestKilledScrubLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	program, err := recorder()
	if err != nil {
		t.Fatal(err)
	}
	s, dir := createIn(t, memoryFolder(t))
	mustClose(t, s)
	var ack acknowledged
	scrubbed := uint64(0)
	for round := range 12 {
		cmd := child(program, "scrub", dir)
		cmd.Env = append(cmd.Env, powercut.Faults+"="+t.TempDir())
		var failure string
		ack, failure = watch(t, cmd, 3+5*round, func() { cmd.Process.Kill() })
		if failure != "" {
			t.Fatal(failure)
		}
		db := filepath.Join(dir, "raft.db")
		if _, err := powercut.Rollback(db, rand.New(rand.NewPCG(uint64(round), 7))); err != nil {
			t.Fatal(err)
		}
		wantAcknowledged(t, dir, ack)
		s := mustOpen(t, dir)
		if scrubbed = s.Scrubbed(); scrubbed < ack.scrubbed {
			t.Errorf("scrubbed is %d, %d was acknowledged", scrubbed, ack.scrubbed)
		}
		mustClose(t, s)
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
			t.Errorf("Open left %s", strings.Join(left, ", "))
		}
	}
	if scrubbed == 0 {
		t.Error("no scrub was acknowledged")
	}
}
