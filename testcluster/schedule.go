package testcluster

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A Schedule is faults one after the other, chosen by a seed: the same seed, the same faults at the
// same times.
type Schedule struct {
	Seed  uint64
	Steps []Step
}

// A Step is a calm, then one fault or two at once for a while, then all is mended and the cluster
// must come back.
type Step struct {
	Calm, Lasts time.Duration
	Faults      []Fault
}

// A Fault happens to one node: its number, or whoever leads at that moment. Some need another one
// too.
type Fault struct {
	Name    string // one of Faults()
	Node    int    // -1: the leader
	Partner int    // how many further on, where the fault has two ends
}

func (f Fault) String() string {
	if f.Node < 0 {
		return f.Name + " leader"
	}
	return fmt.Sprintf("%s node%d", f.Name, f.Node)
}

// String is the schedule a line a step.
func (s Schedule) String() string {
	var b strings.Builder
	for _, step := range s.Steps {
		fmt.Fprintf(&b, "after %v, for %v: %v\n", step.Calm, step.Lasts, step.Faults)
	}
	return b.String()
}

// NewSchedule makes a schedule of so many steps out of the named faults for a cluster of so many
// nodes. Every second fault is the leader's.
func NewSchedule(seed uint64, steps, nodes int, faults []string) Schedule {
	dice := rand.New(rand.NewPCG(seed, 0))
	s := Schedule{Seed: seed}
	between := func(low, high time.Duration) time.Duration {
		return (low + time.Duration(dice.Int64N(int64(high-low)))).Round(time.Millisecond)
	}
	for range steps {
		step := Step{Calm: between(0, time.Second), Lasts: between(100*time.Millisecond, 5*time.Second)}
		for range 1 + dice.IntN(4)/3 {
			f := Fault{Name: faults[dice.IntN(len(faults))], Node: -1, Partner: 1 + dice.IntN(max(nodes-1, 1))}
			if dice.IntN(2) == 0 {
				f.Node = dice.IntN(nodes)
			}
			step.Faults = append(step.Faults, f)
		}
		s.Steps = append(s.Steps, step)
	}
	return s
}

// Suffered is a step as it happened.
type Suffered struct {
	Faults      []string  // "kill", …
	Begun, Over time.Time // struck, and whole again
	Lost        int       // sectors, to power cuts; see PowerCut
	Held        State     // by every member after it
	Stuck       error     // what Recover said; nil: nothing
}

// Suffer lets the schedule happen. After each step every member is back, the cluster goes on
// (Recover), and all of it holds the same, or the test fails. With a step after which it is stuck
// the schedule ends.
func (c *Cluster) Suffer(s Schedule) (all []Suffered) {
	c.t.Helper()
	dice := rand.New(rand.NewPCG(s.Seed, 1))
	for _, step := range s.Steps {
		time.Sleep(step.Calm)
		suffered, lost := Suffered{Begun: time.Now()}, c.lost
		for _, f := range step.Faults {
			c.strike(f, dice)
			suffered.Faults = append(suffered.Faults, f.Name)
		}
		time.Sleep(step.Lasts)
		suffered.Stuck = c.Recover()
		suffered.Over, suffered.Lost = time.Now(), c.lost-lost
		if suffered.Stuck != nil {
			c.t.Errorf("testcluster: after step %d, %v: %v", len(all)+1, step.Faults, suffered.Stuck)
			return append(all, suffered)
		}
		suffered.Held = c.compare(c.members())
		all = append(all, suffered)
	}
	return all
}

func (c *Cluster) strike(f Fault, dice *rand.Rand) {
	c.t.Helper()
	node := f.Node
	if node < 0 {
		node = max(c.leader(), 0)
	}
	if c.removed[node] {
		return
	}
	i := slices.IndexFunc(strikes, func(s strike) bool { return s.name == f.Name })
	if i < 0 {
		c.t.Fatalf("testcluster: there is no fault %q; there are %v", f.Name, c.Faults())
	}
	strikes[i].at(c, node, (node+f.Partner)%c.size, dice)
}

