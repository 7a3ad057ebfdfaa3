package rolling_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/internal/fakenet"
	"keyquorum/internal/release"
	"keyquorum/node"
	"keyquorum/testcluster"
)

var (
	before = release.Release{Version: "0.0.9", Oldest: 1, Newest: 1}
	now    = release.Release{Version: "0.1.0", Oldest: 1, Newest: 2}
	after  = release.Release{Version: "0.3.0", Oldest: 3, Newest: 4}
)

// haStatus is what a node says of all of them.
type haStatus struct {
	Data struct {
		Level   int      `json:"level"`
		Outlook []string `json:"outlook"`
		Nodes   []struct {
			Version string `json:"version"`
			Newest  int    `json:"newest_level"`
		} `json:"nodes"`
	} `json:"data"`
}

func statusOf(c *testcluster.Cluster, at int) (s haStatus) {
	c.Call(at, "GET", "/v1/sys/ha-status", nil, &s)
	return s
}

// A cluster of two neighbouring releases works, says that it is one, and uses nothing that one of
// them does not know. When the last node is upgraded it goes to the next level by itself. After
// that nobody brings it back: not with the older program on a folder, nor by joining with it.
func TestTwoReleasesWorkTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		programs := []release.Release{before, before, before}
		c := testcluster.New(t, 3, func(i int, config *node.Config) {
			config.Release, config.Version = programs[i], programs[i].Version
		})
		if s := statusOf(c, 0); s.Data.Level != 1 || said(s, "level") || said(s, "version") {
			t.Fatalf("alike: %+v", s)
		}
		for i := range c.Size() {
			programs[i] = now
			c.Stop(i)
			c.Start(i)
			c.Unseal(i)
			c.NewVault("vault" + string(rune('0'+i)))
			if i < 2 {
				lead(t, c, i) // it would raise the level too early, if it could
				requireMixed(t, c)
			}
		}
		await(t, "the next level", func() bool { return statusOf(c, 1).Data.Level == 2 })
		if s := statusOf(c, 2); said(s, "level") || said(s, "version") || s.Data.Nodes[0].Newest != 2 {
			t.Errorf("alike again: %+v", s)
		}
		c.StepDown()
		c.Settled()
		requireNoWayBack(t, c)
	})
}

// lead has a node lead, and returns when all nodes know that somebody does.
func lead(t *testing.T, c *testcluster.Cluster, i int) {
	t.Helper()
	if now := c.Leader(); now != i {
		other := 3 - i - now // of three
		c.Stop(other)
		c.StepDown()
		c.Start(other)
		c.Unseal(other)
	}
	await(t, "all know a leader", func() bool {
		for at := range c.Size() {
			if c.Status(at, "GET", "/v1/sys/ha-status", nil) != http.StatusOK {
				return false
			}
		}
		return true
	})
}

// said says whether the outlook has a word.
func said(s haStatus, word string) bool {
	return strings.Contains(strings.Join(s.Data.Outlook, " "), word)
}

// requireMixed waits until all nodes have heard of each other, and gives the leader time to do what
// it must not do.
func requireMixed(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	var s haStatus
	defer func() {
		if t.Failed() {
			t.Logf("the last status: %+v", s)
		}
	}()
	await(t, "each node says who runs what", func() bool {
		for at := range c.Size() {
			s = statusOf(c, at)
			if !said(s, "Nodes run different versions: node") || !said(s, "node2 0.0.9") ||
				!said(s, "what needs level 2 waits until node") || !said(s, "node2 is upgraded") &&
				!said(s, "node1 and node2 are upgraded") {
				return false
			}
		}
		return true
	})
	time.Sleep(10 * time.Second) // of the bubble
	if s = statusOf(c, 0); s.Data.Level != 1 {
		t.Fatalf("level %d with nodes that don't know it", s.Data.Level)
	}
}

func requireNoWayBack(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	for _, program := range []release.Release{before, after} {
		status, answer := tryJoin(t, c, program)
		if status != http.StatusBadRequest || !strings.Contains(answer, program.Version) {
			t.Errorf("who wants to join with %v is answered %d: %s", program, status, answer)
		}
	}
	if status, answer := tryJoin(t, c, now); status != http.StatusOK {
		t.Errorf("who wants to join with %v is answered %d: %s", now, status, answer)
	}
	c.Stop(0)
	network := fakenet.New()
	defer network.Close()
	for program, want := range map[release.Release]string{
		before: "at level 2 already: a cluster never goes back", after: "at level 2 yet",
	} {
		n, err := node.Open(node.Config{
			Dir: c.Data(0), ClusterAddr: "host:8201", ClusterListener: network.Listen("host", "host:8201"),
			Logger: hclog.NewNullLogger(), Version: program.Version, Release: program,
		})
		if err == nil {
			n.Close(context.Background())
			t.Fatalf("%v opens the folder of a cluster at level 2", program)
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v says of the folder: %v", program, err)
		}
	}
	c.Start(0)
	c.Unseal(0)
	c.Settled()
}

// tryJoin makes the first call of a joining node.
func tryJoin(t *testing.T, c *testcluster.Cluster, with release.Release) (status int, said string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "PUT",
		c.URL(1)+"/v1/sys/storage/raft/bootstrap/challenge",
		strings.NewReader(`{"server_id":"00112233445566778899aabbccddeeff"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Keyquorum-Release", with.Encode())
	answer, err := c.Client(1).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(text)
}

// await asks until done says yes.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}
