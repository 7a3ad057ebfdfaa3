package node_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"

	"keyquorum/internal/heavy"
	"keyquorum/internal/wrapper"
	"keyquorum/node"
	"keyquorum/seal"
)

// rig is a foreign key in a file, and the line that names it.
func (s *site) rig(name string) node.ForeignKey {
	s.t.Helper()
	path := filepath.Join(s.root, name+".key")
	digits := strings.Repeat(fmt.Sprintf("%02x", len(name)+int(name[0])), 32)
	must(s.t, os.WriteFile(path, []byte(digits+"\n"), 0o600))
	_, key, err := wrapper.Parse(name + "=keyfile:" + path)
	must(s.t, err)
	return key
}

// escrow is an age identity in a file.
func (s *site) escrow(name string) node.ForeignKey {
	s.t.Helper()
	path := filepath.Join(s.root, name+".txt")
	identity, err := age.GenerateX25519Identity()
	must(s.t, err)
	must(s.t, os.WriteFile(path, []byte("# made by a test\n"+identity.String()+"\n"), 0o600))
	_, key, err := wrapper.Parse(name + "=age:" + path)
	must(s.t, err)
	return key
}

// using is for openWith: the wrappers that a node can use.
func using(keys map[string]node.ForeignKey, also ...func(*node.Config)) func(*node.Config) {
	return func(c *node.Config) {
		c.Wrappers = keys
		for _, configure := range also {
			configure(c)
		}
	}
}

func (s *site) add(i int, name string) {
	s.t.Helper()
	n := s.nodes[i]
	status, err := n.BeginAddition(s.t.Context(), name)
	must(s.t, err)
	for _, share := range s.shares[:2] {
		status, err = n.GiveAdditionShare(s.t.Context(), status.Nonce, share, allowed)
		must(s.t, err)
	}
	if !status.Complete {
		s.t.Fatalf("after enough shares: %+v", status)
	}
}

func (s *site) names(i int) (names []string) {
	s.t.Helper()
	list, err := s.nodes[i].Wrappers()
	must(s.t, err)
	for _, w := range list {
		names = append(names, w.Name)
	}
	return names
}

func (s *site) awaitUnsealed(hosts ...int) {
	s.t.Helper()
	for _, i := range hosts {
		s.await(fmt.Sprintf("host%d has unsealed itself", i), func() bool {
			return !s.nodes[i].SealStatus().Sealed
		})
	}
}

// One node, and three that are all started at once, come back without a share.
func TestUnattendedRestart(t *testing.T) {
	for _, hosts := range []int{1, 3} {
		t.Run(fmt.Sprint(hosts), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				keys := map[string]node.ForeignKey{"rig": s.rig("rig"), "spare": s.escrow("spare")}
				for i := range hosts {
					s.openWith(i, using(keys))
				}
				s.startOpened(hosts)
				s.add(0, "rig")
				s.add(hosts-1, "spare")
				s.await("all have it", func() bool { return len(s.names(hosts-1)) == 2 })
				v, o := s.operator(0)
				_, err := v.CreateVault(t.Context(), o, "demo", 90, false)
				must(t, err)
				s.await("the folders have it", func() bool { return s.mirrors(hosts, "spare") })
				delete(keys, "rig") // any one opens
				for i := range hosts {
					s.stop(i)
				}
				for i := range hosts {
					s.openWith(i, using(keys))
				}
				for i := range hosts {
					s.awaitUnsealed(i)
					v, o := s.operator(i)
					if _, err := v.GetVault(t.Context(), o, "demo"); err != nil {
						t.Errorf("host%d does not serve: %v", i, err)
					}
				}
			})
		})
	}
}

// mirrors says whether the copy of the seal record in each folder names a wrapper.
func (s *site) mirrors(hosts int, name string) bool {
	s.t.Helper()
	for i := range hosts {
		record := s.mirror(i)
		if !slices.ContainsFunc(record.Wrappers(), func(w seal.Wrapper) bool {
			return w.Name == name
		}) {
			return false
		}
	}
	return true
}

func (s *site) mirror(i int) seal.Record {
	s.t.Helper()
	b, err := os.ReadFile(filepath.Join(s.root, fmt.Sprint("host", i), "cluster", "seal.record"))
	must(s.t, err)
	record, err := seal.DecodeRecord(b)
	must(s.t, err)
	return record
}

