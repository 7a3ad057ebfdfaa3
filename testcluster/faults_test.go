package testcluster_test

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// Each fault does what it says, and Heal ends it.

func TestPartitionLosesTheMinority(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		leader := c.Leader()
		c.Isolate(leader)
		other := (leader + 1) % 3
		if s := create(c, other, "majority"); s != 200 {
			t.Fatalf("the majority answered %d", s)
		}
		if s := create(c, leader, "minority"); s != 503 {
			t.Fatalf("the node that was cut off answered %d", s)
		}
		c.Settled()
		if s := create(c, leader, "minority"); s != 200 {
			t.Fatalf("after healing it answered %d", s)
		}
	})
}

// A leader that is cut off has a moment in which it takes writes that it can't have committed. What
// becomes of them it can't tell, and must not say that nothing does.
func TestWriteOfALeaderThatIsCutOff(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		leader := c.Leader()
		c.Isolate(leader)
		r, err := http.NewRequestWithContext(t.Context(), "POST", c.URL(leader)+"/v1/keyquorum/vaults",
			strings.NewReader(`{"name":"perhaps"}`))
		must(t, err)
		r.Header.Set("X-Vault-Token", c.Token)
		answer, err := c.Client(leader).Do(r)
		must(t, err)
		defer answer.Body.Close()
		says, err := io.ReadAll(answer.Body)
		must(t, err)
		if answer.StatusCode != 503 || !strings.Contains(string(says), "may have happened") {
			t.Errorf("it answered %d: %s", answer.StatusCode, says)
		}
		c.Settled()
	})
}

// Under a lease a node that was cut off a moment ago answers from its own copy; not who asks it to
// be sure of the leader.
func TestFencedRequestsAskTheLeader(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		i := (c.Leader() + 1) % 3
		ask := func(consistency string) int {
			r, err := http.NewRequestWithContext(t.Context(), "GET", c.URL(i)+"/v1/keyquorum/vaults", nil)
			must(t, err)
			r.Header.Set("X-Vault-Token", c.Token)
			r.Header.Set("X-Keyquorum-Consistency", consistency)
			answer, err := c.Client(i).Do(r)
			must(t, err)
			answer.Body.Close()
			return answer.StatusCode
		}
		if s := ask("fenced"); s != 200 {
			t.Fatalf("with everybody there it answered %d", s)
		}
		time.Sleep(2 * time.Second) // of fake time: it has a lease, and nothing is under way
		c.Isolate(i)
		if s := ask(""); s != 200 {
			t.Errorf("under its lease it answered %d", s)
		}
		if s := ask("fenced"); s != 503 {
			t.Errorf("without a leader to ask it answered %d", s)
		}
	})
}

func TestOneWayPartition(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		leader := c.Leader()
		for _, other := range []int{(leader + 1) % 3, (leader + 2) % 3} {
			c.PartitionOneWay(other, leader) // it is heard and hears nothing
		}
		time.Sleep(5 * time.Second)
		if next := c.Leader(); next == leader {
			t.Fatal("a leader that hears nobody still leads")
		}
		c.Settled()
	})
}

func TestSlowAndLossyLinks(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		leader := c.Leader()
		for i := range 3 {
			c.Slow(i, (i+1)%3, 40*time.Millisecond, 1<<20)
		}
		begun := time.Now()
		create(c, leader, "slow")
		if took := time.Since(begun); took < 80*time.Millisecond || took > time.Second {
			t.Fatalf("a write over links of 40 ms each way took %v", took)
		}
		c.Heal()
		for i := range 3 {
			c.Drop(i, (i+1)%3, 0.3)
		}
		for _, name := range []string{"lossy-a", "lossy-b", "lossy-c"} {
			if s := create(c, leader, name); s != 200 {
				t.Fatalf("over lossy links: %d", s)
			}
		}
		c.Settled()
	})
}

func TestPausedNodeAnswersLate(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		paused := c.Leader()
		c.Pause(paused)
		answered := make(chan int, 1)
		go func() { answered <- create(c, paused, "late") }()
		time.Sleep(10 * time.Second)
		select {
		case s := <-answered:
			t.Fatalf("a paused node answered %d", s)
		default:
		}
		c.Resume(paused)
		<-answered
		c.Settled()
	})
}

