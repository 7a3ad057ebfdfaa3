package node_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"keyquorum/node"
)

// Seal means sealed: also for keys that are complete and only wait for the cluster to bring the
// keyring.
func TestSealEndsAnOpeningNode(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		for i := range 3 {
			s.stop(i)
		}
		s.open(0)
		for _, share := range s.shares[:2] {
			_, err := s.nodes[0].Unseal(t.Context(), share)
			must(t, err)
		}
		if status := s.nodes[0].SealStatus(); !status.Opening || !status.Sealed {
			t.Fatalf("without the others: %+v", status)
		}
		must(t, s.nodes[0].Seal(t.Context()))
		if status := s.nodes[0].SealStatus(); status.Opening {
			t.Error("still opening after it was sealed")
		}
		s.open(1)
		s.open(2)
		time.Sleep(30 * time.Second)
		if !s.nodes[0].SealStatus().Sealed {
			t.Fatal("a node that was told to seal unsealed itself later")
		}
		s.unseal(0)
	})
}

// Closing must not wait for an unseal that waits for the cluster.
func TestCloseWhileOpening(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		for i := range 3 {
			s.stop(i)
		}
		n := s.open(0)
		_, err := n.Unseal(t.Context(), s.shares[0])
		must(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			n.Unseal(context.WithoutCancel(t.Context()), s.shares[1])
		}()
		time.Sleep(time.Second)
		begun := time.Now()
		s.stop(0)
		if took := time.Since(begun); took > 4*time.Second {
			t.Errorf("closing took %v", took)
		}
		<-done
		if _, err := n.Init(t.Context(), 1, 1); err == nil {
			t.Error("a closed node was initialized")
		}
	})
}

// A joiner whose member can't be opened has its folder, and must end, not stumble over the next
// share.
func TestJoinThatCannotOpenEndsTheNode(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.openWith(1, func(c *node.Config) { c.Gossip.Bind = "not an address" })
		must(t, joiner.Join(t.Context(), direct{s.nodes[0]}, false))
		var err error
		for _, share := range s.shares[:2] {
			_, err = joiner.Unseal(t.Context(), share)
		}
		if err == nil {
			t.Fatal("opened with a gossip address that is none")
		}
		select {
		case <-joiner.Failed():
		default:
			t.Error("the node goes on without its member")
		}
		if _, err := joiner.Unseal(t.Context(), s.shares[0]); err == nil {
			t.Error("a failed node took a share")
		}
	})
}

// An init that shows no shares must not have made a cluster.
func TestInitThatCannotOpenLeavesNothing(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		n := s.openWith(0, func(c *node.Config) { c.Gossip.Bind = "not an address" })
		if _, err := n.Init(t.Context(), 1, 1); err == nil {
			t.Fatal("initialized with a gossip address that is none")
		}
		if _, err := os.Stat(filepath.Join(s.root, "host0", "cluster")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a cluster whose shares nobody has was left behind: %v", err)
		}
		s.stop(0)
		s.start(1)
	})
}

// A crash between the answer and the joiner's folder leaves an id in the configuration: the next
// join from there is told which.
func TestJoinAgainAfterCrash(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.open(1)
		lost := &lossy{direct: direct{s.nodes[0]}}
		must(t, joiner.Join(t.Context(), lost, false))
		var err error
		for _, share := range s.shares[:2] {
			_, err = joiner.Unseal(t.Context(), share)
		}
		if !errors.Is(err, errLost) {
			t.Fatalf("joined without an answer: %v", err)
		}
		s.unseal(1) // the same process tries again with the same id

		s.stop(1)
		must(t, os.RemoveAll(filepath.Join(s.root, "host1")))
		must(t, s.open(1).Join(t.Context(), direct{s.nodes[0]}, false))
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for _, share := range s.shares[:2] {
			_, err = s.nodes[1].Unseal(ctx, share)
		}
		if err == nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, node.ErrUnavailable) {
			t.Fatalf("a second id at the same address: %v", err)
		}
	})
}

var errLost = errors.New("the answer was lost")

// lossy admits the joiner and loses the first answer.
type lossy struct {
	direct
	lost bool
}

func (l *lossy) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	admission, err := l.direct.Answer(ctx, a)
	if err == nil && !l.lost {
		l.lost = true
		return node.Admission{}, errLost
	}
	return admission, err
}

func TestTwoJoinsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joined := make(chan error, 2)
		for i := 1; i <= 2; i++ {
			n := s.open(i)
			must(t, n.Join(t.Context(), direct{s.nodes[0]}, false))
			go func() {
				var err error
				for _, share := range s.shares[:2] {
					_, err = n.Unseal(t.Context(), share)
				}
				joined <- err
			}()
		}
		must(t, <-joined)
		must(t, <-joined)
		s.await("three voters", func() bool {
			peers, _, _ := s.nodes[2].Peers()
			voters := 0
			for _, p := range peers {
				if p.Voter {
					voters++
				}
			}
			return voters == 3
		})
	})
}