// Shares, the token of an operator beside them, and a foreign key that can be used now: without each
// of them nothing is added.
func TestAdditionTakesShares(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		gone := s.rig("gone")
		must(t, os.Remove(filepath.Join(s.root, "gone.key")))
		s.openWith(0, using(map[string]node.ForeignKey{"rig": s.rig("rig"), "gone": gone}))
		s.startOpened(1)
		n := s.nodes[0]
		var refusal *node.CeremonyError
		for _, name := range []string{"none", "gone"} {
			if _, err := n.BeginAddition(t.Context(), name); !errors.As(err, &refusal) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := n.GiveAdditionShare(t.Context(), "", s.shares[0], allowed); err == nil {
			t.Error("a share is taken for nothing")
		}
		status, err := n.BeginAddition(t.Context(), "rig")
		must(t, err)
		if _, err := n.BeginAddition(t.Context(), "rig"); err == nil {
			t.Error("begun twice")
		}
		wrong := slices.Clone(s.shares[0])
		wrong[7] ^= 1
		for _, share := range []seal.Plaintext{s.shares[0], wrong, s.shares[0]} {
			status, _ = n.GiveAdditionShare(t.Context(), status.Nonce, share, allowed)
		}
		if status.Progress != 1 || len(s.names(0)) != 0 {
			t.Fatalf("after one good share: %+v, %v", status, s.names(0))
		}
		refused := func() error { return errors.New("no usage record") }
		if _, err := n.GiveAdditionShare(t.Context(), status.Nonce, s.shares[1], refused); err == nil ||
			len(s.names(0)) != 0 {
			t.Fatalf("without its usage record: %v, %v", err, s.names(0))
		}
		must(t, n.CancelAddition())
		s.add(0, "rig")
		if _, err := n.BeginAddition(t.Context(), "rig"); !errors.As(err, &refusal) {
			t.Errorf("a second of that name: %v", err)
		}
		if status, err := n.Addition(); err != nil || status.Started {
			t.Errorf("it is over: %+v, %v", status, err)
		}
		if err := n.RemoveWrapper(t.Context(), "none"); !errors.As(err, &refusal) {
			t.Errorf("removing what is not there: %v", err)
		}
		must(t, n.RemoveWrapper(t.Context(), "rig"))
		if len(s.names(0)) != 0 {
			t.Errorf("left: %v", s.names(0))
		}
		s.add(0, "rig")
	})
}

// A test of the wrappers says of each whether it opens here.
func TestWrappersAreTested(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		keys := map[string]node.ForeignKey{"good": s.rig("good"), "lost": s.rig("lost"),
			"other": s.escrow("other")}
		s.openWith(0, using(keys))
		s.startOpened(1)
		for _, name := range []string{"other", "lost", "good"} {
			s.add(0, name)
		}
		must(t, os.Remove(filepath.Join(s.root, "lost.key")))
		keys["other"] = s.escrow("again")
		list, err := s.nodes[0].TestWrappers(t.Context())
		must(t, err)
		var got []string
		for _, w := range list {
			got = append(got, fmt.Sprint(w.Name, " ", w.Kind, " ", w.Trouble == nil))
		}
		if want := []string{"good keyfile true", "lost keyfile false",
			"other age false"}; !slices.Equal(got, want) {
			t.Errorf("tested %v, want %v", got, want)
		}
	})
}

// Whoever seals a node wants it sealed, by whatever wrapper it could be opened, until shares come.
func TestSealedOnPurposeStaysSealed(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var j journal
		keys := map[string]node.ForeignKey{"rig": s.rig("rig")}
		s.openWith(0, using(keys, slowly))
		s.startOpened(1)
		s.add(0, "rig")
		must(t, s.nodes[0].Seal(t.Context()))
		for range 2 {
			time.Sleep(10 * time.Minute) // fake time
			if status := s.nodes[0].SealStatus(); !status.Sealed || status.Unattended != "held" {
				t.Fatalf("sealed by an operator, ten minutes ago: %+v", status)
			}
			s.stop(0)
			s.openWith(0, using(keys, slowly, j.keep))
		}
		if j.count("it stays sealed until it is given its unseal shares") != 2 {
			t.Error("the log does not say what it waits for")
		}
		s.unseal(0)
		s.stop(0)
		s.openWith(0, using(keys, slowly))
		s.awaitUnsealed(0)
	})
}

