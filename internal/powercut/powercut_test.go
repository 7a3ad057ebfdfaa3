package powercut_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"keyquorum/internal/overlay"
	"keyquorum/internal/powercut"
)

// build builds the scribbler with the hooks, and with more edits.
func build(t *testing.T, more ...overlay.Edit) string {
	t.Helper()
	dir := t.TempDir()
	path, err := overlay.Write(dir, append(powercut.Hooks(), more...))
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "scribble")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-overlay", path, "-o",
		program, "./testdata/scribble")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return program
}

// A scribbler is the program with its file and its folder of faults.
type scribbler struct {
	program, db, faults string
}

func newScribbler(t *testing.T, more ...overlay.Edit) scribbler {
	return scribbler{build(t, more...), filepath.Join(t.TempDir(), "bolt.db"), t.TempDir()}
}

func (s scribbler) command(t *testing.T, n int) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), s.program, s.db, strconv.Itoa(n))
	cmd.Env = append(os.Environ(), powercut.Faults+"="+s.faults)
	return cmd
}

// run commits n times, or until it is killed after printing killAfter lines. It returns the last
// number that was acknowledged, and what else the program said.
func (s scribbler) run(t *testing.T, n, killAfter int) (acknowledged int, said string) {
	t.Helper()
	cmd := s.command(t, n)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		if i == killAfter {
			cmd.Process.Kill() // what is in the pipe was acknowledged and is still read
		}
		if number, err := strconv.Atoi(lines.Text()); err == nil {
			acknowledged = number
		} else {
			said += lines.Text()
		}
	}
	cmd.Wait()
	return acknowledged, said
}

