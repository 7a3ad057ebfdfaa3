package testcluster

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// What only some kinds of cluster can do.
type (
	pauser interface {
		pause(i int)
		resume(i int)
	}
	breaker interface {
		fillDisk(i int) error
		failSync(i int) error
		hangDisk(i int) error
		unhangDisk(i int) error
		skewClock(i int, by time.Duration) error
		driftClock(i int, rate float64) error
		mend(i int) error // ends them, and a usage log that fails
	}
	auditBreaker interface{ failUsageLog(i int) }
	mover        interface {
		address(i int) string // of node i's cluster port, as the others are to know it
		move(i int) error     // node i, which does not run, has another one from its next start on
	}
	powerCutter interface {
		powerCut(i int, dice *rand.Rand) (lost int, err error)
	}
)

// links are the ways between nodes, each direction by itself. What is held is lost or late, never
// refused.
type links interface {
	hold(from, to int) error
	shape(from, to int, l Link) error
	unshapable() error // why they can't be slow or lossy on this machine; nil: they can
	heal() error
	close()
}

// A counter is links that know how many packets they have carried where they are not perfect.
type counter interface{ passed(from, to int) int64 }

// A resetter is links that break connections too.
type resetter interface{ reset(i int) }

// can returns the kind as one that can do a verb. A verb that a kind can't do fails the test:
// passing would claim a fault that never was.
func can[T any](c *Cluster, verb string) T {
	c.t.Helper()
	k, ok := c.kind.(T)
	if !ok {
		c.t.Fatalf("testcluster: %s can't be done to %s", verb, c.kind.name())
	}
	return k
}

// mustHave fails the test where a verb names a node that there is not.
func (c *Cluster) mustHave(verb string, nodes ...int) {
	c.t.Helper()
	for _, i := range nodes {
		if i < 0 || i >= c.size {
			c.t.Fatalf("testcluster: %s: there is no node %d; there are %d, from 0 on", verb, i, c.size)
		}
	}
}

func (c *Cluster) between(verb string) links {
	c.t.Helper()
	if c.links == nil {
		c.t.Fatalf("testcluster: %s can't be done to %s: there is no network of ours between them", verb,
			c.kind.name())
	}
	return c.links
}

// Pause lets node i, which runs, stand still until Resume: SIGSTOP to a process; in a bubble its
// messages, its disk and its clock. A kill ends it too.
func (c *Cluster) Pause(i int) {
	c.t.Helper()
	c.mustHave("Pause", i)
	k := can[pauser](c, "Pause")
	if !c.kind.running(i) {
		c.t.Fatalf("testcluster: Pause: node %d does not run", i)
	}
	k.pause(i)
}

// Resume ends Pause.
func (c *Cluster) Resume(i int) {
	c.t.Helper()
	c.mustHave("Resume", i)
	can[pauser](c, "Resume").resume(i)
}

// Partition cuts the nodes of side off from all others, both ways. Those who ask from outside reach
// every node.
func (c *Cluster) Partition(side ...int) {
	c.t.Helper()
	c.mustHave("Partition", side...)
	links := c.between("Partition")
	for _, i := range side {
		for j := range c.size {
			if !slices.Contains(side, j) {
				c.must(links.hold(i, j))
				c.must(links.hold(j, i))
			}
		}
	}
}

// PartitionOneWay loses everything that from sends to to, and nothing that comes back.
func (c *Cluster) PartitionOneWay(from, to int) {
	c.t.Helper()
	c.mustHave("PartitionOneWay", from, to)
	c.must(c.between("PartitionOneWay").hold(from, to))
}

// Isolate is Partition of one node.
func (c *Cluster) Isolate(i int) { c.t.Helper(); c.Partition(i) }

// Spread puts the nodes into regions, a name for each node, that are a round trip apart from each
// other for as long as the cluster lives: Heal leaves it so.
func (c *Cluster) Spread(regions []string, roundTrip func(a, b string) time.Duration) {
	c.t.Helper()
	c.regions, c.distances = regions, map[[2]int]Link{}
	for i, a := range regions {
		for j, b := range regions {
			if trip := roundTrip(a, b); i != j && trip > 0 {
				c.distances[[2]int{i, j}] = Link{Delay: trip / 2}
			}
		}
	}
	for pair, l := range c.distances {
		if pair[0] < pair[1] {
			c.shape("Spread", pair[0], pair[1], l)
		}
	}
}

// Region is the nodes of node i's region.
func (c *Cluster) Region(i int) (nodes []int) {
	for j, region := range c.regions {
		if region == c.regions[i] {
			nodes = append(nodes, j)
		}
	}
	return nodes
}

// Slow gives the link between two nodes a delay each way, and a rate in bytes a second (0: any).
func (c *Cluster) Slow(i, j int, delay time.Duration, rate int) {
	c.t.Helper()
	c.shape("Slow", i, j, Link{Delay: delay, Rate: rate})
}

// Drop loses a share (0 to 1) of what passes between two nodes. TCP sends it again, so it comes
// late.
func (c *Cluster) Drop(i, j int, share float64) {
	c.t.Helper()
	c.shape("Drop", i, j, Link{Loss: share})
}

