package node_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"keyquorum/cluster"
	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/seal"
)

func allowed() error { return nil }

// rekey begins a rekey at a node, gives it the shares of now, and returns what it made.
func (s *site) rekey(i, shares, threshold int, verify bool) []seal.Plaintext {
	s.t.Helper()
	status, err := s.nodes[i].BeginRekey(shares, threshold, verify)
	must(s.t, err)
	made := s.giveOld(i, status.Nonce)
	if len(made) != shares {
		s.t.Fatalf("%d shares were made, want %d", len(made), shares)
	}
	return made
}

// giveOld gives a rekey the two shares that it needs.
func (s *site) giveOld(i int, nonce string) []seal.Plaintext {
	s.t.Helper()
	var r node.Rekeyed
	for _, share := range s.shares[:2] {
		var err error
		r, err = s.nodes[i].GiveRekeyShare(s.t.Context(), nonce, share, allowed)
		must(s.t, err)
	}
	return r.Shares
}

// verify gives new shares back, one of them after the other, and returns the last error.
func (s *site) verify(i int, shares []seal.Plaintext) (complete bool, err error) {
	s.t.Helper()
	status, started, err := s.nodes[i].RekeyVerification()
	must(s.t, err)
	if !started {
		s.t.Fatal("no verification is under way")
	}
	for _, share := range shares {
		if _, complete, err = s.nodes[i].GiveNewShare(s.t.Context(), status.Nonce, share); err != nil {
			return false, err
		}
	}
	return complete, nil
}

// awaitTerm waits until these nodes are unsealed and have a term of the keyring.
func (s *site) awaitTerm(term uint32, nodes ...int) {
	s.t.Helper()
	for _, i := range nodes {
		s.await(fmt.Sprintf("node %d has term %d", i, term), func() bool {
			k, err := s.nodes[i].KeyStatus()
			return err == nil && k.Term == term
		})
	}
}

// requireWrites has each of these nodes make a vault, and all others read it.
func (s *site) requireWrites(prefix string, nodes ...int) {
	s.t.Helper()
	for _, i := range nodes {
		v, o := s.operator(i)
		name := fmt.Sprint(prefix, i)
		_, err := v.CreateVault(s.t.Context(), o, name, 90, false)
		must(s.t, err)
		for _, j := range nodes {
			v, o := s.operator(j)
			if _, err := v.GetVault(s.t.Context(), o, name); err != nil {
				s.t.Errorf("node %d reads what node %d wrote: %v", j, i, err)
			}
		}
	}
}

// opens says whether these shares unseal a sealed node.
func (s *site) opens(i int, shares ...seal.Plaintext) bool {
	s.t.Helper()
	for _, share := range shares {
		if _, err := s.nodes[i].Unseal(s.t.Context(), share); node.IsBadShare(err) {
			return false
		} else if err != nil {
			s.t.Fatal(err)
		}
	}
	s.await("unsealed", func() bool { return !s.nodes[i].SealStatus().Sealed })
	return true
}

