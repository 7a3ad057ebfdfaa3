package node_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/internal/fakenet"
	"keyquorum/node"
	"keyquorum/seal"
	"keyquorum/vault"
)

// A site is a set of nodes on a network in memory. It joins nodes to one another without HTTP: node
// has none.
type site struct {
	t       *testing.T
	network *fakenet.Network
	root    string
	born    time.Time
	nodes   []*node.Node
	shares  []seal.Plaintext
	token   seal.Plaintext
}

func newSite(t *testing.T) *site {
	s := &site{t: t, network: fakenet.New(), root: t.TempDir(), born: time.Now().Add(-time.Hour)}
	t.Cleanup(func() {
		for i := range s.nodes {
			s.stop(i)
		}
		s.network.Close()
	})
	return s
}

func (s *site) open(i int) *node.Node {
	s.t.Helper()
	return s.openWith(i, func(*node.Config) {})
}

func (s *site) openWith(i int, configure func(*node.Config)) *node.Node {
	s.t.Helper()
	host, address := fmt.Sprintf("host%d", i), fmt.Sprintf("host%d:8201", i)
	config := node.Config{
		Dir: filepath.Join(s.root, host), Label: host, APIAddr: "https://" + host + ":8200",
		ClusterAddr:     address,
		ClusterListener: s.network.Listen(host, address), Dial: s.network.Dialer(host),
		Logger: hclog.NewNullLogger(), Version: "test",
		Leases: node.Leases{Clock: func() time.Duration { return time.Since(s.born) }},
	}
	configure(&config)
	n, err := node.Open(config)
	must(s.t, err)
	for len(s.nodes) <= i {
		s.nodes = append(s.nodes, nil)
	}
	s.nodes[i] = n
	return n
}

func (s *site) stop(i int) {
	if n := s.nodes[i]; n != nil {
		gone, cancel := context.WithCancel(context.Background())
		cancel()
		n.Close(gone)
		s.nodes[i] = nil
	}
}

// start makes an unsealed cluster of k nodes.
func (s *site) start(k int) {
	s.t.Helper()
	for i := range k {
		s.open(i)
	}
	s.startOpened(k)
}

func (s *site) startOpened(k int) {
	s.t.Helper()
	first := s.nodes[0]
	result, err := first.Init(s.t.Context(), 3, 2)
	must(s.t, err)
	s.shares, s.token = result.Shares, result.RootToken
	s.unseal(0)
	must(s.t, first.SetAutopilotConfig(s.t.Context(), func(a *node.AutopilotConfig) error {
		a.Stabilization = 0 // nobody waits to see whether they stay
		return nil
	}))
	for i := 1; i < k; i++ {
		must(s.t, s.nodes[i].Join(s.t.Context(), direct{first}, false))
		s.unseal(i)
	}
	s.await("all are voters", func() bool {
		peers, _, _ := first.Peers()
		voters := 0
		for _, p := range peers {
			if p.Voter {
				voters++
			}
		}
		return voters == k
	})
}

func (s *site) unseal(i int) {
	s.t.Helper()
	for _, share := range s.shares[:2] {
		_, err := s.nodes[i].Unseal(s.t.Context(), share)
		must(s.t, err)
	}
	s.await("unsealed", func() bool { return !s.nodes[i].SealStatus().Sealed })
}

func (s *site) await(what string, done func() bool) {
	s.t.Helper()
	for range 3000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond) // fake time
	}
	s.t.Fatalf("not within 30 s: %s", what)
}

// operator authenticates with the root token at a node.
func (s *site) operator(i int) (*vault.Vaults, vault.Operator) {
	s.t.Helper()
	v, err := s.nodes[i].Vaults()
	must(s.t, err)
	o, err := v.AuthenticateOperator(s.t.Context(), vault.Request{ID: "test", Start: time.Now()},
		s.token)
	must(s.t, err)
	return v, o
}

// direct is a Challenger that calls the other node's methods.
type direct struct{ *node.Node }

func (d direct) Challenge(_ context.Context, serverID string) (node.Challenge, error) {
	return d.MakeChallenge(serverID)
}

func (d direct) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	return d.AdmitAnswer(ctx, a)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func bubble(t *testing.T, test func(t *testing.T, s *site)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newSite(t)) })
}

func TestInitUnsealWriteSeal(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		v, o := s.operator(0)
		_, err := v.CreateVault(t.Context(), o, "demo", 90, false)
		must(t, err)
		must(t, s.nodes[0].Seal(t.Context()))
		if _, err := s.nodes[0].Vaults(); !errors.Is(err, node.ErrSealed) {
			t.Fatalf("a sealed node's domain: %v", err)
		}
		if _, err := v.ListVaults(t.Context(), o); err == nil {
			t.Fatal("the domain answers after sealing")
		}
		s.unseal(0)
		v, o = s.operator(0)
		if list, err := v.ListVaults(t.Context(), o); err != nil || len(list) != 1 {
			t.Fatalf("vaults after unsealing again: %v, %v", list, err)
		}
	})
}

