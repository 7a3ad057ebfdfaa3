package storage_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/internal/overlay"
	"keyquorum/storage"
)

// deep is for runs of minutes instead of seconds.
var deep = os.Getenv("KEYQUORUM_DEEP") != ""

func ifDeep(then, otherwise int) int {
	if deep {
		return then
	}
	return otherwise
}

// A pick chooses among the options of the question that is asked as the nth, from 0.
type pick func(n, options int) int

func (p pick) counting() func(options int) int {
	n := -1
	return func(options int) int { n++; return p(n, options) }
}

func oldest(_, _ int) int       { return 0 }
func newest(_, options int) int { return options - 1 }
func only(which int, then, otherwise pick) pick {
	return func(n, options int) int {
		if n == which {
			return then(n, options)
		}
		return otherwise(n, options)
	}
}

func random(rng *rand.Rand) pick {
	chance := rng.Float64()
	return func(n, options int) int {
		if rng.Float64() < chance {
			return options - 1
		}
		return rng.IntN(options)
	}
}

// picks are ways to answer about n questions: all alike, the first few unlike the rest, each alone
// unlike the rest, if they are few, and at random.
func picks(n, first int, rng *rand.Rand) iter.Seq[pick] {
	return func(yield func(pick) bool) {
		all := []pick{oldest, newest, split(first, oldest, newest), split(first, newest, oldest)}
		if n <= ifDeep(200, 10) {
			for i := range n {
				all = append(all, only(i, newest, oldest), only(i, oldest, newest))
			}
		}
		for range ifDeep(150, 3) {
			all = append(all, random(rng))
		}
		for _, p := range all {
			if !yield(p) {
				return
			}
		}
	}
}

func split(first int, before, behind pick) pick {
	return func(n, options int) int {
		if n < first {
			return before(n, options)
		}
		return behind(n, options)
	}
}

// states are folders that a power cut may leave, but for those that were seen since less became
// legal.
func (c *crashed) states(rng *rand.Rand, seen map[[32]byte]bool) iter.Seq[map[string][]byte] {
	return func(yield func(map[string][]byte) bool) {
		asked := 0
		c.state(func(int) int { asked++; return 0 })
		for p := range picks(asked, c.bolt.Doubtful(), rng) {
			state := c.state(p.counting())
			sum := sum(state, c.narrowed)
			if seen[sum] {
				continue
			}
			seen[sum] = true
			if !yield(state) {
				return
			}
		}
	}
}

func sum(state map[string][]byte, narrowed int) (sum [32]byte) {
	h := sha256.New()
	fmt.Fprintln(h, narrowed)
	for _, name := range slices.Sorted(maps.Keys(state)) {
		fmt.Fprintln(h, name, len(state[name]))
		h.Write(state[name])
	}
	return [32]byte(h.Sum(nil))
}

// memoryFolder is a folder in memory, where the machine has one: states are judged by the hundred,
// and what a sync costs is not looked at.
func memoryFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "storage-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// judge opens a state and says what is wrong with it.
func (c *crashed) judge(dir string, state map[string][]byte) error {
	if err := newFolderOf(dir, state); err != nil {
		return err
	}
	s, err := storage.Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	got, err := show(s)
	if err == nil && !slices.ContainsFunc(c.legal, got.equal) {
		err = fmt.Errorf("the folder holds\n%v\nand may hold\n%v", got, c.legal)
	}
	if c.judged++; err == nil && c.judged%8 == 0 {
		err = worksOn(dir, s, got)
	}
	return err
}

// worksOn stores an entry more, and reads it in another life.
func worksOn(dir string, s *storage.Store, had contents) error {
	next := had.next()
	if err := errors.Join(s.Logs().StoreLog(next), s.Close()); err != nil {
		return err
	}
	s, err := storage.Open(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	var l raft.Log
	if err := s.Logs().GetLog(next.Index, &l); err != nil {
		return fmt.Errorf("entry %d was stored after the power cut: %w", next.Index, err)
	}
	return nil
}

// newFolderOf makes dir a folder of the files and nothing else.
func newFolderOf(dir string, files map[string][]byte) error {
	return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700), writeFiles(dir, files))
}

// powerCuts records the workload and judges states after each of its steps, until one is wrong. It
// returns how many were right.
func powerCuts(t *testing.T, forgotten string) (right int, wrong error) {
	t.Helper()
	s, dir := create(t)
	mustClose(t, s)
	image, trace := traced(t, "record", dir, forgottenVariable+"="+forgotten)
	c, rng := newCrashed(image), rand.New(rand.NewPCG(1, 1))
	seen := map[[32]byte]bool{}
	folder := filepath.Join(memoryFolder(t), "cluster")
	for i, step := range trace {
		c.apply(t, step)
		for state := range c.states(rng, seen) {
			if err := c.judge(folder, state); err != nil {
				return right, fmt.Errorf("step %d of %d, operation %d acknowledged: %w", i+1, len(trace),
					c.ended, err)
			}
			right++
		}
	}
	if c.ended != len(workload) {
		t.Fatalf("%d of %d operations are in the trace", c.ended, len(workload))
	}
	return right, nil
}