// A strike is a fault of schedules. It waits for nothing.
type strike struct {
	name     string
	possible func(c *Cluster) bool
	at       func(c *Cluster, node, partner int, dice *rand.Rand)
}

var strikes = []strike{
	{"kill", always, func(c *Cluster, i, _ int, _ *rand.Rand) { c.Kill(i) }},
	{"kill-all", always, func(c *Cluster, _, _ int, _ *rand.Rand) {
		for i := range c.size {
			c.Kill(i)
		}
	}},
	{"stop", always, func(c *Cluster, i, _ int, _ *rand.Rand) { c.Stop(i) }},
	{"seal", always, func(c *Cluster, i, _ int, _ *rand.Rand) { c.askSeal(i) }},
	{"step-down", always, func(c *Cluster, i, _ int, _ *rand.Rand) { _ = c.ask(i, "/v1/sys/step-down") }},
	{"pause", is[pauser], func(c *Cluster, i, _ int, _ *rand.Rand) { c.pauseIfItRuns(i) }},
	{"pause-two", is[pauser], func(c *Cluster, i, j int, _ *rand.Rand) { c.pauseIfItRuns(i); c.pauseIfItRuns(j) }},
	{"isolate", hasNetwork, func(c *Cluster, i, _ int, _ *rand.Rand) { c.Isolate(i) }},
	{"split", hasNetwork, func(c *Cluster, i, j int, _ *rand.Rand) { c.Partition(i, j) }},
	{"region", hasRegions, func(c *Cluster, i, _ int, _ *rand.Rand) { c.Partition(c.Region(i)...) }},
	{"one-way", hasNetwork, func(c *Cluster, i, j int, _ *rand.Rand) { c.PartitionOneWay(i, j) }},
	{"deaf", hasNetwork, func(c *Cluster, i, _ int, _ *rand.Rand) { c.deafen(i) }},
	{"bridge", hasNetwork, func(c *Cluster, i, j int, _ *rand.Rand) { c.PartitionOneWay(i, j); c.PartitionOneWay(j, i) }},
	{"slow", canBeShaped, func(c *Cluster, i, _ int, dice *rand.Rand) {
		for j := range c.size {
			c.Slow(i, j, time.Duration(dice.Int64N(int64(300*time.Millisecond))), 0)
		}
	}},
	{"throttle", canBeShaped, func(c *Cluster, i, j int, _ *rand.Rand) { c.Slow(i, j, 20*time.Millisecond, 32<<10) }},
	{"drop", canBeShaped, func(c *Cluster, i, j int, dice *rand.Rand) { c.Drop(i, j, dice.Float64()/3) }},
	{"reset", canBeReset, func(c *Cluster, i, _ int, _ *rand.Rand) { c.Reset(i) }},
	{"full-disk", hasHooks, func(c *Cluster, i, _ int, _ *rand.Rand) { c.FillDisk(i) }},
	{"fail-sync", hasHooks, func(c *Cluster, i, _ int, _ *rand.Rand) { c.FailSync(i) }},
	{"hang-disk", hasHooks, func(c *Cluster, i, _ int, _ *rand.Rand) { c.HangDisk(i) }},
	{"clock", hasHooks, func(c *Cluster, i, _ int, dice *rand.Rand) {
		c.SkewClock(i, time.Duration(dice.Int64N(int64(2*time.Hour)))-time.Hour)
	}},
	{"lease-clock", hasHooks, func(c *Cluster, i, j int, dice *rand.Rand) {
		c.DriftClock(i, 0.955+dice.Float64()*0.09) // any two of these are within the margin of each other
		c.DriftClock(j, 0.955+dice.Float64()*0.09)
	}},
	{"usage-log", is[auditBreaker], func(c *Cluster, i, _ int, _ *rand.Rand) { c.FailUsageLog(i) }},
	{"thief", hasOthers, func(c *Cluster, i, _ int, dice *rand.Rand) {
		if !c.placing(i) { // else it may have no folder yet
			c.Burgle(i, dice)
		}
	}},
	{"rotate", always, func(c *Cluster, i, _ int, _ *rand.Rand) { c.rotate(i) }},
	{"rekey", always, func(c *Cluster, i, _ int, _ *rand.Rand) { c.beginRekey(i) }},
	{"restore", always, func(c *Cluster, i, j int, _ *rand.Rand) { c.beginRestore(i, j) }},
	{"replace", canReplace, func(c *Cluster, i, _ int, dice *rand.Rand) {
		if elsewhere := dice.IntN(2) == 0; c.mayLose(i) {
			c.LoseDisk(i, elsewhere)
		}
	}},
	{"move", canMove, func(c *Cluster, i, _ int, _ *rand.Rand) {
		if c.placement == nil {
			c.Move(i)
		}
	}},
	{"move-all", canMove, func(c *Cluster, _, _ int, _ *rand.Rand) {
		if c.placement == nil {
			c.MoveAll()
		}
	}},
	{"power-cut", powerCuttable, func(c *Cluster, _, _ int, dice *rand.Rand) { c.PowerCut(dice, c.all()...) }},
}