func TestConcurrentInitsOneWins(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		n := s.open(0)
		var wg sync.WaitGroup
		wins := make(chan error, 8)
		for range 8 {
			wg.Go(func() {
				_, err := n.Init(t.Context(), 1, 1)
				wins <- err
			})
		}
		wg.Wait()
		won := 0
		for range 8 {
			if err := <-wins; err == nil {
				won++
			} else if !errors.Is(err, node.ErrInitialized) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Fatalf("%d of 8 inits won", won)
		}
	})
}

func TestWrongShareIsRefusedAlone(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		n := s.open(0)
		result, err := n.Init(t.Context(), 5, 3)
		must(t, err)
		bad := append(seal.Plaintext(nil), result.Shares[4]...)
		bad[len(bad)-2] ^= 1
		for i, step := range []struct {
			share    seal.Plaintext
			progress int
			bad      bool
		}{
			{result.Shares[0], 1, false},
			{bad, 1, true},
			{result.Shares[0], 1, true},
			{result.Shares[1], 2, false},
			{bad[:20], 2, true},
			{result.Shares[2], 0, false},
		} {
			status, err := n.Unseal(t.Context(), step.share)
			if node.IsBadShare(err) != step.bad || status.Progress != step.progress {
				t.Fatalf("share %d: progress %d, error %v", i, status.Progress, err)
			}
		}
		if n.SealStatus().Sealed {
			t.Fatal("sealed after three good shares")
		}
	})
}

func TestJoinRestartWhileSealed(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		v, o := s.operator(1)
		_, err := v.CreateVault(t.Context(), o, "demo", 90, false)
		must(t, err)
		for i := range 3 {
			s.stop(i)
		}
		for i := range 3 {
			s.open(i)
		}
		s.await("a leader while all are sealed", func() bool {
			leads := 0
			for _, n := range s.nodes {
				if n.Health().Leader {
					leads++
				}
			}
			return leads == 1
		})
		s.unseal(2)
		v, o = s.operator(2)
		if _, err := v.GetVault(t.Context(), o, "demo"); err != nil {
			t.Fatalf("read with two of three sealed: %v", err)
		}
		if _, err := v.CreateVault(t.Context(), o, "more", 90, false); err != nil {
			t.Fatalf("write with two of three sealed: %v", err)
		}
		s.await("the unsealed node leads", func() bool { return s.nodes[2].Health().Leader })
	})
}

func TestJoinNeedsTheRightShares(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		joiner := s.open(1)
		must(t, joiner.Join(t.Context(), direct{s.nodes[0]}, false))
		wrong := append(seal.Plaintext(nil), s.shares[0]...)
		wrong[5] ^= 1
		if _, err := joiner.Unseal(t.Context(), wrong); !node.IsBadShare(err) {
			t.Fatalf("a wrong share at a joiner: %v", err)
		}
		challenge, err := s.nodes[0].MakeChallenge("00112233445566778899aabbccddeeff")
		must(t, err)
		_, err = s.nodes[0].AdmitAnswer(t.Context(), node.Answer{
			ServerID: "00112233445566778899aabbccddeeff", Nonce: challenge.Nonce, MAC: make([]byte, 32),
			ClusterAddr: "host9:8201",
		})
		if !errors.Is(err, node.ErrInvalidAnswer) {
			t.Fatalf("an answer without the key: %v", err)
		}
		s.unseal(1)
	})
}

func TestRemovePeer(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		peers, _, err := s.nodes[0].Peers()
		must(t, err)
		var refusal *node.PeerError
		if err := s.nodes[0].RemovePeer(t.Context(), "nobody", false); !errors.As(err, &refusal) {
			t.Fatalf("removing an unknown id: %v", err)
		}
		for _, p := range peers {
			if p.Status.About.Label == "host0" {
				if err := s.nodes[0].RemovePeer(t.Context(), p.ID, false); !errors.As(err, &refusal) {
					t.Fatalf("a node removing itself: %v", err)
				}
			}
		}
		victim := peers[0].ID
		if peers[0].Status.About.Label == "host0" {
			victim = peers[1].ID
		}
		must(t, s.nodes[0].RemovePeer(t.Context(), victim, false))
		if left, _, _ := s.nodes[0].Peers(); len(left) != 2 {
			t.Fatalf("%d peers left", len(left))
		}
	})
}

// Each of two removals at once is good by itself, and both together leave a voter alone: one is not
// done.
func TestTwoRemovalsAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		errs := make([]error, 3)
		var both sync.WaitGroup
		for i := 1; i < 3; i++ {
			both.Go(func() {
				errs[i] = s.nodes[0].RemovePeer(t.Context(), fmt.Sprint("host", i), false)
			})
		}
		both.Wait()
		if (errs[1] == nil) == (errs[2] == nil) {
			t.Errorf("the two end with %v and %v", errs[1], errs[2])
		}
		var refused *node.PeerError
		if err := errors.Join(errs...); !errors.Is(err, node.ErrMembersChanged) &&
			!errors.As(err, &refused) {
			t.Errorf("the one that is not done ends with %v", err)
		}
		if left, _, _ := s.nodes[0].Peers(); len(left) != 2 {
			t.Errorf("%d members are left", len(left))
		}
	})
}