// check returns the last number in a bolt file, if all is there that was written up to it.
func check(db string) (last int, err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil { // how bolt meets damage
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	b, err := bbolt.Open(db, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return 0, err
	}
	defer b.Close()
	err = b.View(func(tx *bbolt.Tx) error {
		last, err = wholeUpTo(tx.Bucket([]byte("b")))
		return err
	})
	return last, err
}

func wholeUpTo(b *bbolt.Bucket) (last int, err error) {
	if b == nil {
		return 0, nil // of the time before the first transaction
	}
	if last, err = strconv.Atoi(string(b.Get([]byte("last")))); err != nil {
		return 0, err
	}
	for n := max(1, last-19); n <= last; n++ {
		if want := bytes.Repeat(fmt.Appendf(nil, "%d,", n),
			700); !bytes.Equal(b.Get(fmt.Appendf(nil, "key %d", n%20)), want) {
			return last, fmt.Errorf("number %d of %d is not there", n, last)
		}
	}
	return last, nil
}

func random(seed int) *rand.Rand { return rand.New(rand.NewPCG(uint64(seed), 0)) }

func TestWithoutTheVariableNothingIsDone(t *testing.T) {
	s := newScribbler(t)
	out, err := exec.CommandContext(t.Context(), s.program, s.db, "3").CombinedOutput()
	if err != nil || string(out) != "1\n2\n3\n" {
		t.Fatalf("the program says %q (%v)", out, err)
	}
	names, err := os.ReadDir(filepath.Dir(s.db))
	if err != nil || len(names) != 1 {
		t.Errorf("beside the file are %v (%v)", names, err)
	}
}

func TestOrders(t *testing.T) {
	s := newScribbler(t)
	s.run(t, 5, 0)
	for order, c := range map[powercut.Order]struct {
		says  string
		stays bool
	}{
		powercut.SyncFails:     {"input/output error", true},
		powercut.SyncFailsOnce: {"input/output error", false},
		powercut.WriteFails:    {"input/output error", true},
		powercut.DiskFull:      {"no space left on device", true},
	} {
		before, err := check(s.db)
		if err != nil {
			t.Fatal(err)
		}
		if err := order.Give(s.faults); err != nil {
			t.Fatal(err)
		}
		if last, said := s.run(t, 5, 0); !strings.Contains(said, c.says) || last != 0 {
			t.Errorf("%s: the program says %q, and acknowledges %d", order, said, last)
		}
		if _, err := os.Stat(filepath.Join(s.faults, string(order))); (err == nil) != c.stays {
			t.Errorf("%s: afterwards the order is there: %v", order, err == nil)
		}
		if err := errors.Join(order.Withdraw(s.faults), order.Withdraw(s.faults)); err != nil {
			t.Fatal(err)
		}
		if after, err := check(s.db); err != nil || after != before {
			t.Errorf("%s: the file was at %d and is at %d (%v)", order, before, after, err)
		}
	}
}

func TestKilledAndRolledBackKeepsWhatWasAcknowledged(t *testing.T) {
	s := newScribbler(t)
	before := 0
	for round := range 20 {
		acknowledged, said := s.run(t, 0, 1+round*3)
		if _, err := powercut.Rollback(s.db, random(round)); err != nil {
			t.Fatal(err)
		}
		last, err := check(s.db)
		if err != nil || last < acknowledged || last > acknowledged+1 || last < before {
			t.Fatalf("round %d: %d was acknowledged, and the file is at %d (%v); the program says %q", round,
				acknowledged, last, err, said)
		}
		before = last
		if _, err := os.Stat(s.db + ".journal"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the journal is there after the power cut (%v)", err)
		}
	}
}

func TestHangingSyncIsLostWithItsWrites(t *testing.T) {
	s := newScribbler(t)
	before, _ := s.run(t, 30, 0)
	lost := 0
	for round := range 20 {
		cmd := s.hangInSync(t)
		cmd.Process.Kill()
		cmd.Wait()
		n, err := powercut.Rollback(s.db, random(round))
		if err != nil {
			t.Fatal(err)
		}
		lost += n
		if last, err := check(s.db); err != nil || last != before {
			t.Fatalf("round %d: %d was acknowledged, and the file is at %d (%v)", round, before, last, err)
		}
	}
	if lost == 0 {
		t.Error("20 power cuts lost nothing at all")
	}
	cmd := s.hangInSync(t)
	if err := errors.Join(powercut.SyncHangs.Withdraw(s.faults), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	if last, err := check(s.db); err != nil || last != before+1 {
		t.Errorf("the disk hung and went on, and the file is at %d (%v), want %d", last, err, before+1)
	}
}

// hangInSync starts a program whose first sync hangs, and returns when it has written what it wants
// to sync.
func (s scribbler) hangInSync(t *testing.T) *exec.Cmd {
	t.Helper()
	if err := powercut.SyncHangs.Give(s.faults); err != nil {
		t.Fatal(err)
	}
	cmd := s.command(t, 1)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if steps, err := powercut.Journal(s.db); err != nil || time.Now().After(deadline) {
			t.Fatalf("the program has written %d times (%v)", len(steps), err)
		} else if len(steps) > 0 {
			return cmd
		}
	}
}

func TestFailedSyncStaysInDoubt(t *testing.T) {
	s := newScribbler(t)
	before, _ := s.run(t, 30, 0)
	if err := powercut.SyncFailsOnce.Give(s.faults); err != nil {
		t.Fatal(err)
	}
	s.run(t, 1, 0)
	steps, err := powercut.Journal(s.db)
	if err != nil || len(steps) < 2 || steps[len(steps)-1].Kind != powercut.SyncFailed {
		t.Fatalf("the journal has %d steps (%v), and should end in the failed sync", len(steps), err)
	}
	acknowledged, _ := s.run(t, 2, 0) // these syncs succeed, and say nothing of the writes before
	if steps, err = powercut.Journal(s.db); err != nil || steps[len(steps)-1].Kind != powercut.Synced {
		t.Fatalf("the journal was emptied (%v)", err)
	}
	if _, err := powercut.Rollback(s.db, random(1)); err != nil {
		t.Fatal(err)
	}
	if last, err := check(s.db); err != nil || last != acknowledged || last != before+2 {
		t.Errorf("%d was acknowledged, and the file is at %d (%v)", acknowledged, last, err)
	}
}

// forgotten is a bolt that writes its meta page without having synced what it points to.
var forgotten = overlay.Edit{
	File: "go.etcd.io/bbolt/tx.go",
	Old:  "beforeSyncDataPages struct{}\n\t\tif err := fdatasync(tx.db)",
	New:  "forgotten\n\t\tif err := error(nil)",
}

// Every prefix of a trace, in the states that are the most telling: nothing, all, and all but one
// sector.
func faultsFound(t *testing.T, s scribbler) (found int) {
	t.Helper()
	if err := powercut.Keep(s.db); err != nil {
		t.Fatal(err)
	}
	s.run(t, 40, 0)
	steps, err := powercut.Journal(s.db)
	if err != nil {
		t.Fatal(err)
	}
	d := powercut.NewDisk(nil)
	state := filepath.Join(t.TempDir(), "state.db")
	for i, step := range steps {
		d.Apply(step)
		if i%7 > 0 || d.Doubtful() == 0 || step.Size == 0 {
			continue
		}
		for missing := -1; missing < d.Doubtful(); missing += 5 {
			asked := -1
			content := d.State(func(options int) int {
				if asked++; asked == missing {
					return 0
				}
				return options - 1
			})
			if err := os.WriteFile(state, content, 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := check(state); err != nil {
				found++
			}
		}
	}
	return found
}

func TestEveryStateOfATraceIsWhole(t *testing.T) {
	if n := faultsFound(t, newScribbler(t)); n > 0 {
		t.Errorf("%d states of bolt's file are damaged", n)
	}
}

func TestForgottenSyncIsFound(t *testing.T) {
	if n := faultsFound(t, newScribbler(t, forgotten)); n == 0 {
		t.Error("bolt does not sync its pages, and no state shows it")
	}
}

// A record that the process was killed in is followed by whole ones.
func TestTornRecordIsTrimmed(t *testing.T) {
	s := newScribbler(t)
	s.run(t, 3, 0)
	torn := append([]byte{'w'}, make([]byte, 40)...)
	torn[24] = 200 // its length
	if err := os.WriteFile(s.db+".journal", torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if steps, err := powercut.Journal(s.db); err != nil || len(steps) != 0 {
		t.Fatalf("%d steps were read from half a record (%v)", len(steps), err)
	}
	if err := powercut.WriteFails.Give(s.faults); err != nil { // the process does nothing but open the file
		t.Fatal(err)
	}
	s.run(t, 1, 0)
	if err := powercut.Note(s.db, "whole"); err != nil {
		t.Fatal(err)
	}
	if steps, err := powercut.Journal(s.db); err != nil || len(steps) != 1 ||
		steps[0].Text != "whole" {
		t.Errorf("the journal is %v (%v), want one note", steps, err)
	}
}

// A file that takes the place of another takes over nothing of what is in doubt of that.
func TestReplacedFileHasNoPast(t *testing.T) {
	s := newScribbler(t)
	s.run(t, 40, 0)
	for round := range 10 {
		if err := powercut.SyncFailsOnce.Give(s.faults); err != nil {
			t.Fatal(err)
		}
		s.run(t, 5, 0) // ends with it, and its journal is kept
		before, err := check(s.db)
		if err != nil {
			t.Fatal(err)
		}
		compact(t, s.db, s.db+".tmp") // the same in other pages
		if err := os.Rename(s.db+".tmp", s.db); err != nil {
			t.Fatal(err)
		}
		acknowledged, said := s.run(t, 0, 3)
		if _, err := powercut.Rollback(s.db, random(round)); err != nil {
			t.Fatal(err)
		}
		if last, err := check(s.db); err != nil || last < max(before, acknowledged) {
			t.Fatalf("it was at %d, %d was acknowledged, and it is at %d (%v); the program says %q", before,
				acknowledged, last, err, said)
		}
	}
}

func compact(t *testing.T, from, to string) {
	t.Helper()
	src, err := bbolt.Open(from, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := bbolt.Open(to, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(bbolt.Compact(dst, src, 0), dst.Close(), src.Close()); err != nil {
		t.Fatal(err)
	}
}
