package storage_test

import (
	"bytes"
	"errors"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"keyquorum/storage"
)

// loadDisk is a disk on which a real folder stands as it is.
func loadDisk(t *testing.T, dir string) *fileDisk {
	t.Helper()
	d := &fileDisk{root: newFolder()}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == dir {
			return err
		}
		i := newFolder()
		if !e.IsDir() {
			content, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			i = &inode{content: content, synced: true}
		}
		rel, err := filepath.Rel(dir, filepath.Dir(path))
		in := d.find(filepath.ToSlash(rel))
		in.names[e.Name()], in.onDisk[e.Name()] = i, i
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// all are all states of a disk after a power cut now.
func (d *fileDisk) all() iter.Seq[map[string][]byte] {
	return func(yield func(map[string][]byte) bool) {
		for answers := []int{}; ; {
			var most []int
			state := d.state(func(options int) int {
				if len(most) == len(answers) {
					answers = append(answers, 0)
				}
				most = append(most, options-1)
				return answers[len(most)-1]
			})
			if !yield(state) {
				return
			}
			last := len(most) - 1
			for ; last >= 0 && answers[last] == most[last]; last-- {
			}
			if last < 0 {
				return
			}
			answers = append(answers[:last:last], answers[last]+1)
		}
	}
}

// watch judges all states before and after each step.
func (d *fileDisk) watch(root string, judge func(state map[string][]byte)) func(op,
	path string) error {
	return watchSteps(root, func(s fileStep) error {
		d.step(s)
		for state := range d.all() {
			judge(state)
		}
		return nil
	})
}

func TestPowerCutWhileASmallFileIsWritten(t *testing.T) {
	for _, old := range []string{"", "old"} {
		dir := t.TempDir()
		path := filepath.Join(dir, "seal")
		if old != "" {
			if err := storage.WriteFile(path, []byte(old)); err != nil {
				t.Fatal(err)
			}
		}
		d := loadDisk(t, dir)
		states := 0
		err := storage.WriteFileStepwise(path, []byte("newer"),
			d.watch(dir, func(state map[string][]byte) {
				states++
				if got := string(state["seal"]); got != old && got != "newer" {
					t.Errorf("%q was to be replaced, and is %q", old, got)
				}
			}))
		if err != nil || states < 10 {
			t.Fatalf("%d states were looked at (%v)", states, err)
		}
		d.settle()
		for state := range d.all() {
			if string(state["seal"]) != "newer" {
				t.Errorf("it was written, and is %q", state["seal"])
			}
		}
	}
}

// A node makes its folder under another name, and renames it.
func TestPowerCutWhileAFolderIsMade(t *testing.T) {
	root := t.TempDir()
	making, made := filepath.Join(root, "cluster.new"), filepath.Join(root, "cluster")
	d := loadDisk(t, root)
	states := 0
	step := d.watch(root, func(state map[string][]byte) {
		states++
		wantNoneOrWhole(t, state)
	})
	err := storage.CreateStepwise(making, manifest, func(op, path string) error {
		if op == "create" { // the manifest comes behind raft.db, which bolt makes, and syncs
			d.step(fileStep{Op: "create", Path: "cluster.new/raft.db"})
			d.step(fileStep{Op: "sync", Path: "cluster.new/raft.db", Content: []byte("of bolt")})
		}
		return step(op, path)
	})
	if err := errors.Join(err, storage.RenameDirStepwise(making, made, step)); err != nil ||
		states < 50 {
		t.Fatalf("%d states were looked at (%v)", states, err)
	}
	d.settle()
	for state := range d.all() {
		if state["cluster/manifest.json"] == nil {
			t.Errorf("the folder was made, and there is %v", names(state))
		}
		wantNoneOrWhole(t, state)
	}
}

// What could not be made durable is not there: init must not fail and leave a cluster whose shares
// nobody saw.
func TestRenameThatIsNotSyncedIsTakenBack(t *testing.T) {
	root := t.TempDir()
	making, made := filepath.Join(root, "cluster.new"), filepath.Join(root, "cluster")
	if err := storage.CreateStepwise(making, manifest, nil); err != nil {
		t.Fatal(err)
	}
	renamed, failing := false, errors.New("input/output error")
	err := storage.RenameDirStepwise(making, made, func(op, path string) error {
		if renamed && op != "rename" {
			return failing
		}
		renamed = renamed || op == "rename"
		return nil
	})
	if _, missing := os.Lstat(made); !errors.Is(err, failing) || !errors.Is(missing, fs.ErrNotExist) {
		t.Errorf("%v; of the folder that was made: %v", err, missing)
	}
	if err := storage.RenameDirStepwise(making, made, nil); err != nil {
		t.Errorf("a second try: %v", err)
	}
}

func names(state map[string][]byte) (all []string) {
	for name := range state {
		all = append(all, name)
	}
	return all
}

func wantNoneOrWhole(t *testing.T, state map[string][]byte) {
	t.Helper()
	if _, there := state["cluster/"]; !there {
		return
	}
	_, snapshots := state["cluster/snapshots/"]
	if !snapshots || !bytes.Equal(state["cluster/manifest.json"], manifestFile()) ||
		string(state["cluster/raft.db"]) != "of bolt" {
		t.Errorf("a folder without all its parts has the final name: %v", names(state))
	}
}

// The name of a new snapshot can't be synced, once or ever: it is taken back, and whatever a crash
// leaves of that is no snapshot or a whole one. That it was made before it was reported as failed
// does no harm.
func TestPowerCutAfterASnapshotCouldNotBePlaced(t *testing.T) {
	for _, times := range []int{1, 100} {
		s, dir := create(t)
		mustSnapshot(t, s, 7, snapshotState(7))
		root := filepath.Join(dir, "snapshots")
		d := loadDisk(t, root)
		wantWhole := func(state map[string][]byte) { wantWholeSnapshots(t, state) }
		watch := d.watch(root, wantWhole)
		failed := 0
		s.OnSnapshotStep(func(op, path string) error {
			if op == "syncdir" && path == root && failed < times {
				failed++
				return syscall.EIO
			}
			return watch(op, path)
		})
		if _, err := takeSnapshot(s, 14, snapshotState(14)); !errors.Is(err, syscall.EIO) || failed == 0 {
			t.Fatalf("reported %v, want EIO", err)
		}
		for state := range d.all() {
			wantWhole(state)
		}
		wantNewestSnapshot(t, s, 7)
	}
}

func wantWholeSnapshots(t *testing.T, state map[string][]byte) {
	t.Helper()
	for name := range state {
		if !strings.HasSuffix(name, "/") || strings.HasSuffix(name, ".tmp/") {
			continue
		}
		if content := state[name+"state"]; !bytes.Equal(content, snapshotState(7)) &&
			!bytes.Equal(content, snapshotState(14)) {
			t.Fatalf("%s has the name of a snapshot, and not its state: %v", name, names(state))
		}
	}
}

// The process is killed at each step, the next one opens the folder, if it has the final name, and
// the power goes: a folder that was open is there.
func TestFolderThatWasOpenStays(t *testing.T) {
	opened := 0
	for stop := 1; stop <= 3; stop++ {
		root := t.TempDir()
		making, made := filepath.Join(root, "cluster.new"), filepath.Join(root, "cluster")
		if err := storage.CreateStepwise(making, manifest, nil); err != nil {
			t.Fatal(err)
		}
		d := loadDisk(t, root)
		killed := &steps{dir: root, stop: stop}
		watch := d.watch(root, func(map[string][]byte) {})
		err := storage.RenameDirStepwise(making, made, func(op, path string) error {
			if err := killed.step(op, path); err != nil {
				return err
			}
			return watch(op, path)
		})
		if !errors.Is(err, errPlugPulled) {
			t.Fatalf("%v: %s", err, strings.Join(killed.done, ", "))
		}
		s, err := storage.OpenStepwise(made, watch)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
		opened++
		d.settle()
		for state := range d.all() {
			if state["cluster/manifest.json"] == nil {
				t.Errorf("killed at step %d, the folder was opened, and after a power cut there is %v", stop,
					names(state))
			}
		}
	}
	if opened == 0 {
		t.Error("the folder had its name at no step")
	}
}
