package testcluster

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// A server is a member of the Raft configuration as the API shows it.
type server struct {
	ID      string `json:"node_id"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
}

// servers is the configuration as node i knows it, nil where it does not answer.
func (c *Cluster) servers(i int) []server {
	var answer struct {
		Data struct {
			Config struct {
				Servers []server `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	if _, err := c.try(i, "GET", "/v1/sys/storage/raft/configuration", nil, &answer); err != nil {
		return nil
	}
	return answer.Data.Config.Servers
}

func (c *Cluster) awaitVoters(at, n int) {
	c.t.Helper()
	c.await(fmt.Sprintf("%d nodes are voters", n), func() bool {
		servers := c.servers(at)
		return len(slices.DeleteFunc(servers, func(s server) bool { return !s.Voter })) == n
	})
}

// join makes node i, which runs without data, a member through node by.
func (c *Cluster) join(i, by int, voter bool) {
	c.t.Helper()
	in := c.joinBy(by)
	in["non_voter"] = !voter
	c.Call(i, "PUT", "/v1/sys/storage/raft/join", in, nil)
	c.Unseal(i)
}

// joinBy is the body of the call that has a node join through node by.
func (c *Cluster) joinBy(by int) map[string]any {
	return map[string]any{"leader_api_addr": c.URL(by), "leader_ca_cert": string(c.authority.caPEM)}
}

// AddVoter starts a node more and returns its number when it is an unsealed voter.
func (c *Cluster) AddVoter() int {
	c.t.Helper()
	i, by := c.add(true)
	id := c.nodeID(i)
	c.await(fmt.Sprintf("node %d is a voter", i), func() bool {
		return slices.ContainsFunc(c.servers(by), func(s server) bool { return s.ID == id && s.Voter })
	})
	return i
}

// AddNonvoter starts a node more and returns its number when it is an unsealed member. It never
// votes and never leads.
func (c *Cluster) AddNonvoter() int {
	c.t.Helper()
	i, _ := c.add(false)
	return i
}

func (c *Cluster) add(voter bool) (i, by int) {
	c.t.Helper()
	if c.size == maxSize {
		c.t.Fatalf("testcluster: a cluster grows to %d nodes at most", maxSize)
	}
	by = c.Leader()
	i = c.size
	c.size++
	c.nonvoters[i] = !voter
	c.Start(i)
	c.join(i, by, voter)
	return i, by
}

// Remove takes node i out of the cluster for ever, and ends it.
func (c *Cluster) Remove(i int) {
	c.t.Helper()
	c.mustHave("Remove", i)
	by := c.member(i)
	c.Call(by, "PUT", "/v1/sys/storage/raft/remove-peer",
		map[string]string{"server_id": c.folderID(i)}, nil)
	c.Forget(i)
}

// Forget ends node i, which was removed: it is waited for no more.
func (c *Cluster) Forget(i int) {
	c.t.Helper()
	c.removed[i] = true
	c.Kill(i)
}

// member is an unsealed running member other than i.
func (c *Cluster) member(i int) int {
	c.t.Helper()
	for j := range c.size {
		if j != i && c.present(j) && c.unsealed(j) {
			return j
		}
	}
	c.t.Fatalf("testcluster: no other node than %d can be asked", i)
	return -1
}

// present says whether node i is a member that runs.
func (c *Cluster) present(i int) bool { return !c.removed[i] && c.kind.running(i) }

// nodeID is what the cluster calls node i.
func (c *Cluster) nodeID(i int) string {
	c.t.Helper()
	s, err := c.state(i, 0)
	c.must(err)
	return s.NodeID
}

// folderID is likewise, by the folder, also where the node does not answer.
func (c *Cluster) folderID(i int) string {
	c.t.Helper()
	_, id, err := certificateIn(filepath.Join(c.Data(i), "cluster"))
	c.must(err)
	return id
}

// A State is what a node holds: nodes with the same digest at the same index hold the same.
type State struct {
	NodeID string `json:"node_id"`
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

// state is what node i holds after an entry, when it is there, or now where index is 0.
func (c *Cluster) state(i int, index uint64) (State, error) {
	path := "/v1/keyquorum/state"
	if index > 0 {
		path = fmt.Sprintf("%s?index=%d", path, index)
	}
	var s State
	_, err := c.try(i, "GET", path, nil, &s)
	return s, err
}

// Digests compares what all running nodes hold at one index, which it returns, and fails the test
// when two differ, or when there are no two to compare. A sealed node is not asked: it can't tell
// who asks.
func (c *Cluster) Digests() State {
	c.t.Helper()
	var tell []int
	for _, i := range c.all() {
		var sealed bool
		c.await(fmt.Sprintf("node %d says whether it is sealed", i), func() (told bool) {
			var err error
			sealed, err = c.sealed(i)
			return err == nil
		})
		if !sealed {
			tell = append(tell, i)
		}
	}
	if len(tell) < 2 {
		c.t.Fatalf("testcluster: of %d nodes only %v can tell what they hold: there is nothing to compare",
			c.size, tell)
	}
	return c.compare(tell)
}

// compare has nodes tell what they hold at the index of the one that is furthest. None may be
// silent, and none may differ.
func (c *Cluster) compare(nodes []int) State {
	c.t.Helper()
	var newest State
	var silent error
	all := func() bool { // again at a newer index where a node was sent a state meanwhile: of what was before it knows nothing
		newest = c.newest(nodes)
		silent = c.compareAt(newest, nodes)
		return silent == nil
	}
	if !until(30*time.Second, all) {
		c.t.Fatalf("testcluster: not within 30 s: all of nodes %v tell what they hold: %v", nodes, silent)
	}
	return newest
}

// compareAt fails the test where a node holds something else. Its error is that one does not tell.
func (c *Cluster) compareAt(newest State, nodes []int) error {
	c.t.Helper()
	if newest.Index == 0 {
		return errors.New("none of them does")
	}
	for _, i := range nodes {
		s, err := c.state(i, newest.Index)
		if err != nil {
			return err
		}
		if s.Digest != newest.Digest {
			c.t.Fatalf("testcluster: at index %d node %s holds %s, node %d holds %s", newest.Index,
				newest.NodeID, newest.Digest, i, s.Digest)
		}
	}
	return nil
}

func (c *Cluster) newest(nodes []int) (newest State) {
	for _, i := range nodes {
		if s, err := c.state(i, 0); err == nil && s.Index >= newest.Index {
			newest = s
		}
	}
	return newest
}

// Settled makes the cluster whole and waits until every member holds the same state, which it
// returns.
func (c *Cluster) Settled() State {
	c.t.Helper()
	c.Whole()
	return c.compare(c.members())
}

// members are all nodes but those that were removed.
func (c *Cluster) members() (nodes []int) {
	for i := range c.size {
		if !c.removed[i] {
			nodes = append(nodes, i)
		}
	}
	return nodes
}
