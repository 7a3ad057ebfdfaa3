package node_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"keyquorum/node"
	"keyquorum/seal"
)

// What a stranger gets is good for checking shares. What the root key is wrapped in comes with the
// admission, and the joiner keeps it.
func TestAChallengeIsALockAndTheRecordComesLater(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(2)
		kept := func(host string) []byte {
			b, err := os.ReadFile(filepath.Join(s.root, host, "cluster", "seal.record"))
			must(t, err)
			return b
		}
		record, err := seal.DecodeRecord(kept("host0"))
		must(t, err)
		challenge, err := s.nodes[0].MakeChallenge("00112233445566778899aabbccddeeff")
		must(t, err)
		if lock, err := seal.DecodeLock(challenge.Lock); err != nil || lock != record.Lock {
			t.Errorf("the challenge holds %x, %v", challenge.Lock, err)
		}
		if !bytes.Equal(kept("host1"), kept("host0")) {
			t.Error("the joiner keeps another seal record than the first node")
		}
	})
}

// A forger stands between a joiner and its cluster, and puts something else for a part of what
// passes.
type forger struct {
	direct
	forge func(*node.Admission) []byte // gives the part to alter; nil alters nothing
	lock  func([]byte) []byte
}

func (f *forger) Challenge(ctx context.Context, serverID string) (node.Challenge, error) {
	challenge, err := f.direct.Challenge(ctx, serverID)
	if err == nil && f.lock != nil {
		challenge.Lock = f.lock(slices.Clone(challenge.Lock))
	}
	return challenge, err
}

func (f *forger) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	admission, err := f.direct.Answer(ctx, a)
	if err == nil && f.forge != nil {
		part := f.forge(&admission)
		part[len(part)-1] ^= 1
	}
	return admission, err
}

func TestForgedAdmissionIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.open(1)
		f := &forger{direct: direct{s.nodes[0]}}
		must(t, joiner.Join(t.Context(), f, false))
		for name, forge := range map[string]func(*node.Admission) []byte{
			"CA":          func(a *node.Admission) []byte { a.CA = slices.Clone(a.CA); return a.CA },
			"certificate": func(a *node.Admission) []byte { return a.Certificate },
			"gossip key":  func(a *node.Admission) []byte { return a.GossipKey },
			"seal record": func(a *node.Admission) []byte { return a.SealRecord },
			"trust":       func(a *node.Admission) []byte { a.Trust = append(a.Trust, 0); return a.Trust },
			"proof":       func(a *node.Admission) []byte { return a.Proof },
		} {
			f.forge = forge
			_, err := joiner.Unseal(t.Context(), s.shares[0])
			must(t, err)
			_, err = joiner.Unseal(t.Context(), s.shares[1])
			if err == nil || !strings.Contains(err.Error(), "shares") {
				t.Errorf("an admission with another %s: %v", name, err)
			}
		}
		if _, err := os.Stat(filepath.Join(s.root, "host1", "cluster")); !os.IsNotExist(err) {
			t.Errorf("the joiner has a folder: %v", err)
		}
		f.forge = nil
		s.unseal(1)
	})
}

// Whatever lock somebody puts in the place of the cluster's, a joiner with the right shares takes
// none of them, or proves nothing, or refuses the record that comes.
func TestForgedLockIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.open(1)
		for name, c := range map[string]struct {
			at     int
			change byte
			want   string
		}{
			"magic":      {0, 1, "not a lock"},
			"cluster":    {5, 1, "does not belong to this cluster"},
			"generation": {28, 2, "does not belong to this cluster"},
			"number":     {29, 1, "bytes where"},
			"threshold": {30, 1,
				"another lock"}, // three of three: the keys are right, the lock is not
			"hash of a share": {31, 1, "does not belong to this cluster"},
		} {
			f := &forger{direct: direct{s.nodes[0]}}
			f.lock = func(lock []byte) []byte { lock[c.at] ^= c.change; return lock }
			err := joiner.Join(t.Context(), f, false)
			for _, share := range s.shares {
				if err == nil {
					_, err = joiner.Unseal(t.Context(), share)
				}
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s altered: %v, want %q", name, err, c.want)
			}
		}
		// At another address: the cluster has let the joiner in that was told of three shares.
		must(t, s.open(2).Join(t.Context(), &forger{direct: direct{s.nodes[0]}}, false))
		s.unseal(2)
	})
}

// A node that joins by its configuration follows its cluster to newer shares, though it was given
// one of before. It keeps that one where another cluster answers, or a member that is late; and
// nobody who asks from outside takes it away.
func TestConfiguredJoinFollowsItsClusterToNewerShares(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner, place := s.open(1), &forger{direct: direct{s.nodes[0]}}
		must(t, joiner.JoinConfigured(t.Context(), place, false))
		give := func(share seal.Plaintext) {
			_, err := joiner.Unseal(t.Context(), share)
			must(t, err)
		}
		stays := func(what string) {
			must(t, joiner.JoinConfigured(t.Context(), place, false))
			if given := joiner.SealStatus().Progress; given != 1 {
				t.Errorf("%s has answered, and %d shares are left of one", what, given)
			}
		}
		give(s.shares[0])
		before, err := place.Challenge(t.Context(), strings.Repeat("0", 32))
		must(t, err)
		place.lock = func(lock []byte) []byte { lock[5] ^= 1; return lock }
		stays("another cluster")
		place.lock = nil

		made := s.rekey(0, 3, 2, false)
		s.awaitTerm(2, 0)
		err = joiner.Join(t.Context(), direct{s.nodes[0]}, false)
		if !errors.Is(err, node.ErrConfiguredShares) {
			t.Errorf("somebody tells of other shares: %v", err)
		}
		must(t, joiner.JoinConfigured(t.Context(), place, false))
		give(made[0])
		place.lock = func([]byte) []byte { return before.Lock }
		stays("a member that is late")
		place.lock = nil
		if !s.opens(1, made[1]) {
			t.Fatal("it does not take the newer shares")
		}
	})
}

// Shares that were changed while people gave them at a joiner come to nothing there, and it says
// what to do.
func TestSharesThatChangeWhileANodeJoins(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.open(1)
		must(t, joiner.Join(t.Context(), direct{s.nodes[0]}, false))
		_, err := joiner.Unseal(t.Context(), s.shares[0])
		must(t, err)
		made := s.rekey(0, 3, 2, false)
		s.awaitTerm(2, 0)
		if _, err := joiner.Unseal(t.Context(), s.shares[1]); !errors.Is(err, node.ErrJoinAgain) {
			t.Errorf("the shares of before: %v", err)
		}
		must(t, joiner.Join(t.Context(), direct{s.nodes[0]}, false))
		if !s.opens(1, made[0], made[1]) {
			t.Fatal("joining again does not help")
		}
	})
}