// The members that are unsealed go on with the new root key; a sealed one takes the new shares
// only, and so does whoever joins.
func TestRekey(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		s.requireWrites("before", 0, 1, 2)
		must(t, s.nodes[2].Seal(t.Context()))
		old, foreign := s.shares, append(seal.Plaintext(nil), s.shares[2]...)
		foreign[9] ^= 1
		status, err := s.nodes[1].BeginRekey(5, 3, false)
		must(t, err)
		if _, err := s.nodes[1].BeginRekey(5, 3, false); !isCeremonyError(err) {
			t.Errorf("a second one is begun: %v", err)
		}
		if other, err := s.nodes[0].RekeyStatus(); err != nil || other.Started || other.Required != 2 {
			t.Errorf("another node knows of it: %+v, %v", other, err)
		}
		for _, step := range []struct {
			what, nonce string
			share       seal.Plaintext
			good        bool
		}{
			{"another ceremony's", "another", old[0], false},
			{"a good one", status.Nonce, old[0], true},
			{"the same again", status.Nonce, old[0], false},
			{"a foreign one", status.Nonce, foreign, false},
			{"half of one", status.Nonce, old[1][:20], false},
		} {
			r, err := s.nodes[1].GiveRekeyShare(t.Context(), step.nonce, step.share, allowed)
			if (err == nil) != step.good || r.Shares != nil {
				t.Errorf("%s: %v", step.what, err)
			}
			if now, err := s.nodes[1].RekeyStatus(); step.share != nil && step.nonce == status.Nonce &&
				(err != nil || now.Progress != 1) {
				t.Errorf("%s: progress %d, %v", step.what, now.Progress, err)
			}
		}
		r, err := s.nodes[1].GiveRekeyShare(t.Context(), status.Nonce, old[2], allowed)
		must(t, err)
		if now, _ := s.nodes[1].RekeyStatus(); now.Started || now.Required != 3 {
			t.Errorf("after it: %+v", now)
		}
		s.awaitTerm(2, 0, 1) // the rotation that ends it
		s.requireWrites("after", 0, 1)
		if s.opens(2, old[0], old[1]) {
			t.Fatal("the old shares still open")
		}
		if st := s.nodes[2].SealStatus(); st.Shares != 5 || st.Threshold != 3 || st.Progress != 0 {
			t.Errorf("the sealed member says %+v", st)
		}
		if !s.opens(2, r.Shares[4], r.Shares[0], r.Shares[2]) {
			t.Fatal("the new shares do not open")
		}
		s.requireWrites("all", 0, 1, 2)
		s.open(3)
		for _, by := range []int{0, 2} {
			must(t, s.nodes[3].Join(t.Context(), direct{s.nodes[by]}, false))
			if _, err := s.nodes[3].Unseal(t.Context(), old[0]); !node.IsBadShare(err) {
				t.Errorf("a joiner takes an old share: %v", err)
			}
		}
		if !s.opens(3, r.Shares[1:4]...) {
			t.Fatal("a joiner that was given the new shares is not let in")
		}
	})
}

func isCeremonyError(err error) bool {
	var known *node.CeremonyError
	return errors.As(err, &known)
}

// Until enough of the new shares were given back the old ones are in force, and then the new ones.
func TestRekeyVerification(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(2)
		made := s.rekey(0, 3, 2, true)
		must(t, s.nodes[1].Seal(t.Context()))
		if s.opens(1, made[0]) || !s.opens(1, s.shares[0], s.shares[1]) {
			t.Fatal("shares that were not verified are in force")
		}
		first, _, err := s.nodes[0].RekeyVerification()
		must(t, err)
		if _, err := s.verify(0, []seal.Plaintext{made[0], made[0]}); !node.IsDuplicateShare(err) {
			t.Errorf("the same share twice: %v", err)
		}
		if _, err := s.verify(0, s.shares[:1]); !node.IsBadShare(err) {
			t.Errorf("an old share: %v", err)
		}
		again, err := s.nodes[0].RestartRekeyVerification()
		must(t, err)
		if again.Nonce == first.Nonce || again.Progress != 0 {
			t.Errorf("begun again: %+v", again)
		}
		_, _, err = s.nodes[0].GiveNewShare(t.Context(), first.Nonce, made[0])
		if !isCeremonyError(err) {
			t.Errorf("under the nonce of before: %v", err)
		}
		if complete, err := s.verify(0, made[1:]); err != nil || !complete {
			t.Fatalf("verified: %v, %v", complete, err)
		}
		s.awaitTerm(2, 0, 1)
		s.requireWrites("after", 0, 1)
		must(t, s.nodes[0].Seal(t.Context()))
		if s.opens(0, s.shares[0], s.shares[1]) || !s.opens(0, made[0], made[2]) {
			t.Fatal("the new shares are not in force")
		}
	})
}

