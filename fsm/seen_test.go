package fsm_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/hashicorp/raft"
	"pgregory.net/rapid"

	"keyquorum/fsm"
)

// What reads differently in two views was changed after the older: who waits until an index is
// known everywhere, and reads nothing that was changed after it, must learn of every such change
// from Seen. Also after a restart from a snapshot.
func TestSeenIsNotOlderThanWhatWasRead(t *testing.T) {
	paths := []string{"a", "b", "d/a", "d/b", "d/e/a", "d/e/b", "f/a"}
	prefixes := []string{"", "d", "d/", "d/e/", "d/e/a", "f/", "g/"}
	rapid.Check(t, func(t *rapid.T) {
		f := newFSM(t)
		views := []fsm.View{f.View()}
		for i := range rapid.IntRange(1, 30).Draw(t, "entries") {
			f.Apply(alter(t, f.View(), uint64(i+1), rapid.SampledFrom(paths).Draw(t, "path")))
			if rapid.IntRange(0, 9).Draw(t, "restart") == 0 {
				f = restarted(t, f)
			}
			newest := f.View()
			for _, path := range paths {
				wantSeen(t, views, newest, "Get "+path,
					func(v fsm.View) string { r, ok := v.Get(path); return fmt.Sprint(string(r.Value), ok) })
			}
			for _, prefix := range prefixes {
				wantSeen(t, views, newest, "Scan "+prefix,
					func(v fsm.View) string { return scanned(v, prefix) })
			}
			views = append(views, newest)
		}
	})
}

func wantSeen(t *rapid.T, older []fsm.View, newest fsm.View, what string,
	read func(fsm.View) string) {
	var seen fsm.Seen
	now := read(newest.Watched(&seen))
	if seen.Index > newest.Index() {
		t.Fatalf("%s at %d: seen %d", what, newest.Index(), seen.Index)
	}
	for _, v := range older {
		if v.Index() >= seen.Index && read(v) != now {
			t.Fatalf("%s at %d says %s, at %d %s, and the newest change seen is %d", what, newest.Index(),
				now, v.Index(), read(v), seen.Index)
		}
	}
}

func scanned(v fsm.View, prefix string) (all string) {
	for path, r := range v.Scan(prefix, "") {
		all += fmt.Sprintf("%s=%s ", path, r.Value)
	}
	return all
}

// alter creates, replaces or deletes what is at path.
func alter(t *rapid.T, v fsm.View, index uint64, path string) *raft.Log {
	r, there := v.Get(path)
	value := fmt.Sprint(index)
	switch {
	case !there:
		return command(t, index, create(byte(index), index-1, path, value))
	case rapid.Bool().Draw(t, "delete"):
		return command(t, index, remove(byte(index), index-1, path, r.Mod))
	}
	return command(t, index, replace(byte(index), index-1, path, r.Mod, value))
}

func restarted(t *rapid.T, f *fsm.FSM) *fsm.FSM {
	again := newFSM(t)
	if err := again.Restore(io.NopCloser(bytes.NewReader(snapshotOf(t, f)))); err != nil {
		t.Fatal(err)
	}
	return again
}
