package testcluster

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"keyquorum/node"
	"keyquorum/testcluster/placing"
)

// A placement is under way while an operator gives nodes their place in the cluster. There is one
// at a time, as docs/members.md tells operators: so a majority of the voters always has its disks,
// and knows where the others are.
type placement struct {
	nodes []int
	end   context.CancelFunc
	done  chan struct{}
	err   error // when it is done
}

// placing says whether node i is getting a place.
func (c *Cluster) placing(i int) bool {
	return c.placement != nil && slices.Contains(c.placement.nodes, i)
}

// place has nodes get their places, and counts it as a ceremony of that name when all have them.
func (c *Cluster) place(name string, places ...placing.Place) {
	ctx, end := context.WithCancel(context.Background())
	p := &placement{end: end, done: make(chan struct{})}
	operator := placing.Operator{Call: c.patiently, Shares: c.candidates, Join: c.joinBy}
	errs := make([]error, len(places))
	var all sync.WaitGroup
	for k, place := range places {
		p.nodes = append(p.nodes, place.Node)
		all.Go(func() { errs[k] = operator.Give(ctx, place) })
	}
	go func() {
		defer close(p.done)
		all.Wait()
		if p.err = errors.Join(errs...); p.err == nil {
			c.ceremonies.did(name)
		}
	}()
	c.placement = p
}

// placed waits for the placement that is under way, when all else is well again.
func (c *Cluster) placed() error {
	p := c.placement
	select {
	case <-p.done:
	case <-time.After(ceremonyTime):
	}
	p.end()
	<-p.done
	c.placement = nil
	return p.err
}

// patiently makes a call with time enough for a change of members.
func (c *Cluster) patiently(node int, method, path string, in, out any) error {
	_, err := c.tryWithin(10*time.Second, node, method, path, in, out)
	return err
}

// placeOf is where node i is to be in the end.
func (c *Cluster) placeOf(i int) placing.Place {
	p := placing.Place{Node: i, Address: c.kind.(mover).address(i), Voter: !c.nonvoters[i]}
	for _, j := range c.members() {
		if j != i {
			p.Others = append(p.Others, j)
		}
	}
	return p
}

func (c *Cluster) voters() (n int) {
	for _, i := range c.members() {
		if !c.nonvoters[i] {
			n++
		}
	}
	return n
}

// mayLose says whether the disk of node i can be lost without the cluster: a majority has its
// disks, also while the successor votes and the lost one is not removed yet.
func (c *Cluster) mayLose(i int) bool {
	return c.placement == nil && (c.nonvoters[i] || c.voters() > 2)
}

// LoseDisk ends node i for good: its disk is gone. A fresh node begins to take its place, at
// another address or at the same, and has it when Recover returns. At another one the lost member
// goes last, at the same it goes first.
func (c *Cluster) LoseDisk(i int, elsewhere bool) {
	c.t.Helper()
	c.mustHave("LoseDisk", i)
	if !c.mayLose(i) {
		c.t.Fatalf("testcluster: LoseDisk: without node %d's disk there would be no cluster", i)
	}
	k := can[mover](c, "LoseDisk")
	c.ceremonies.began("replace")
	c.Kill(i)
	old := c.folderID(i)
	c.wipe(i)
	if elsewhere {
		c.must(k.move(i))
	}
	c.must(c.kind.start(i))
	p := c.placeOf(i)
	p.Old, p.OldFirst = old, !elsewhere
	c.place("replace", p)
}

// wipe leaves of node i's folder the usage log alone, which is on another disk: what it says of
// requests is held to their answers.
func (c *Cluster) wipe(i int) {
	c.t.Helper()
	entries, err := os.ReadDir(c.Data(i))
	c.must(err)
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "audit.log") {
			c.must(os.RemoveAll(filepath.Join(c.Data(i), e.Name())))
		}
	}
}

// Move stops node i, and starts it at another address. When Recover returns all members know it.
func (c *Cluster) Move(i int) {
	c.t.Helper()
	c.mustHave("Move", i)
	k := can[mover](c, "Move")
	c.ceremonies.began("move")
	c.Stop(i)
	c.must(k.move(i))
	c.must(c.kind.start(i))
	c.place("move", c.placeOf(i))
}

// MoveAll has all members at once come back at other addresses, where none finds another: the
// cluster is recovered from their folders as one node, and the others join it with empty ones. That
// is so when Recover returns. Where the folders don't tell that none is missing what was
// acknowledged, an operator would rather bring the old addresses back: then they are killed, and
// that is all.
func (c *Cluster) MoveAll() {
	c.t.Helper()
	k := can[mover](c, "MoveAll")
	c.ceremonies.began("move-all")
	for _, i := range c.members() {
		c.Kill(i)
	}
	best := c.farthest()
	if best == nil {
		return
	}
	members := c.members()
	for _, i := range members {
		c.must(k.move(i))
	}
	first := members[slices.IndexFunc(members, func(i int) bool { return !c.nonvoters[i] })]
	made := filepath.Join(c.Dir, fmt.Sprint("recovered", copies.Add(1)))
	_, err := best.Recover(node.Recovery{Dir: made, ClusterAddr: k.address(first), Now: time.Now()})
	c.must(err)
	var places []placing.Place
	for _, i := range members {
		c.wipe(i)
		if i == first {
			c.must(os.Rename(filepath.Join(made, "cluster"), filepath.Join(c.Data(i), "cluster")))
		}
		c.must(c.kind.start(i))
		places = append(places, c.placeOf(i))
	}
	c.place("move-all", places...)
}

// farthest is the farthest of the members' folders, with shares that open it; nil where it might
// lack what was acknowledged. None of the members runs.
func (c *Cluster) farthest() *node.Remnant {
	c.t.Helper()
	var all []*node.Remnant
	for _, i := range c.members() {
		r, err := node.ReadRemnant(c.Data(i))
		c.must(err)
		all = append(all, r)
	}
	judged, err := node.Judge(all)
	c.must(err)
	if judged.Doubt != node.Complete {
		return nil
	}
	for _, set := range c.candidates() {
		for _, text := range set[:2] {
			share, err := hex.DecodeString(text)
			c.must(err)
			_, _ = judged.Best.Share(share) // one that was replaced is refused
		}
	}
	return judged.Best
}