// Faults are the names of the faults that can happen to this cluster in a schedule.
func (c *Cluster) Faults() (names []string) {
	for _, s := range strikes {
		if s.possible(c) {
			names = append(names, s.name)
		}
	}
	return names
}

func always(*Cluster) bool       { return true }
func hasNetwork(c *Cluster) bool { return c.links != nil }
func is[T any](c *Cluster) bool  { _, ok := c.kind.(T); return ok }

// A thief talks with members other than the one that he robs.
func hasOthers(c *Cluster) bool { return c.size > 1 }

// Members that move, or are replaced, need others that they can be found by.
func canMove(c *Cluster) bool    { return is[mover](c) && hasHooks(c) && hasOthers(c) }
func canReplace(c *Cluster) bool { return canMove(c) && c.voters() > 2 }

func canBeShaped(c *Cluster) bool { return hasNetwork(c) && c.links.unshapable() == nil }
func hasRegions(c *Cluster) bool  { return hasNetwork(c) && len(c.regions) == c.size }
func canBeReset(c *Cluster) bool  { _, ok := c.links.(resetter); return ok }

// The unmodified program has no hooks. Nodes in this process always have them.
func hasHooks(c *Cluster) bool      { p, ok := c.kind.(*processes); return !ok || p.faults }
func powerCuttable(c *Cluster) bool { return is[powerCutter](c) && hasHooks(c) }

func (c *Cluster) all() (nodes []int) {
	for i := range c.size {
		if c.present(i) {
			nodes = append(nodes, i)
		}
	}
	return nodes
}

// pauseIfItRuns is for a step whose other fault may have ended the node.
func (c *Cluster) pauseIfItRuns(i int) {
	c.t.Helper()
	if c.kind.running(i) {
		c.Pause(i)
	}
}

// deafen lets node i be heard by all and hear nobody.
func (c *Cluster) deafen(i int) {
	for j := range c.size {
		if j != i {
			c.PartitionOneWay(j, i)
		}
	}
}

// ask makes a call that may fail for reasons of its own: a node that is down, no leader.
func (c *Cluster) ask(i int, path string) error {
	if !c.present(i) {
		return nil
	}
	_, err := c.tryWithin(time.Second, i, "PUT", path, nil, nil)
	return err
}

// askSeal asks a node to seal itself. One that stands still does it when it goes on, though nobody
// waits for its answer any more.
func (c *Cluster) askSeal(i int) {
	if c.ask(i, "/v1/sys/seal") != nil {
		c.sealsLate[i] = true
	}
}

// Whole brings every member back: faults are healed, the dead run again, a leader is found, and the
// sealed are unsealed.
func (c *Cluster) Whole() {
	c.t.Helper()
	c.must(c.comeBack())
}
