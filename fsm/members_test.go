package fsm_test

import (
	"testing"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/internal/testkey"
)

// Who the members will be is told from the log as it will be applied: also behind a rotation that
// will not be, and behind one that will.
func TestMembersAfter(t *testing.T) {
	r := newRealm(t)
	before := r.fsm.View()
	foretell := func() {
		t.Helper()
		told := before.MembersAfter(func(yield func(uint64, []byte) bool) {
			for _, l := range r.log {
				if l.Index > before.Index() && l.Type == raft.LogCommand && !yield(l.Index, l.Data) {
					return
				}
			}
		})
		if now := r.fsm.View().Members(); !told.Equal(now) {
			t.Errorf("the members were to be %v, and are %v", told, now)
		}
	}
	first, second := node(firstNode, true), node(secondNode, false)
	late := r.rotation(r.key.Extend(r.line, testkey.New(2, 1)))
	resealed := put(before, fsm.Reseal, fsm.PathSeal, []byte("record"))
	resealed = with(resealed, before, fsm.PathKeyring, []byte("wrapped"))
	r.must(r.add(r.sign(resealed)), fsm.Applied)
	r.must(r.add(r.sign(late)), fsm.Conflict)
	r.must(r.add(r.sign(r.change(fsm.Members{first, second}))), fsm.Applied)
	foretell()
	r.configure(server(firstNode, raft.Voter), server(secondNode, raft.Nonvoter))
	r.rotate()
	second.Voter = true
	r.must(r.add(r.sign(r.change(fsm.Members{first, second}))), fsm.Applied)
	foretell()
}