// Of two rekeys at two nodes one changes the shares. The other ends, and its shares open nothing.
func TestTwoRekeys(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		lost, won := s.rekey(0, 3, 2, true), s.rekey(1, 3, 2, true)
		late, err := s.nodes[2].BeginRekey(3, 2, false)
		must(t, err)
		if complete, err := s.verify(1, won[:2]); err != nil || !complete {
			t.Fatalf("verified: %v, %v", complete, err)
		}
		if complete, err := s.verify(0, lost[:2]); !errors.Is(err, node.ErrResealed) || complete {
			t.Fatalf("the second: %v, %v", complete, err)
		}
		if _, err := s.nodes[2].GiveRekeyShare(t.Context(), late.Nonce, s.shares[0],
			allowed); !errors.Is(err, node.ErrResealed) {
			t.Errorf("the third: %v", err)
		}
		for i := range 3 {
			if status, err := s.nodes[i].RekeyStatus(); err != nil || status.Started {
				t.Errorf("node %d: %+v, %v", i, status, err)
			}
		}
		s.awaitTerm(2, 0, 1, 2)
		must(t, s.nodes[0].Seal(t.Context()))
		if s.opens(0, lost[0], lost[1]) || !s.opens(0, won[1], won[2]) {
			t.Fatal("the shares in force are not those of the first")
		}
		s.requireWrites("after", 0, 1, 2)
	})
}

// A node that dies in a rekey takes it along; one that is sealed, or waits too long, does too.
func TestRekeyEnds(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		calm := node.Timing{Heartbeat: 20 * time.Second, Election: 20 * time.Second,
			LeaderLease: 10 * time.Second} // an hour passes
		s.openWith(0, func(c *node.Config) { c.Timing = calm })
		s.startOpened(1)
		n := s.nodes[0]
		begin := func() string {
			status, err := n.BeginRekey(3, 2, false)
			must(t, err)
			_, err = n.GiveRekeyShare(t.Context(), status.Nonce, s.shares[0], allowed)
			must(t, err)
			return status.Nonce
		}
		requireGone := func(what, nonce string) {
			t.Helper()
			if status, err := n.RekeyStatus(); err != nil || status.Started || status.Progress != 0 {
				t.Errorf("%s: %+v, %v", what, status, err)
			}
			_, err := n.GiveRekeyShare(t.Context(), nonce, s.shares[1], allowed)
			if !isCeremonyError(err) {
				t.Errorf("%s, and it takes a share: %v", what, err)
			}
		}
		nonce := begin()
		if err := n.CancelRekey("another"); !isCeremonyError(err) {
			t.Errorf("cancelled under another nonce: %v", err)
		}
		must(t, n.CancelRekey(nonce))
		requireGone("cancelled", nonce)
		must(t, n.CancelRekey(""))
		nonce = begin()
		must(t, n.Seal(t.Context()))
		if _, err := n.RekeyStatus(); !errors.Is(err, node.ErrSealed) {
			t.Errorf("sealed: %v", err)
		}
		s.unseal(0)
		requireGone("sealed meanwhile", nonce)
		nonce = begin()
		time.Sleep(time.Hour + time.Minute) // fake time
		requireGone("an hour later", nonce)
		refused := errors.New("no record")
		status, err := n.BeginRekey(3, 2, false)
		must(t, err)
		for i, want := range []error{nil, refused} {
			_, err := n.GiveRekeyShare(t.Context(), status.Nonce, s.shares[i],
				func() error { return refused })
			if !errors.Is(err, want) {
				t.Errorf("share %d where nothing can be recorded: %v", i, err)
			}
		}
		must(t, n.Seal(t.Context()))
		if !s.opens(0, s.shares[:2]...) {
			t.Fatal("the old shares are not in force")
		}
	})
}

// A member that was away finds the new shares in force, whatever its folder says.
func TestAwayWhileRekeyed(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		s.stop(2)
		made := s.rekey(0, 3, 2, false)
		s.awaitTerm(2, 0, 1)
		s.open(2)
		if s.opens(2, s.shares[0], s.shares[1]) {
			t.Fatal("the old shares opened a member that was away")
		}
		if !s.opens(2, made[0], made[1]) {
			t.Fatal("the new shares do not open it")
		}
		s.requireWrites("after", 0, 1, 2)
		s.shares = made
		s.await("the folders have the new seal record", func() bool {
			for i := range 3 {
				b, err := os.ReadFile(filepath.Join(s.root, fmt.Sprint("host", i), "cluster", "seal.record"))
				if err != nil {
					return false
				}
				if r, err := seal.DecodeRecord(b); err != nil || r.Generation != 2 {
					return false
				}
			}
			return true
		})
		for i := range 3 {
			s.stop(i)
		}
		for i := range 3 {
			s.open(i)
			if st, err := s.nodes[i].Unseal(t.Context(), made[2]); err != nil || st.Progress != 1 {
				t.Errorf("node %d takes no new share before there is a leader: %v", i, err)
			}
		}
		for i := range 3 {
			s.opens(i, made[0])
		}
		s.requireWrites("restarted", 0, 1, 2)
	})
}

