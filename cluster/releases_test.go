package cluster_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/internal/release"
)

// A write that not all members could apply waits until they can, and is not signed before.
func TestFeatureWaitsForItsLevel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 3)
		leader := g.members[g.leader()]
		view := leader.View()
		txn := view.Begin(fsm.Ordinary)
		cluster.Put(&txn, view, release.Path, release.EncodeRecord(release.Silent))
		_, err := leader.Commit(t.Context(), txn)
		must(t, err)
		waits := new(release.Waiting)
		demotion := leader.View().Begin(fsm.Change)
		list := slices.Clone(leader.View().Members())
		list[0].Voter = false
		value, err := list.Encode()
		must(t, err)
		cluster.Put(&demotion, leader.View(), fsm.PathMembers, value)
		if _, err := leader.Commit(t.Context(), demotion); !errors.As(err, &waits) {
			t.Errorf("a vote is taken at level %d: %v", leader.Level(), err)
		}
		if _, err := leader.Commit(t.Context(), leader.View().Begin(5)); !errors.As(err, &waits) {
			t.Errorf("verb 5 at level %d: %v", leader.Level(), err)
		}
		g.stop(g.follower())
		time.Sleep(10 * time.Second)
		if level := leader.Level(); level != release.Silent {
			t.Fatalf("level %d while a member is silent", level)
		}
		g.open(g.down())
		time.Sleep(10 * time.Second)
		if level := leader.Level(); level != release.Telling {
			t.Fatalf("level %d when all members have told", level)
		}
		if _, err := leader.Commit(t.Context(), leader.View().Begin(5)); errors.As(err, &waits) {
			t.Errorf("verb 5 still waits: %v", err)
		}
	})
}

// follower is one of those that follow.
func (g *group) follower() int { return (g.leader() + 1) % len(g.members) }

// down is the member that was stopped.
func (g *group) down() int {
	for i, m := range g.members {
		if m == nil {
			return i
		}
	}
	return -1
}

// A member whose state comes to a level that its program does not know ends, and says what to do.
func TestUnknownLevelEndsAMember(t *testing.T) {
	bubble(t, func(t *testing.T) {
		g := newGroup(t, 1)
		own := g.members[g.leader()]
		view := own.View()
		txn := view.Begin(fsm.Ordinary)
		cluster.Put(&txn, view, release.Path, release.EncodeRecord(9))
		_, _ = own.Commit(t.Context(), txn)
		<-own.Failed()
		if err := own.Err(); !strings.Contains(err.Error(), "the cluster is at level 9 already") {
			t.Error(err)
		}
	})
}

// Bodies of calls keep their shape: a node of the release before reads them. Another shape is another
// path, for nodes that know its level (docs/formats-cluster.md).
func TestCallsKeepTheirShape(t *testing.T) {
	golden := filepath.Join("testdata", "calls_v1.txt")
	var now bytes.Buffer
	for _, body := range cluster.CallBodies([]byte{1}) {
		now.WriteString(hex.EncodeToString(body) + "\n")
	}
	if os.Getenv("KEYQUORUM_WRITE") != "" {
		must(t, os.WriteFile(golden, now.Bytes(), 0o644))
	}
	held, err := os.ReadFile(golden)
	must(t, err)
	if !bytes.Equal(held, now.Bytes()) {
		t.Errorf("the bodies of calls are others than those of %s: nodes of the release before can't "+
			"read them. Give what is new a path of its own. Bodies now:\n%s", golden, now.Bytes())
	}
}