func (c *Cluster) shape(verb string, i, j int, l Link) {
	c.t.Helper()
	c.mustHave(verb, i, j)
	links := c.between(verb)
	if err := links.unshapable(); err != nil {
		c.t.Fatalf("testcluster: %s can't be done to %s here: %v", verb, c.kind.name(), err)
	}
	c.must(links.shape(i, j, l))
	c.must(links.shape(j, i, l))
}

// Passed is how many packets have gone from one node to another while their link was slow or lossy
// (Spread, Slow, Drop).
func (c *Cluster) Passed(from, to int) int64 {
	c.t.Helper()
	c.mustHave("Passed", from, to)
	links, ok := c.between("Passed").(counter)
	if !ok {
		c.t.Fatalf("testcluster: Passed can't be told by %s", c.kind.name())
	}
	return links.passed(from, to)
}

// Reset breaks the connections between node i and the other nodes. They can make new ones.
func (c *Cluster) Reset(i int) {
	c.t.Helper()
	c.mustHave("Reset", i)
	r, ok := c.between("Reset").(resetter)
	if !ok {
		c.t.Fatalf("testcluster: Reset can't be done to %s", c.kind.name())
	}
	r.reset(i)
}

// FillDisk makes every write to node i's log fail for want of space, until Heal, and the node ends
// at the next one. After SmallDisk it fills that disk: then it is whatever needs room that fails.
func (c *Cluster) FillDisk(i int) {
	c.t.Helper()
	c.mustHave("FillDisk", i)
	c.must(can[breaker](c, "FillDisk").fillDisk(i))
}

// FailSync makes the next fsync of node i's log fail, though what it wrote may be on the disk. The
// node ends.
func (c *Cluster) FailSync(i int) {
	c.t.Helper()
	c.mustHave("FailSync", i)
	c.must(can[breaker](c, "FailSync").failSync(i))
}

// HangDisk keeps node i's log from getting anything onto the disk, until Heal: what was begun
// neither fails nor ends.
func (c *Cluster) HangDisk(i int) {
	c.t.Helper()
	c.mustHave("HangDisk", i)
	c.must(can[breaker](c, "HangDisk").hangDisk(i))
}

// FailUsageLog makes every write to node i's usage log fail, until Heal.
func (c *Cluster) FailUsageLog(i int) {
	c.t.Helper()
	c.mustHave("FailUsageLog", i)
	can[auditBreaker](c, "FailUsageLog").failUsageLog(i)
}

// SkewClock sets node i's wall clock off by an amount, until Heal.
func (c *Cluster) SkewClock(i int, by time.Duration) {
	c.t.Helper()
	c.mustHave("SkewClock", i)
	c.must(can[breaker](c, "SkewClock").skewClock(i, by))
}

// DriftClock lets node i's lease clock run at a rate, 1 being right, until Heal. It is the clock of
// the machine, so a node that is started again has it too.
func (c *Cluster) DriftClock(i int, rate float64) {
	c.t.Helper()
	c.mustHave("DriftClock", i)
	c.must(can[breaker](c, "DriftClock").driftClock(i, rate))
}

// PowerCut ends nodes at once, all at the same moment, and leaves of what they had not synced to
// their logs whatever dice choose. Restart brings them back. It returns how many sectors hold
// something older than was written to them; where nothing was in doubt it is 0, and the cut was no
// more than a kill. Other files are as the kernel has them.
func (c *Cluster) PowerCut(dice *rand.Rand, nodes ...int) (lost int) {
	c.t.Helper()
	c.mustHave("PowerCut", nodes...)
	k := can[powerCutter](c, "PowerCut")
	if p, ok := c.kind.(pauser); ok {
		for _, i := range nodes { // so that none sees another's end
			if c.kind.running(i) {
				p.pause(i)
			}
		}
	}
	for _, i := range nodes {
		n, err := k.powerCut(i, dice)
		c.must(err)
		lost += n
		c.clients[i].CloseIdleConnections()
	}
	c.lost += lost
	return lost
}

// CorruptByte inverts one byte of a file below node i's data folder. The node must not be running.
func (c *Cluster) CorruptByte(i int, name string, offset int64) {
	c.t.Helper()
	c.mustHave("CorruptByte", i)
	if c.kind.running(i) {
		c.t.Fatalf("testcluster: node %d runs: what it has open would hide the damage", i)
	}
	f, err := os.OpenFile(filepath.Join(c.Data(i), name), os.O_RDWR, 0)
	c.must(err)
	defer f.Close()
	var b [1]byte
	_, err = f.ReadAt(b[:], offset)
	c.must(err)
	b[0] = ^b[0]
	_, err = f.WriteAt(b[:], offset)
	c.must(err)
}

// Heal ends every fault but death: links are perfect, nobody is paused, disks have room, usage logs
// can be written, clocks are right, thieves have left.
func (c *Cluster) Heal() {
	c.t.Helper()
	c.sendAway()
	if c.links != nil {
		c.must(c.links.heal())
		for pair, l := range c.distances {
			c.must(c.links.shape(pair[0], pair[1], l))
		}
	}
	for i := range c.size {
		if p, ok := c.kind.(pauser); ok {
			p.resume(i)
		}
		if b, ok := c.kind.(breaker); ok {
			c.must(b.mend(i))
		}
	}
}
