package storage_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/internal/heavy"
	"keyquorum/internal/powercut"
	"keyquorum/storage"
)

// runChild is the test binary run as another process, which writes until it is killed or its disk
// fails, and prints what was acknowledged.
func runChild(role string) {
	switch role {
	case "record":
		record(os.Getenv("STORAGE_TEST_DIR"))
		return
	case "go on":
		goOn(os.Getenv("STORAGE_TEST_DIR"))
		return
	}
	s, err := storage.Open(os.Getenv("STORAGE_TEST_DIR"))
	if err != nil {
		fmt.Println("error", err)
		os.Exit(2)
	}
	last, err := s.Logs().LastIndex()
	if err != nil {
		os.Exit(2)
	}
	if role == "full-disk" {
		limitFileSize(256 << 10)
	}
	if role == "scrub" {
		go scrubOn(s)
	}
	for index := last + 1; ; index += 3 {
		if err := childStep(s, index); err != nil {
			fmt.Println("failed", err)
			<-s.Failed()
			childAfterFailure(s, index)
			os.Exit(0)
		}
	}
}

// scrubOn scrubs again and again.
func scrubOn(s *storage.Store) {
	for index := s.Scrubbed() + 1; s.Scrub(index) == nil; index++ {
		fmt.Println("scrubbed", index)
	}
}

// limitFileSize makes the file system refuse to let files grow: what a full disk does, without
// root.
func limitFileSize(bytes uint64) {
	signal.Ignore(syscall.SIGXFSZ)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE,
		&syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		os.Exit(2)
	}
}

func childStep(s *storage.Store, index uint64) error {
	if err := s.Logs().StoreLogs(entries(index, index+2)); err != nil {
		return err
	}
	fmt.Println("log", index+2)
	if err := s.Stable().SetUint64([]byte("CurrentTerm"), index); err != nil {
		return err
	}
	fmt.Println("term", index)
	if index%7 == 0 {
		if _, err := takeSnapshot(s, index, snapshotState(index)); err != nil {
			return err
		}
		fmt.Println("snapshot", index)
	}
	return nil
}

func snapshotState(index uint64) []byte {
	return bytes.Repeat(fmt.Appendf(nil, "state %d\n", index), 300)
}

// childAfterFailure reports a write that was taken although the disk had failed.
func childAfterFailure(s *storage.Store, index uint64) {
	if s.Logs().StoreLogs(entries(index, index)) == nil || s.Stable().Set([]byte("k"), nil) == nil {
		fmt.Println("error: a write after the failure succeeded")
	}
}

// acknowledged is what a child printed before it ended.
type acknowledged struct{ log, term, snapshot, scrubbed uint64 }

// child is a program of this package's tests, in a role.
func child(program, role, dir string) *exec.Cmd {
	cmd := exec.Command(program)
	cmd.Env = append(os.Environ(), "STORAGE_TEST_CHILD="+role, "STORAGE_TEST_DIR="+dir)
	return cmd
}

// watch runs a child until its end, and returns all that it printed. After n lines it calls then,
// in which the child may be killed: what is in the pipe was acknowledged and is still read.
func watch(t *testing.T, cmd *exec.Cmd, n int, then func()) (ack acknowledged, failure string) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for i := 1; lines.Scan(); i++ {
		if i == n {
			then()
		}
		what, rest, _ := strings.Cut(lines.Text(), " ")
		index, _ := strconv.ParseUint(rest, 10, 64)
		switch what {
		case "log":
			ack.log = index
		case "term":
			ack.term = index
		case "snapshot":
			ack.snapshot = index
		case "scrubbed":
			ack.scrubbed = index
		case "failed":
			failure = rest
		default:
			t.Errorf("child says: %s", lines.Text())
		}
	}
	cmd.Wait()
	return ack, failure
}