func TestPowerCutAtEveryWrite(t *testing.T) {
	t.Parallel()
	right, err := powerCuts(t, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d different states are right", right)
	if right < 500 {
		t.Errorf("only %d states were looked at: the trace does not reach the disk", right)
	}
}

// On a disk that tears sectors a meta page may be neither old nor new. That is no legal state, and
// is refused by name.
func TestTornMetaPageIsRefusedByName(t *testing.T) {
	s, dir := createIn(t, memoryFolder(t))
	db := filepath.Join(dir, "raft.db")
	mustStore(t, s, 1, 3)
	before, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	mustStore(t, s, 4, 4)
	after, err := os.ReadFile(db)
	if err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	meta := 0
	if bytes.Equal(before[:80], after[:80]) {
		meta = 4096
	}
	refused := 0
	for torn := range 80 {
		for _, old := range [][2]int{{meta, meta + torn}, {meta + torn, meta + 80}} {
			b := bytes.Clone(after)
			copy(b[old[0]:old[1]], before[old[0]:old[1]])
			if err := os.WriteFile(db, b, 0o600); err != nil {
				t.Fatal(err)
			}
			s, err := storage.Open(dir)
			if err != nil {
				wantSentence(t, err, db, "meta page", "damaged")
				refused++
				continue
			}
			if last, err := s.Logs().LastIndex(); err != nil || last != 4 && last != 3 {
				t.Errorf("torn at byte %d of its page, the log ends at %d (%v)", torn, last, err)
			}
			mustClose(t, s)
		}
	}
	if refused == 0 {
		t.Error("no torn page was refused")
	}
}

func TestForgottenSyncIsFound(t *testing.T) {
	t.Parallel()
	for _, what := range []string{
		"bolt's pages", "bolt's meta page", "a snapshot's state", "the names in a snapshot",
		"a snapshot's name",
		"a new file", "a new file's name",
	} {
		t.Run(what, func(t *testing.T) {
			if right, err := powerCuts(t, what); err == nil {
				t.Errorf("it is not synced, and %d states are right", right)
			}
		})
	}
}

const forgottenVariable = "STORAGE_TEST_FORGOTTEN"

// forgettable lets a process forget the sync that the variable names.
var forgettable = []overlay.Edit{
	{File: "go.etcd.io/bbolt/forgotten.go", New: "package bbolt\n" + forgotten},
	{File: "github.com/hashicorp/raft-boltdb/v2/forgotten.go",
		New: "package raftboltdb\n" + forgotten},
	{File: "keyquorum/storage/forgotten.go", New: "package storage\n" + forgotten},
	forget("bolt's pages", "go.etcd.io/bbolt/tx.go", "beforeSyncDataPages struct{}\n\t\tif err := ",
		"fdatasync(tx.db)"),
	forget("bolt's meta page", "go.etcd.io/bbolt/tx.go", "beforeSyncMetaPage struct{}\n\t\tif err := ",
		"fdatasync(tx.db)"),
	forget("a snapshot's state", "keyquorum/storage/snapshotstate.go", "",
		"w.store.disk.finish(w.file)"),
	forget("the names in a snapshot", "keyquorum/storage/disk.go", "", "d.syncDir(from)"),
	forget("a snapshot's name", "keyquorum/storage/disk.go", "", "d.syncDir(filepath.Dir(to))"),
	forget("a new file", "keyquorum/storage/rewrite.go", "", "d.sync(r.path, r.copy.file)"),
	forget("a new file's name", "keyquorum/storage/rewrite.go", "",
		"d.syncDir(filepath.Dir(r.live.path))"),
	forget("names that the last process left", "keyquorum/storage/storage.go", "if err := ",
		"s.settle()"),
	forget("pages that the last process left", "github.com/hashicorp/raft-boltdb/v2/bolt_store.go",
		"tx.CreateBucketIfNotExists(dbConf); err != nil {\n\t\treturn err\n\t}\n\n\treturn ",
		"tx.Commit()"),
}

// forget finds a call behind some words.
func forget(what, file, behind, call string) overlay.Edit {
	instead := fmt.Sprintf("unlessForgotten(%q, func() error { return %s })", what, call)
	return overlay.Edit{File: file, Old: behind + call, New: behind + instead}
}

const forgotten = `
import "os"

func unlessForgotten(what string, sync func() error) error {
	if os.Getenv("` + forgottenVariable + `") == what {
		return nil
	}
	return sync()
}
`
