package cluster

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/port"
	"keyquorum/cluster/wire"
	"keyquorum/fsm"
)

// Trust is what a member must not forget, whatever becomes of its state: by which transaction keys
// it knows its cluster, who was removed from it for ever, and a place that its history goes
// through: for a joiner where the member that let it in was then. All only grow.
type Trust struct {
	Line    fsm.Line
	Removed []string // node ids, ascending
	Place   fsm.Place
}

// trustVersion begins an encoded Trust.
const trustVersion = 1

// Encode is what a folder keeps and a joiner is given.
func (t Trust) Encode() ([]byte, error) {
	b, err := wire.Encode(encodedTrust{Line: t.Line, Removed: t.Removed, Place: t.Place})
	return append([]byte{trustVersion}, b...), err
}

type encodedTrust struct {
	_       struct{} `cbor:",toarray"`
	Line    fsm.Line
	Removed []string
	Place   fsm.Place
}

// DecodeTrust reads what Encode wrote, and checks the line.
func DecodeTrust(b []byte) (Trust, error) {
	var e encodedTrust
	if len(b) == 0 || b[0] != trustVersion || wire.Decode(b[1:], &e) != nil {
		return Trust{}, errors.New("cluster: not what a member trusts")
	}
	line, err := e.Line.Encode()
	if err == nil {
		_, err = fsm.DecodeLine(line)
	}
	return Trust{Line: e.Line, Removed: e.Removed, Place: e.Place}, err
}

// Trusted is what this member trusts by now: for a joiner to begin with. The joiner shows nobody a
// state that has not been where this one is.
func (c *Cluster) Trusted() Trust {
	t, view := c.trusted(), c.View()
	t.Place = fsm.Place{Index: view.Index(), Digest: view.Digest()}
	return t
}

// keepTrust has the folder remember what is new, and ends with the member. It goes on where the
// disk refuses: what is not kept now is kept with the next change, or at the next start.
func (c *Cluster) keepTrust() {
	kept := c.Trust
	for {
		now := c.trusted()
		if len(now.Line) > len(kept.Line) || len(now.Removed) > len(kept.Removed) {
			if err := c.Remember(now); err != nil {
				c.logger.Error("what this member must not forget could not be written", "error", err)
			} else {
				kept = now
			}
		}
		select {
		case <-c.trustChanged:
		case <-c.ctx.Done():
			return
		}
	}
}

func (c *Cluster) trusted() Trust {
	t := Trust{Line: c.Trust.Line, Removed: c.removals.list(), Place: c.Trust.Place}
	if line := c.fsm.View().Line(); len(line) > len(t.Line) {
		t.Line = line
	}
	return t
}

// behindTrust says whether a state lacks a transaction key that this member knows there is, or has
// not come to the place that it goes through: it is older than what this member, or the one that
// let it in, once held. Nobody is shown it, nor is anything decided on it.
func (c *Cluster) behindTrust(v fsm.View) bool {
	return len(v.Line()) < len(c.Trust.Line) || v.Index() < c.Trust.Place.Index
}

// removals are the ids of the nodes that were removed. They only grow.
type removals struct {
	ids  atomic.Pointer[map[string]bool]
	this atomic.Bool // this node is among them

	mu    sync.Mutex
	heard map[string]bool // who says that it is
}

// hear notes that a node says that this one was removed. fresh: it had not said so before.
func (r *removals) hear(from string) (fresh bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.heard[from] {
		return false
	}
	if r.heard == nil {
		r.heard = map[string]bool{}
	}
	r.heard[from] = true
	return true
}

// heardFrom counts those of the nodes that said so.
func (r *removals) heardFrom(nodes []string) (n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, id := range nodes {
		if r.heard[id] {
			n++
		}
	}
	return n
}

func (r *removals) begin(ids []string) {
	known := map[string]bool{}
	for _, id := range ids {
		known[id] = true
	}
	r.ids.Store(&known)
}

func (r *removals) has(nodeID string) bool { return (*r.ids.Load())[nodeID] }

// list is ascending.
func (r *removals) list() []string { return slices.Sorted(maps.Keys(*r.ids.Load())) }

// add takes the marks of a state, and returns those that are new. A state that is opened and one
// that is applied may be looked at at the same time.
func (r *removals) add(v fsm.View) (fresh []string) {
	for {
		known := r.ids.Load()
		fresh = nil
		for path := range v.Scan(fsm.RemovedDir, "") {
			if id := strings.TrimPrefix(path, fsm.RemovedDir); !(*known)[id] {
				fresh = append(fresh, id)
			}
		}
		if len(fresh) == 0 {
			return nil
		}
		now := maps.Clone(*known)
		for _, id := range fresh {
			now[id] = true
		}
		if r.ids.CompareAndSwap(known, &now) {
			return fresh
		}
	}
}

// noteRemoved takes the marks of a state. A mark that was seen once holds for ever, also when a
// state without it comes after. The ids are known before their connections are cut, or one could
// slip in between.
func (c *Cluster) noteRemoved(v fsm.View) {
	fresh := c.removals.add(v)
	for _, id := range fresh {
		c.cut(func(l port.Link) bool { return l.Node == id })
	}
	if c.removed(c.id) {
		c.learnRemoved()
	}
}

// listensTo says whether Raft's messages from a node are heard. A removed one's are not. But of a
// pair that has no other leader each is needed until the configuration has followed: nobody is
// elected without the other's vote, and if the marked one leads already, it has the longer log, and
// has to carry out its own removal. A leader that stays does not need it.
func (c *Cluster) listensTo(nodeID string) bool {
	if !c.removed(nodeID) {
		return true
	}
	voters := c.voters()
	return len(voters) == 2 && slices.Contains(voters, nodeID) && c.raft.State() != raft.Leader
}

func (c *Cluster) removed(nodeID string) bool { return c.removals.has(nodeID) }

func (c *Cluster) learnRemoved() {
	if !c.removals.this.Swap(true) {
		c.logger.Error("this node was removed from the cluster; " +
			"to come back it needs an empty data folder and a new join")
	}
}

// hearRemoved takes the word of most of the others. A node that was removed gets no more entries,
// so it can't see for itself; but one other could be a thief, who would stop it by a word.
func (c *Cluster) hearRemoved(from string) {
	if c.removals.this.Load() || !c.belongs(from) || !c.removals.hear(from) {
		return
	}
	c.logger.Warn("a node says that this one was removed from the cluster", "node", from)
	var others []string
	for _, s := range c.configured() {
		if s.ID != c.id {
			others = append(others, s.ID)
		}
	}
	if 2*c.removals.heardFrom(others) > len(others) {
		c.learnRemoved()
	}
}

// Removed says whether this node learnt that it was removed from the cluster.
func (c *Cluster) Removed() bool { return c.removals.this.Load() }

// belongs says whether a node is a member, as far as this one knows. One that has no state yet goes
// by Raft's configuration.
func (c *Cluster) belongs(nodeID string) bool {
	if c.removed(nodeID) {
		return false
	}
	if members := c.fsm.View().Members(); len(members) > 0 {
		_, ok := members.Find(nodeID)
		return ok
	}
	for _, s := range c.servers() {
		if string(s.ID) == nodeID {
			return true
		}
	}
	return false
}