// A member that was cut off for a moment gets the root key when it is back; one that was cut off
// for long is sealed, and takes the new shares.
func TestCutOffWhileRekeyed(t *testing.T) {
	heavy.Test(t)
	for _, long := range []bool{false, true} {
		t.Run(fmt.Sprint("long ", long), func(t *testing.T) {
			bubble(t, func(t *testing.T, s *site) {
				s.start(3)
				cut := (s.leader() + 1) % 3
				at, other := (cut+1)%3, (cut+2)%3
				s.network.Isolate(fmt.Sprint("host", cut), fmt.Sprint("host", at), fmt.Sprint("host", other))
				made := s.rekey(at, 3, 2, false)
				s.awaitTerm(2, at, other)
				if long {
					time.Sleep(time.Minute) // fake time
				}
				s.network.Heal()
				if long {
					time.Sleep(time.Minute) // fake time
					s.await("it seals itself", func() bool { return s.nodes[cut].SealStatus().Sealed })
					if !s.opens(cut, made[0], made[1]) {
						t.Fatal("the new shares do not open it")
					}
				}
				s.awaitTerm(2, cut)
				s.requireWrites("after", 0, 1, 2)
			})
		})
	}
}

// Nobody can say for a while whether the new shares are in force: the rekey stays until that is
// known, and shows them then.
func TestRekeyOutcomeUnknown(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		for i := range 3 {
			for j := range 3 {
				if i != j {
					s.network.Hold(fmt.Sprint("host", i), fmt.Sprint("host", j))
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		leader := s.leader()
		status, err := s.nodes[leader].BeginRekey(3, 2, false)
		must(t, err)
		_, err = s.nodes[leader].GiveRekeyShare(ctx, status.Nonce, s.shares[0], allowed)
		must(t, err)
		_, err = s.nodes[leader].GiveRekeyShare(ctx, status.Nonce, s.shares[1], allowed)
		if !errors.Is(err, node.ErrOutcomeUnknown) {
			t.Fatalf("with nobody else in reach: %v", err)
		}
		if err := s.nodes[leader].CancelRekey(""); !errors.Is(err, node.ErrOutcomeUnknown) {
			t.Errorf("cancelled while its shares may be in force: %v", err)
		}
		s.network.Heal()
		var r node.Rekeyed
		s.await("it finds out", func() bool {
			r, err = s.nodes[leader].GiveRekeyShare(t.Context(), status.Nonce, s.shares[2], allowed)
			return err == nil
		})
		s.awaitTerm(2, 0, 1, 2)
		s.requireWrites("after", 0, 1, 2)
		must(t, s.nodes[leader].Seal(t.Context()))
		if s.opens(leader, s.shares[0]) || !s.opens(leader, r.Shares[0], r.Shares[1]) {
			t.Fatal("the shares that were shown are not in force")
		}
	})
}

// A node that dies with a rekey that nobody has completed leaves the old shares in force.
func TestRekeyDiesHalfWay(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		made := s.rekey(0, 3, 2, true)
		_, err := s.verify(0, made[:1])
		must(t, err)
		s.stop(0)
		s.open(0)
		if s.opens(0, made[1]) || !s.opens(0, s.shares[0], s.shares[2]) {
			t.Fatal("the old shares are not in force")
		}
		s.requireWrites("after", 0, 1, 2)
		if term, err := s.nodes[1].KeyStatus(); err != nil || term.Term != 1 {
			t.Errorf("the keyring changed: %+v, %v", term, err)
		}
	})
}