// An answer is good for one joiner and one request: nothing of it may be exchanged.
func TestAlteredAnswersAreRefused(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(2) // the second proves that an unaltered one is good
		tap := &tap{direct: direct{s.nodes[0]}}
		joiner := s.open(2)
		must(t, joiner.Join(t.Context(), tap, false))
		for _, share := range s.shares[:2] {
			joiner.Unseal(t.Context(), share)
		}
		good := tap.seen
		other := good
		other.ServerID = "00112233445566778899aabbccddeeff"
		csr := good
		csr.CSR = append([]byte(nil), good.CSR...)
		csr.CSR[len(csr.CSR)-1] ^= 1
		challenge, err := s.nodes[0].MakeChallenge(good.ServerID)
		must(t, err)
		nonce := good
		nonce.Nonce = challenge.Nonce
		for name, a := range map[string]node.Answer{"id": other, "request": csr, "nonce": nonce} {
			if _, err := s.nodes[0].AdmitAnswer(t.Context(), a); !errors.Is(err, node.ErrInvalidAnswer) {
				t.Errorf("an answer with another %s: %v", name, err)
			}
		}
		if _, err := s.nodes[1].AdmitAnswer(t.Context(), good); !errors.Is(err, node.ErrInvalidAnswer) {
			t.Errorf("an answer to another node's challenge: %v", err)
		}
		time.Sleep(3 * time.Minute)
		if _, err := s.nodes[0].AdmitAnswer(t.Context(), good); !errors.Is(err, node.ErrInvalidAnswer) {
			t.Errorf("an old answer: %v", err)
		}
	})
}

// tap keeps the answer and does not deliver it.
type tap struct {
	direct
	seen node.Answer
}

func (c *tap) Answer(_ context.Context, a node.Answer) (node.Admission, error) {
	c.seen = a
	return node.Admission{}, errLost
}

// An address at which nobody finds this node is refused before it is signed for.
func TestAddressesThatNobodyFinds(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		for i, address := range []string{"https://host1:8201", "host1", "::1:8201", "0.0.0.0:8201",
			"host1:0"} {
			n := s.openWith(i+1, func(c *node.Config) { c.ClusterAddr = address })
			_, err := n.Init(t.Context(), 1, 1)
			for what, err := range map[string]error{"init": err,
				"join": n.Join(t.Context(), direct{s.nodes[0]}, false)} {
				var refused *node.PeerError
				if !errors.As(err, &refused) {
					t.Errorf("%s at %s: %v", what, address, err)
				}
			}
			if n.SealStatus().Initialized {
				t.Errorf("a node at %s is initialised, or asks for shares", address)
			}
		}
	})
}

// A process that dies between the cluster's word and its folder comes back under the id that the
// cluster has: nobody need remove a ghost first.
func TestJoinAfterADeathThatLeftAGhost(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		ghost := func() {
			t.Helper()
			joiner := s.open(1)
			must(t, joiner.Join(t.Context(), &lossy{direct: direct{s.nodes[0]}}, false))
			var err error
			for _, share := range s.shares[:2] {
				_, err = joiner.Unseal(t.Context(), share)
			}
			if !errors.Is(err, errLost) {
				t.Fatalf("joined without an answer: %v", err)
			}
			s.stop(1)
		}
		ghost()
		before, _, _ := s.nodes[0].Peers()
		must(t, s.open(1).Join(t.Context(), direct{s.nodes[0]}, false))
		s.unseal(1)
		after, _, _ := s.nodes[0].Peers()
		if len(before) != 2 || len(after) != 2 || before[0].ID != after[0].ID ||
			before[1].ID != after[1].ID {
			t.Errorf("before %v, after %v", before, after)
		}
		if _, err := os.Stat(filepath.Join(s.root, "host1", "joining")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a member keeps what it joined with: %v", err)
		}
	})
}

// frank says of a refusal that it is one, as httpapi does.
type frank struct{ direct }

func (f frank) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	admission, err := f.direct.Answer(ctx, a)
	if err != nil && !errors.Is(err, node.ErrUnavailable) {
		err = errors.Join(node.ErrNotAdmitted, err)
	}
	return admission, err
}

// Whoever removed the ghost, as older versions told them to, must not have ended that machine for
// good.
func TestJoinAfterItsGhostWasRemoved(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.open(1)
		must(t, joiner.Join(t.Context(), &lossy{direct: direct{s.nodes[0]}}, false))
		for _, share := range s.shares[:2] {
			_, _ = joiner.Unseal(t.Context(), share)
		}
		s.stop(1)
		peers, _, _ := s.nodes[0].Peers()
		for _, p := range peers {
			if !p.Leader {
				must(t, s.nodes[0].RemovePeer(t.Context(), p.ID, false))
			}
		}
		joiner = s.open(1)
		must(t, joiner.Join(t.Context(), direct{s.nodes[0]}, false))
		s.unseal(1) // under another id
	})
}
