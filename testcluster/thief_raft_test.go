package testcluster_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// forged are entries that give the application its right back.
func (s *scene) forged() []raft.Log {
	l := s.thief.Loot
	return []raft.Log{
		{Type: raft.LogCommand, Data: l.Dated(l.Delete(s.right.Path)).Encode()},
		{Type: raft.LogCommand, Data: l.Dated(testcluster.PutBack(s.right)).Encode()},
	}
}

// current is where the others are.
func (s *scene) current(t *testing.T) *testcluster.Claim {
	t.Helper()
	claim, err := s.thief.Current()
	must(t, err)
	return claim
}

// claim has the thief stand, and go on as leader whether he won or not.
func (s *scene) claim(t *testing.T) *testcluster.Claim {
	t.Helper()
	claim, err := s.thief.Claim()
	must(t, err)
	t.Logf("the thief has %d votes of others in term %d", claim.Votes, claim.Term)
	return claim
}

// order has the thief order entries.
func (s *scene) order(t *testing.T, claim *testcluster.Claim, entries ...raft.Log) {
	t.Helper()
	t.Logf("nodes %v obeyed", claim.Order(entries...))
}

// An attack is one as a peer of Raft.
type attack struct {
	do      func(t *testing.T, s *scene)
	unnamed bool // nothing shows that the thief lies
}

// attacked runs each attack on a cluster of its own.
func attacked(
	t *testing.T, prepare func(*scene, *testing.T), attacks map[string]attack,
	configure ...func(int, *node.Config),
) {
	t.Helper()
	for name, attack := range attacks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heist(t, 3, func(t *testing.T, s *scene) {
				prepare(s, t)
				attack.do(t, s)
				if !attack.unnamed {
					s.named(t, s.thief)
				}
				s.withstood(t, s.read)
			}, configure...)
		})
	}
}

// The thief appends entries to the others' logs.
func TestThiefAppendsNothing(t *testing.T) {
	heavy.Test(t)
	attacked(t, (*scene).revoke, map[string]attack{
		"forged entries, after votes for a log that he lacks": {do: func(t *testing.T, s *scene) {
			s.order(t, s.claim(t), s.forged()...)
		}},
		"all that he can make": {do: func(t *testing.T, s *scene) {
			var all []raft.Log
			for _, data := range s.made(t) {
				all = append(all, raft.Log{Type: raft.LogCommand, Data: data})
			}
			s.order(t, s.claim(t), all...)
		}},
		"forged entries, in the leader's term": {do: func(t *testing.T, s *scene) {
			s.order(t, s.current(t), s.forged()...)
		}},
		"forged entries, in the leader's name": {do: func(t *testing.T, s *scene) {
			claim := s.current(t)
			claim.As = s.c.Steal(s.c.Leader()).ID
			s.order(t, claim, s.forged()...)
		}},
		"old entries": {do: func(t *testing.T, s *scene) {
			var old []raft.Log
			for _, e := range s.thief.Loot.Entries {
				if e.Type == raft.LogCommand {
					old = append(old, raft.Log{Type: e.Type, Data: e.Data})
				}
			}
			s.order(t, s.claim(t), old...)
		}},
		"nothing that can be read": {do: func(t *testing.T, s *scene) {
			s.order(t, s.claim(t), raft.Log{Type: raft.LogCommand, Data: []byte("nothing")})
		}},
		"an entry of a type that nobody knows": {do: func(t *testing.T, s *scene) {
			s.order(t, s.claim(t), raft.Log{Type: 99, Data: []byte("nothing")})
		}},
		"no entry": {do: func(t *testing.T, s *scene) {
			s.claim(t).Send([]*raft.Log{nil})
		}},
		"nothing at all": {do: func(t *testing.T, s *scene) {
			s.order(t, s.claim(t), raft.Log{Type: raft.LogCommand})
		}},
		"a version that nobody knows": {do: func(t *testing.T, s *scene) {
			data := s.forged()[0].Data
			data[testcluster.VersionAt] = 99
			s.order(t, s.claim(t), raft.Log{Type: raft.LogCommand, Data: data})
		}},
		"something in a barrier": {unnamed: true, do: func(t *testing.T, s *scene) {
			s.order(t, s.claim(t), raft.Log{Type: raft.LogBarrier, Data: s.forged()[0].Data})
		}},
		"others in the place of what is applied": {do: conflict},
		"entries behind a hole": {do: func(t *testing.T, s *scene) {
			claim := s.claim(t)
			claim.Last += 1000
			s.order(t, claim, s.forged()...)
			list := claim.Entries(s.forged()...)
			claim.Last, claim.LastTerm = 0, 0
			claim.Send(list)
		}},
		"entries in no order": {do: func(t *testing.T, s *scene) {
			claim := s.claim(t)
			list := claim.Entries(raft.Log{Type: raft.LogNoop}, raft.Log{Type: raft.LogNoop})
			list[0], list[1] = list[1], list[0]
			claim.Send(list)
		}},
	})
}