// slowly is Raft for tests in which hours pass.
func slowly(c *node.Config) {
	c.Timing = node.Timing{Heartbeat: 20 * time.Second, Election: 20 * time.Second,
		LeaderLease: 10 * time.Second}
}

// A member that was away when a wrapper was removed has it in its folder. It opens the root key, and
// the node stays sealed.
func TestRemovedWrapperOpensNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var j journal
		keys := map[string]node.ForeignKey{"rig": s.rig("rig"), "spare": s.escrow("spare")}
		for i := range 3 {
			s.openWith(i, using(keys))
		}
		s.startOpened(3)
		s.add(0, "rig")
		s.await("its folder has it", func() bool { return s.mirrors(3, "rig") })
		s.stop(2)
		must(t, s.nodes[0].RemoveWrapper(t.Context(), "rig"))
		s.openWith(2, using(keys, j.keep))
		s.await("it says why not", func() bool {
			return j.count("taken off the list of the cluster's wrappers") > 0
		})
		time.Sleep(2 * time.Minute) // fake time
		if !s.nodes[2].SealStatus().Sealed {
			t.Fatal("a wrapper that was removed unseals a node")
		}
		s.unseal(2)
	})
}

// The wrappers that the node of a rekey can use open the new root key; it names the others, which
// open nothing any more.
func TestRekeyCarriesWrappersOver(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		var j journal
		keys := map[string]node.ForeignKey{"rig": s.rig("rig"), "spare": s.escrow("spare")}
		s.openWith(0, using(keys, j.keep))
		s.startOpened(1)
		s.add(0, "rig")
		s.add(0, "spare")
		old := s.mirrorOf(0, "rig", "spare")
		delete(keys, "spare")
		status, err := s.nodes[0].BeginRekey(3, 2, false)
		must(t, err)
		if !slices.Equal(status.Dropped, []string{"spare"}) {
			t.Errorf("at its beginning it names %v", status.Dropped)
		}
		var r node.Rekeyed
		for _, share := range s.shares[:2] {
			r, err = s.nodes[0].GiveRekeyShare(t.Context(), status.Nonce, share, allowed)
			must(t, err)
		}
		if !slices.Equal(r.Status.Dropped, []string{"spare"}) ||
			j.count("does not go over to the new root key: wrapper=spare") != 1 {
			t.Errorf("it has dropped %v", r.Status.Dropped)
		}
		s.awaitTerm(2, 0)
		s.mirrorOf(0, "rig")
		s.stop(0)
		s.openWith(0, using(keys))
		s.awaitUnsealed(0)
		before, err := old.Wrappers()[0].Open(old.Lock, func(b []byte) (seal.Plaintext, error) {
			return keys["rig"].Unwrap(t.Context(), b)
		})
		must(t, err)
		wrapped, _ := s.nodes[0].View().Get("sys/keyring")
		if _, err := before.UnwrapKeyring(wrapped.Value); !errors.Is(err, seal.ErrWrongKey) {
			t.Errorf("a wrapper from before opens the keyring of now: %v", err)
		}
		// Now a change of the list must not begin another change of the keyring.
		s.shares = r.Shares
		must(t, s.nodes[0].RemoveWrapper(t.Context(), "rig"))
		time.Sleep(10 * time.Second) // fake time
		if status, err := s.nodes[0].KeyStatus(); err != nil || status.Term != 2 {
			t.Errorf("term %d, %v", status.Term, err)
		}
	})
}

// mirrorOf waits until the folder's list has these names, and no others.
func (s *site) mirrorOf(i int, names ...string) (record seal.Record) {
	s.t.Helper()
	s.await(fmt.Sprint("the folder has ", names), func() bool {
		record = s.mirror(i)
		var got []string
		for _, w := range record.Wrappers() {
			got = append(got, w.Name)
		}
		return slices.Equal(got, names)
	})
	return record
}

// blackHole is a foreign key that answers nobody.
type blackHole struct {
	node.ForeignKey
	asked atomic.Int32
}