// The node that put new shares in force dies in that moment. The others serve on, told the root key
// or not, and whoever is unsealed with the new shares can tell it.
func TestRekeyerDies(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		made := s.rekey(0, 3, 2, true)
		complete, err := s.verify(0, made[:2])
		s.stop(0)
		if err != nil || !complete {
			t.Fatalf("verified: %v, %v", complete, err)
		}
		s.await("the others lead on", func() bool {
			leader := s.leader()
			return leader > 0 && s.nodes[leader].Health().Leader
		})
		s.requireWrites("alone", 1, 2)
		s.open(0)
		if s.opens(0, s.shares[0], s.shares[1]) || !s.opens(0, made[0], made[1]) {
			t.Fatal("the new shares are not in force")
		}
		s.awaitTerm(2, 0, 1, 2)
		s.requireWrites("after", 0, 1, 2)
	})
}

// The root key goes to who is unsealed, for a short while also to who has the transaction key of
// before, and to nobody else.
func TestHandoverIsForTheUnsealed(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		n := s.nodes[0]
		s.rekey(0, 1, 1, false)
		record, err := seal.DecodeRecord(readFile(t, filepath.Join(s.root, "host0/cluster/seal.record")))
		must(t, err)
		h, err := seal.NewHandover(record.ClusterID, 2)
		must(t, err)
		ask := func(signedFor, from string, term uint32, generation uint64) error {
			r := cluster.RootKeyRequest{Generation: generation, Public: h.Public()}
			sealed, err := n.HandRootKey(signedFor, from, term, r)
			if err == nil {
				_, err = h.Root(sealed)
			}
			return err
		}
		must(t, ask("a", "a", 1, 2))
		s.awaitTerm(2, 0)
		must(t, ask("a", "a", 2, 2))
		must(t, ask("a", "a", 1, 2)) // the change of the keyring has overtaken it
		for what, err := range map[string]error{
			"signed by another member": ask("a", "b", 2, 2),
			"of an older generation":   ask("a", "a", 2, 1),
			"of one that is not there": ask("a", "a", 2, 3),
		} {
			if err == nil {
				t.Errorf("a request %s is answered", what)
			}
		}
		time.Sleep(time.Minute) // fake time
		must(t, ask("a", "a", 2, 2))
		if ask("a", "a", 1, 2) == nil {
			t.Error("the transaction key of before the rekey still gets the root key")
		}
	})
}

func readFile(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	must(t, err)
	return b
}

// With enough shares an operator gets another root token, and with fewer nothing.
func TestRootGeneration(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(2)
		n := s.nodes[1]
		_, o := s.operator(1)
		if _, _, err := n.BeginRootGeneration([]byte("short")); !isCeremonyError(err) {
			t.Errorf("a short one-time password: %v", err)
		}
		status, otp, err := n.BeginRootGeneration(nil)
		must(t, err)
		if _, _, err := n.BeginRootGeneration(nil); !isCeremonyError(err) {
			t.Errorf("a second one is begun: %v", err)
		}
		if len(otp) != node.OTPLength || status.Required != 2 {
			t.Errorf("begun: %+v, a password of %d bytes", status, len(otp))
		}
		give := func(share seal.Plaintext) node.GeneratedRoot {
			g, err := n.GiveRootGenerationShare(t.Context(), o, status.Nonce, share, allowed)
			must(t, err)
			return g
		}
		if g := give(s.shares[2]); g.Encoded != nil || g.Status.Progress != 1 {
			t.Fatalf("after one share: %+v", g)
		}
		_, err = n.GiveRootGenerationShare(t.Context(), o, status.Nonce, s.shares[2], allowed)
		if !node.IsDuplicateShare(err) {
			t.Errorf("the same share twice: %v", err)
		}
		g := give(s.shares[0])
		token, err := base64.RawStdEncoding.DecodeString(string(g.Encoded))
		must(t, err)
		for i := range token {
			token[i] ^= otp[i]
		}
		if string(token) == string(s.token) {
			t.Fatal("no other token was made")
		}
		s.token = token
		for i := range 2 {
			if _, o := s.operator(i); o.Accessor != g.Accessor {
				t.Errorf("node %d knows the token as %q, want %q", i, o.Accessor, g.Accessor)
			}
		}
		if now, err := n.RootGenerationStatus(); err != nil || now.Started {
			t.Errorf("after it: %+v, %v", now, err)
		}
		must(t, n.CancelRootGeneration())
	})
}