func TestFailedDiskEndsTheNode(t *testing.T) {
	for name, fault := range map[string]func(*testcluster.Cluster, int){
		"full": (*testcluster.Cluster).FillDisk, "sync": (*testcluster.Cluster).FailSync,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
				leader := c.Leader()
				fault(c, leader)
				if s := create(c, (leader+1)%3, "during"); s != 200 {
					t.Fatalf("through another node, which finds the next leader: %d", s)
				}
				if code := c.ExitCode(leader, time.Minute); code == 0 {
					t.Fatal("a node whose disk failed ended as if nothing had happened")
				}
				if out := string(c.Output(leader)); !strings.Contains(out, "storage:") {
					t.Fatal("the node does not say that its disk failed")
				}
				c.Settled()
			})
		})
	}
}

func TestUsageLogThatFailsRefuses(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		c.FailUsageLog(1)
		if s := create(c, 1, "unrecorded"); s != 500 {
			t.Fatalf("without a usage record it answered %d", s)
		}
		c.Heal()
		if s := create(c, 1, "recorded"); s != 200 {
			t.Fatalf("afterwards it answered %d", s)
		}
	})
}

func TestMembersComeAndGo(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		reader, voter := c.AddNonvoter(), c.AddVoter()
		create(c, reader, "through-a-nonvoter")
		create(c, voter, "through-the-new-voter")
		c.Remove(0)
		c.Remove(reader)
		c.Settled()
		if s := create(c, voter, "without-the-first"); s != 200 {
			t.Fatalf("%d", s)
		}
	})
}

func TestClockOfOneNode(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		for i, skew := range []time.Duration{time.Hour, -time.Hour, 0} {
			c.SkewClock(i, skew)
		}
		for i, name := range []string{"ahead", "behind", "right"} {
			if s := create(c, i, name); s != 200 {
				t.Fatalf("a node whose clock is %s answered %d", name, s)
			}
		}
		c.Settled()
	})
}

// create makes a vault through node i and returns the status.
func create(c *testcluster.Cluster, i int, name string) int {
	return c.Status(i, "POST", "/v1/keyquorum/vaults", map[string]string{"name": name})
}

// Raft panics when it can't store its term; the node must end with a sentence instead.
func TestFullDiskAtAnElection(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		leader := c.Leader()
		follower := (leader + 1) % 3
		c.FillDisk(follower)
		c.Kill(leader)
		c.ExitCode(follower, time.Minute)
		c.Settled()
	})
}

// Far from each other, followers hear their leader at different times, and the farthest have the
// shortest logs while somebody writes. They agree before one of them stands, so that it is elected.
func TestDeadLeaderIsReplacedOverLongWays(t *testing.T) {
	heavy.Test(t)
	bubble(t, 5, func(t *testing.T, c *testcluster.Cluster) {
		spread(c)
		time.Sleep(5 * time.Second)
		var took []time.Duration
		for round := range 3 {
			leader := c.Leader()
			var writing sync.WaitGroup
			for k := range 5 {
				writing.Go(func() { create(c, (leader+1)%5, fmt.Sprintf("before-%d-%d", round, k)) })
			}
			time.Sleep(time.Duration(round) * 30 * time.Millisecond)
			killed := time.Now()
			c.Kill(leader)
			opened := func(i int) bool { return c.Node((leader + i) % 5).Health().Leader }
			for time.Since(killed) < 30*time.Second && !slices.ContainsFunc([]int{1, 2, 3, 4}, opened) {
				time.Sleep(5 * time.Millisecond)
			}
			took = append(took, time.Since(killed))
			writing.Wait()
			c.Start(leader)
			c.Unseal(leader)
			time.Sleep(10 * time.Second)
		}
		if half := median(took); half > 1500*time.Millisecond {
			t.Errorf("the next leader had opened its term after %v", took)
		}
	})
}

// Voters agree on a successor a heartbeat time-out after their leader's last word
// (cluster/succession.go). On fake time and a perfect network nothing else takes any.
func TestDeadLeaderIsReplacedAtOnce(t *testing.T) {
	bubble(t, 3, func(t *testing.T, c *testcluster.Cluster) {
		for range 20 {
			leader := c.Leader()
			time.Sleep(time.Second)
			killed := time.Now()
			c.Kill(leader)
			create(c, (leader+1)%3, "after-it")
			if took := time.Since(killed); took > 700*time.Millisecond {
				t.Fatalf("a write was answered %v after the leader had died", took)
			}
			c.Start(leader)
			c.Unseal(leader)
		}
	})
}