// conflict puts entries that do nothing into the place of the revocation and all behind it. The
// state machines have applied them: what stands in the log shows when a node starts again.
func conflict(t *testing.T, s *scene) {
	revoked := s.before[s.right.Path].Mod
	claim := s.claim(t)
	previous, ok := s.thief.Loot.Entry(revoked - 1)
	if !ok || revoked == 0 {
		t.Fatal("the thief does not find the revocation in the log: the test shows nothing")
	}
	claim.Last, claim.LastTerm = previous.Index, previous.Term
	var nothing []raft.Log
	for range s.thief.Loot.Last().Index - previous.Index + 3 {
		nothing = append(nothing, raft.Log{Type: raft.LogNoop})
	}
	s.order(t, claim, nothing...)
}

// A voter is cut off and behind when a right is revoked. The thief gives it entries of later terms,
// which do nothing. Its log looks newer than those that have the revocation, so others may vote for
// it; but who knows that the revocation is committed lets nobody undo it. The voter is of no use
// any more: it will not have the thief's entries undone either, and says of who leads that he wants
// it. When thief and voter are gone the others serve, and have everything.
func TestThiefPutsNobodyAhead(t *testing.T) {
	heavy.Test(t)
	const behind = 1
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, testcluster.New(t, 3))
		mustLead(t, s.c, 0)
		s.c.Isolate(behind)
		s.c.Grant(0, "demo", "billing", nil, []string{"list"})
		s.denied(t, s.read, 0)
		s.note(t)
		s.thief.TalkWith(behind)
		for range 3 {
			s.order(t, s.claim(t), raft.Log{Type: raft.LogNoop}, raft.Log{Type: raft.LogNoop})
		}
		s.thief.TalkWith()
		s.c.Heal()
		for range 10 {
			time.Sleep(time.Second)
			for i := range robbed {
				if s.read(t, i) == nil {
					t.Errorf("node %d serves what was taken away from the application", i)
				}
			}
		}
		if len(s.c.Accusations("")) == 0 {
			t.Error("nobody says that something is wrong")
		}
		s.thief.Leave()
		s.c.Isolate(behind)
		mustLead(t, s.c, 0)
		s.c.Remove(behind)
		s.c.Heal()
		s.c.Unseal(robbed)
		for _, i := range []int{0, robbed} {
			s.denied(t, s.read, i)
			if status := create(s.c, i, fmt.Sprint("after-it-", i)); status != 200 {
				t.Errorf("afterwards node %d answers a write with %d", i, status)
			}
		}
		s.c.Settled()
	})
}

// A node that starts again has its log, and is not told yet how much of it is committed. The thief
// is the first to speak with it.
func TestThiefUndoesNothingAtAStart(t *testing.T) {
	heavy.Test(t)
	heist(t, 3, func(t *testing.T, s *scene) {
		s.revoke(t)
		time.Sleep(2 * time.Second) // what is committed is noted within one
		for _, i := range []int{0, 1, robbed} {
			s.c.Kill(i)
		}
		s.c.Start(0)
		s.c.Start(1)
		conflict(t, s)
		s.c.Start(robbed)
		s.c.Unseal(0)
		s.c.Unseal(1)
		s.named(t, s.thief)
		s.withstood(t, s.read)
	})
}

// alone is a configuration of nobody but the thief.
func alone(s *scene) []raft.Server {
	return []raft.Server{{ID: raft.ServerID(s.thief.ID), Address: "thief:8201"}}
}