func (b *blackHole) Unwrap(ctx context.Context, _ []byte) ([]byte, error) {
	b.asked.Add(1)
	<-ctx.Done()
	return nil, ctx.Err()
}

// While wrappers are tried, shares unseal the node. A wrapper that answers nobody keeps no other
// from opening.
func TestSharesNeedNotWait(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		rig, spare := s.rig("rig"), s.escrow("spare")
		s.openWith(0, using(map[string]node.ForeignKey{"rig": rig, "spare": spare}))
		s.startOpened(1)
		s.add(0, "rig")
		s.add(0, "spare")
		s.mirrorOf(0, "rig", "spare")
		s.stop(0)
		hole := &blackHole{ForeignKey: rig}
		s.openWith(0, using(map[string]node.ForeignKey{"rig": hole}))
		s.await("it is asked", func() bool { return hole.asked.Load() > 0 })
		if status := s.nodes[0].SealStatus(); !status.Sealed || status.Unattended != "trying" {
			t.Errorf("it waits for a wrapper: %+v", status)
		}
		s.unseal(0)
		s.stop(0)
		s.openWith(0, using(map[string]node.ForeignKey{"rig": hole, "spare": spare}))
		begun := time.Now()
		s.awaitUnsealed(0)
		if waited := time.Since(begun); waited > 5*time.Second {
			t.Errorf("one that answers nobody has held the other up for %v", waited)
		}
	})
}

// slowKey is a foreign key that answers when it is told to.
type slowKey struct {
	node.ForeignKey
	asked  chan struct{}
	answer chan struct{}
}

func (k slowKey) Unwrap(ctx context.Context, wrapped []byte) ([]byte, error) {
	close(k.asked)
	<-k.answer
	return k.ForeignKey.Unwrap(ctx, wrapped)
}

// A node that an operator seals while it asks for a foreign key does not take the answer.
func TestSealedWhileItAsks(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		rig := s.rig("rig")
		s.openWith(0, using(map[string]node.ForeignKey{"rig": rig}))
		s.startOpened(1)
		s.add(0, "rig")
		s.mirrorOf(0, "rig")
		s.stop(0)
		slow := slowKey{rig, make(chan struct{}), make(chan struct{})}
		s.openWith(0, using(map[string]node.ForeignKey{"rig": slow}))
		<-slow.asked
		must(t, s.nodes[0].Seal(t.Context()))
		close(slow.answer)
		time.Sleep(time.Minute) // fake time
		if status := s.nodes[0].SealStatus(); !status.Sealed || status.Opening ||
			status.Unattended != "held" {
			t.Errorf("it has taken the answer: %+v", status)
		}
		s.unseal(0)
	})
}

// The list in a folder that was put back to an older one, or altered, opens nothing; shares do, and
// the folder has the cluster's list again.
func TestListInTheFolderIsNotBelieved(t *testing.T) {
	heavy.Test(t)
	bubble(t, func(t *testing.T, s *site) {
		keys := map[string]node.ForeignKey{"rig": s.rig("rig"), "spare": s.escrow("spare")}
		for i := range 3 {
			s.openWith(i, using(keys))
		}
		s.startOpened(3)
		s.add(0, "rig")
		old := s.mirrorOf(2, "rig").Encode()
		must(t, s.nodes[0].RemoveWrapper(t.Context(), "rig"))
		s.add(0, "spare")
		newest := s.mirrorOf(2, "spare").Encode()
		altered := slices.Clone(newest)
		altered[len(altered)-1] ^= 1
		delete(keys, "spare") // on this machine
		for what, record := range map[string][]byte{"an older": old, "an altered": altered} {
			var j journal
			s.stop(2)
			must(t, os.WriteFile(filepath.Join(s.root, "host2", "cluster", "seal.record"), record, 0o600))
			s.openWith(2, using(keys, j.keep))
			time.Sleep(2 * time.Minute) // fake time
			if !s.nodes[2].SealStatus().Sealed {
				t.Fatalf("%s list unseals a node", what)
			}
			s.unseal(2)
			s.await("the folder has the cluster's list", func() bool {
				return slices.Equal(s.mirror(2).Encode(), newest)
			})
		}
	})
}