// wantAcknowledged checks that the folder holds at least that.
func wantAcknowledged(t *testing.T, dir string, ack acknowledged) {
	t.Helper()
	s, err := storage.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, s)
	last, err := s.Logs().LastIndex()
	if err != nil || last < ack.log || last%3 != 0 {
		t.Fatalf("log ends at %d (%v), %d was acknowledged", last, err, ack.log)
	}
	if last > 0 {
		wantLog(t, s, 1, last)
	}
	if term, err := s.Stable().GetUint64([]byte("CurrentTerm")); ack.term > 0 &&
		(err != nil || term < ack.term) {
		t.Fatalf("term is %d (%v), %d was acknowledged", term, err, ack.term)
	}
	wantNewestSnapshot(t, s, ack.snapshot)
}

// wantNewestSnapshot checks that every snapshot in the folder is whole, and that the newest is at
// least that of an index.
func wantNewestSnapshot(t *testing.T, s *storage.Store, index uint64) {
	t.Helper()
	metas, err := s.Snapshots().List()
	if err != nil {
		t.Fatal(err)
	}
	if newest := append(metas, &raft.SnapshotMeta{})[0].Index; newest < index {
		t.Fatalf("newest snapshot is of %d, one of %d was acknowledged", newest, index)
	}
	for _, m := range metas {
		if _, state, err := readState(s, m.ID); err != nil ||
			!bytes.Equal(state, snapshotState(m.Index)) {
			t.Fatalf("snapshot %s is not what was written (%v)", m.ID, err)
		}
	}
}

func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	s, dir := create(t)
	mustClose(t, s)
	var ack acknowledged
	for round := range 8 {
		cmd := child(os.Args[0], "write", dir)
		ack, _ = watch(t, cmd, 10+37*round, func() { cmd.Process.Kill() })
		wantAcknowledged(t, dir, ack)
		if names, _ := filepath.Glob(filepath.Join(dir, "snapshots", "*.tmp")); len(names) > 0 {
			t.Errorf("Open left %v", names)
		}
	}
	if ack.log == 0 || ack.snapshot == 0 {
		t.Errorf("the last child acknowledged only %+v", ack)
	}
}

func TestFullDiskPoisonsAndARestartServesWhatWasAcknowledged(t *testing.T) {
	s, dir := create(t)
	mustClose(t, s)
	ack, failure := watch(t, child(os.Args[0], "full-disk", dir), 0, nil)
	wantSentence(t, errors.New(failure), "raft.db failed", "file too large")
	if ack.log == 0 {
		t.Fatal("the child acknowledged nothing before its disk was full")
	}
	wantAcknowledged(t, dir, ack)
}

// The disk fails under bolt; the process ends; and then the power goes.
func TestFailedDiskAndAPowerCutLoseNothingAcknowledged(t *testing.T) {
	heavy.Test(t)
	t.Parallel()
	program, err := recorder()
	if err != nil {
		t.Fatal(err)
	}
	for order, c := range map[powercut.Order]struct {
		says    string
		written bool // what failed was written, and perhaps is on disk
	}{
		powercut.SyncFails:     {"input/output error", true},
		powercut.SyncFailsOnce: {"input/output error", true},
		powercut.WriteFails:    {"input/output error", false},
		powercut.DiskFull:      {"no space left on device", false},
	} {
		s, dir := createIn(t, memoryFolder(t))
		mustClose(t, s)
		faults, lost := t.TempDir(), 0
		for round := range 4 {
			cmd := child(program, "write", dir)
			cmd.Env = append(cmd.Env, powercut.Faults+"="+faults)
			ack, failure := watch(t, cmd, 5+round, func() { order.Give(faults) })
			wantSentence(t, errors.New(failure), "raft.db failed", c.says)
			n, err := powercut.Rollback(filepath.Join(dir, "raft.db"),
				rand.New(rand.NewPCG(uint64(round), 1)))
			if err := errors.Join(err, order.Withdraw(faults)); err != nil {
				t.Fatal(err)
			}
			wantAcknowledged(t, dir, ack)
			lost += n
		}
		if c.written && lost == 0 {
			t.Errorf("%s: four power cuts lost nothing at all", order)
		}
	}
}