// The thief says who is a member.
func TestThiefConfiguresNothing(t *testing.T) {
	heavy.Test(t)
	stranger := strings.Repeat("ab", 16)
	configure := func(change func(*scene, []raft.Server) []raft.Server) attack {
		return attack{do: func(t *testing.T, s *scene) {
			configurations := s.c.Configurations(0)
			servers := change(s, configurations[len(configurations)-1].Clone().Servers)
			s.thief.TalkWith(0, 1, robbed) // his double must not stand
			defer s.thief.TalkWith()
			claim := s.claim(t)
			for range 10 { // nobody is named who is only a little early
				s.order(t, claim, raft.Log{
					Type: raft.LogConfiguration,
					Data: raft.EncodeConfiguration(raft.Configuration{Servers: servers}),
				})
				time.Sleep(300 * time.Millisecond)
			}
		}}
	}
	attacked(t, (*scene).revoke, map[string]attack{
		"he alone": configure(func(s *scene, _ []raft.Server) []raft.Server { return alone(s) }),
		"a stranger more": configure(func(_ *scene, servers []raft.Server) []raft.Server {
			return append(servers, raft.Server{ID: raft.ServerID(stranger), Address: "thief:8201"})
		}),
		"a member less": configure(func(_ *scene, servers []raft.Server) []raft.Server {
			return servers[1:]
		}),
		"a voter no more": configure(func(_ *scene, servers []raft.Server) []raft.Server {
			servers[0].Suffrage = raft.Nonvoter
			return servers
		}),
		"all elsewhere": configure(func(_ *scene, servers []raft.Server) []raft.Server {
			for i := range servers {
				servers[i].Address = "thief:8201"
			}
			return servers
		}),
		"nobody": configure(func(*scene, []raft.Server) []raft.Server { return nil }),
		"nothing that can be read": {do: func(t *testing.T, s *scene) {
			s.order(t, s.claim(t), raft.Log{Type: raft.LogConfiguration, Data: []byte("nothing")})
		}},
		"as once, behind what made it so then": {do: func(t *testing.T, s *scene) {
			changes, members := s.thief.Loot.Changes()
			if len(changes) == 0 {
				t.Fatal("the thief finds no change of members: the test shows nothing")
			}
			s.thief.TalkWith(0, 1, robbed)
			defer s.thief.TalkWith()
			claim := s.claim(t)
			for range 10 {
				s.order(t, claim, raft.Log{Type: raft.LogCommand, Data: changes[0]}, raft.Log{
					Type: raft.LogConfiguration, Data: raft.EncodeConfiguration(members[0].Configuration()),
				})
				time.Sleep(300 * time.Millisecond)
			}
		}},
		"as of old": {do: func(t *testing.T, s *scene) {
			s.order(t, s.claim(t), raft.Log{
				Type: raft.LogAddPeerDeprecated, Data: testcluster.OldPeers(s.thief.ID),
			})
		}},
	})
}

