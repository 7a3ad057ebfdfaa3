package storage_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/storage"
)

var errForeign = errors.New("it is of another cluster")

// takeOwnSnapshot is takeSnapshot by this node's own state machine.
func takeOwnSnapshot(s *storage.Store, index uint64, state []byte) (string, error) {
	sink, err := s.Snapshots().Create(1, index, entry(index).Term, configuration, 1, nil)
	if err != nil {
		return "", err
	}
	sink.(interface{ Own() }).Own()
	_, err = sink.Write(state)
	return sink.ID(), errors.Join(err, sink.Close())
}

// Whoever vets sees what was written, and a folder in which nothing has changed yet.
func TestVetIsAskedBeforeAnythingChanges(t *testing.T) {
	s, dir := create(t)
	asked := 0
	s.Vet(func(meta raft.SnapshotMeta, state io.Reader) error {
		asked++
		got, err := io.ReadAll(state)
		if err != nil || !bytes.Equal(got, snapshotState(60)) {
			t.Errorf("vetted are %d bytes (%v)", len(got), err)
		}
		servers := len(meta.Configuration.Servers)
		if meta.Index != 60 || meta.Term != 9 || meta.Size != int64(len(got)) || servers != 2 {
			t.Errorf("vetted is %+v", meta)
		}
		wantOnly(t, s, 1, 50, 100)
		wantNewestSnapshot(t, s, 30)
		return nil
	})
	mustStore(t, s, 1, 50)
	for _, index := range []uint64{20, 30} {
		if _, err := takeOwnSnapshot(s, index, snapshotState(index)); err != nil || asked > 0 {
			t.Fatalf("vetted was a snapshot of this node's own (%v)", err)
		}
	}
	if _, err := takeSnapshotAt(s, 60, 9, snapshotState(60)); err != nil || asked != 1 {
		t.Fatalf("asked %d times, %v", asked, err)
	}
	wantOnly(t, s, 0, 0, 100)
	mustClose(t, s)
	wantNewestSnapshot(t, mustOpen(t, dir), 60)
}

// A snapshot that is refused leaves everything as it was, in this process and in the next.
func TestSnapshotThatIsRefusedChangesNothing(t *testing.T) {
	s, dir := create(t)
	s.Vet(func(_ raft.SnapshotMeta, state io.Reader) error {
		_, err := state.Read(make([]byte, 10)) // not to its end
		return errors.Join(err, errForeign)
	})
	mustStore(t, s, 1, 50)
	var own []string
	for _, index := range []uint64{20, 30} {
		id, err := takeOwnSnapshot(s, index, snapshotState(index))
		if err != nil {
			t.Fatal(err)
		}
		own = append(own, id)
	}
	want := folderBytes(t, dir)
	id, err := takeSnapshotAt(s, 60, 9, randomState(1))
	wantSentence(t, err, "writing snapshot "+id, errForeign.Error())
	if !errors.Is(err, errForeign) || s.Err() != nil {
		t.Errorf("refused by %v; the store: %v", err, s.Err())
	}
	if got := folderBytes(t, dir); !bytes.Equal(got, want) {
		t.Error("the folder has changed")
	}
	if index, _ := s.NewestSnapshot(); index != 30 {
		t.Errorf("the newest snapshot is of %d", index)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	wantOnly(t, s, 1, 50, 100)
	wantNames(t, filepath.Join(dir, "snapshots"), own...)
}

// A process that ends while a snapshot is vetted has not taken it.
func TestCrashWhileASnapshotIsVetted(t *testing.T) {
	s, dir := create(t)
	mustStore(t, s, 1, 50)
	crash := &steps{dir: dir}
	s.OnSnapshotStep(crash.step)
	s.Vet(func(raft.SnapshotMeta, io.Reader) error {
		crash.stop = crash.count + 1
		return nil
	})
	if _, err := takeSnapshotAt(s, 60, 9, snapshotState(60)); !errors.Is(err, errPlugPulled) {
		t.Fatal(err)
	}
	mustClose(t, s)
	s = mustOpen(t, dir)
	wantOnly(t, s, 1, 50, 100)
	wantNames(t, filepath.Join(dir, "snapshots"))
}

// folderBytes are all names and contents in a folder.
func folderBytes(t *testing.T, dir string) (all []byte) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		all = append(all, path+"\n"...)
		if e.IsDir() {
			return nil
		}
		b, err := os.ReadFile(path)
		all = append(all, b...)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