// The thief makes the others wait for him. It takes no longer than he stays.
func TestThiefStaysNotForEver(t *testing.T) {
	endless := uint64(math.MaxUint64)
	attacked(t, (*scene).revoke, map[string]attack{
		"he leads and does nothing": {unnamed: true, do: func(t *testing.T, s *scene) {
			claim := s.claim(t)
			for range 50 {
				claim.Send(nil)
				time.Sleep(100 * time.Millisecond)
			}
		}},
		"he has everybody stand": {do: func(t *testing.T, s *scene) {
			for range 20 {
				for _, i := range s.thief.Others() {
					_ = s.thief.Stand(i)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}},
		"he asks for votes in the last term": {do: func(t *testing.T, s *scene) {
			for _, i := range s.thief.Others() {
				granted, err := s.thief.AskVote(i, raft.RequestVoteRequest{
					Term: endless, Candidate: []byte(s.thief.ID), LeadershipTransfer: true,
					LastLogIndex: endless, LastLogTerm: endless,
				})
				t.Logf("node %d: %v, %v", i, granted, err)
			}
		}},
		"he leads in the last term": {do: func(t *testing.T, s *scene) {
			claim := s.current(t)
			claim.Term = endless
			s.order(t, claim)
		}},
		"he sends a snapshot in the last term": {do: func(t *testing.T, s *scene) {
			claim := s.current(t)
			claim.Term = endless
			members := s.c.Configurations(0)
			claim.Install(raft.SnapshotMeta{
				Index: claim.Last, Term: claim.LastTerm, Configuration: members[len(members)-1],
			}, []byte("nothing"))
		}},
		"he asks for votes in the name of another": {do: func(t *testing.T, s *scene) {
			claim := s.current(t)
			other := s.c.Steal(1).ID
			for _, i := range s.thief.Others() {
				granted, err := s.thief.AskVote(i, raft.RequestVoteRequest{
					RPCHeader: testcluster.SaysItIs(other), Candidate: []byte(other),
					Term: claim.Term + 1, LeadershipTransfer: true,
					LastLogIndex: endless, LastLogTerm: endless,
				})
				t.Logf("node %d: %v, %v", i, granted, err)
				if granted {
					t.Errorf("node %d gives its vote to whom the thief names", i)
				}
			}
		}},
	})
}

// often has nodes take snapshots all the time, and keep little log behind them.
func often(_ int, config *node.Config) { config.Compact = node.Compact{Weight: 1, Entries: 1} }

// The thief sends the others a snapshot.
func TestThiefInstallsNothing(t *testing.T) {
	heavy.Test(t)
	prepare := func(s *scene, t *testing.T) {
		s.old = s.snapshot(t, s.right.Mod)
		s.revoke(t)
		s.newer = s.snapshot(t, s.before[s.right.Path].Mod)
		s.look(t)
	}
	altered := func(t *testing.T, s *scene) (raft.SnapshotMeta, []byte) {
		state, err := testcluster.AlterVouched(s.newer.State, s.right)
		must(t, err)
		return s.newer.Meta, state
	}
	reached := func(t *testing.T, s *scene) uint64 { return s.current(t).Last + 100 }
	attacked(t, prepare, map[string]attack{
		"altered, where it was": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) { return altered(t, s) })
		}},
		"altered, as if it were newer": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				meta, state := altered(t, s)
				meta.Index = reached(t, s)
				return meta, state
			})
		}},
		"made up, newer than what anybody has": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				meta := s.newer.Meta
				meta.Index = reached(t, s)
				s.thief.Look()
				state, err := s.thief.Loot.MakeUp(meta.Index, s.right)
				must(t, err)
				return meta, state
			})
		}},
		"with a command more": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				meta := s.newer.Meta
				meta.Index = reached(t, s)
				state, err := testcluster.AddCommand(s.newer.State, s.forged()[0].Data)
				must(t, err)
				return meta, state
			})
		}},
		"older, as if nothing that counts had followed": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				meta := s.old.Meta
				meta.Index = reached(t, s)
				state, err := s.thief.Loot.Forget(s.old.State, meta.Index)
				must(t, err)
				return meta, state
			})
		}},
		"older": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) { return s.old.Meta, s.old.State })
		}},
		"older, as if it were newer": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				meta := s.old.Meta
				meta.Index = reached(t, s)
				return meta, s.old.State
			})
		}},
		"foreign": {do: func(t *testing.T, s *scene) {
			foreign := newScene(t, testcluster.New(t, 3, often))
			taken := foreign.snapshot(t, foreign.right.Mod)
			foreign.thief.Leave()
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				meta := taken.Meta
				meta.Index += 1000
				return meta, taken.State
			})
		}},
		"with other members": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				s.thief.Look()
				state, err := s.thief.Loot.Kept()
				must(t, err)
				meta := s.newer.Meta
				meta.Index, meta.Configuration.Servers = reached(t, s), alone(s)
				return meta, state
			})
		}},
		"with members that can't be read": {do: func(t *testing.T, s *scene) {
			claim := s.claim(t)
			for _, i := range s.thief.Others() {
				_, err := s.thief.Install(i, raft.InstallSnapshotRequest{
					Term: claim.Term, LastLogIndex: claim.Last, LastLogTerm: claim.LastTerm,
					Configuration: []byte("nothing"),
				}, []byte("nothing"))
				t.Logf("node %d: %v", i, err)
			}
		}},
		"nothing that can be read": {do: func(t *testing.T, s *scene) {
			s.install(t, func() (raft.SnapshotMeta, []byte) {
				meta := s.newer.Meta
				meta.Index += 1000
				return meta, []byte("nothing")
			})
		}},
	}, often)
}

// install has the thief send everybody a snapshot as leader of a new term.
func (s *scene) install(t *testing.T, make func() (raft.SnapshotMeta, []byte)) {
	t.Helper()
	meta, state := make()
	t.Logf("nodes %v took it", s.claim(t).Install(meta, state))
}

// snapshot is one that the thief finds when it has got to an entry. The cluster takes it when
// enough was written.
func (s *scene) snapshot(t *testing.T, index uint64) testcluster.Snapshot {
	t.Helper()
	for n := range 200 {
		s.thief.Look()
		if found := s.thief.Loot.Snapshots; len(found) > 0 && found[0].Meta.Index >= index {
			return found[0]
		}
		create(s.c, 0, fmt.Sprintf("filling-%d-%d", index, n))
		time.Sleep(100 * time.Millisecond)
	}
	t.Fatalf("the thief finds no snapshot with entry %d: the test shows nothing", index)
	return testcluster.Snapshot{}
}
