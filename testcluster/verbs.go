package testcluster

import (
	"fmt"
	"time"
)

// Start runs node i, which is not running, and returns when it answers. It fails the test where the
// node ends before.
func (c *Cluster) Start(i int) {
	c.t.Helper()
	c.mustHave("Start", i)
	c.must(c.kind.start(i))
	c.await(fmt.Sprintf("node %d answers", i),
		func() bool { return c.answers(i) || !c.kind.running(i) })
	if !c.kind.running(i) {
		c.t.Fatalf("testcluster: node %d ended when it was started: %s", i, c.lastWords(i))
	}
}

// lastWords is the end of node i's log.
func (c *Cluster) lastWords(i int) []byte {
	b, err := c.kind.log(i)
	if err != nil {
		return []byte(err.Error())
	}
	return b[max(0, len(b)-1000):]
}

func (c *Cluster) answers(i int) bool {
	_, err := c.try(i, "GET", "/v1/sys/seal-status", nil, nil)
	return err == nil
}

// Running says whether node i runs. One that has failed does not.
func (c *Cluster) Running(i int) bool { return c.kind.running(i) }

// Kill ends node i at once, where it runs: SIGKILL to a process.
func (c *Cluster) Kill(i int) {
	c.t.Helper()
	c.mustHave("Kill", i)
	c.end(i, c.kind.kill)
}

// Stop ends node i in order: SIGTERM to a process. One that is paused, or whose disk hangs, goes on
// first, for it has something to do.
func (c *Cluster) Stop(i int) {
	c.t.Helper()
	c.mustHave("Stop", i)
	if p, ok := c.kind.(pauser); ok {
		p.resume(i)
	}
	if b, ok := c.kind.(breaker); ok {
		c.must(b.unhangDisk(i))
	}
	c.end(i, c.kind.stop)
}

func (c *Cluster) end(i int, how func(int)) {
	if c.kind.running(i) {
		how(i)
	}
	c.clients[i].CloseIdleConnections()
}

// Restart kills node i where it runs, and starts it. It is sealed after that.
func (c *Cluster) Restart(i int) {
	c.t.Helper()
	c.Kill(i)
	c.Start(i)
}

// Unseal gives node i its shares and waits until it is unsealed, for which it needs a leader.
func (c *Cluster) Unseal(i int) {
	c.t.Helper()
	c.mustHave("Unseal", i)
	c.await(fmt.Sprintf("node %d is unsealed", i),
		func() bool { return c.unsealed(i) || c.giveShares(i) })
}

// giveShares gives them all, whatever is answered: one may have been taken before, or be recorded
// too late. It says whether that has unsealed the node.
func (c *Cluster) giveShares(i int) bool {
	for _, shares := range c.candidates() {
		for _, share := range shares[:2] {
			_, _ = c.try(i, "PUT", "/v1/sys/unseal", map[string]string{"key": share}, nil)
		}
		if c.unsealed(i) {
			c.ceremonies.mu.Lock()
			c.Shares = shares
			c.ceremonies.mu.Unlock()
			return true
		}
	}
	return false
}

func (c *Cluster) unsealed(i int) bool {
	sealed, err := c.sealed(i)
	return err == nil && !sealed
}

func (c *Cluster) sealed(i int) (bool, error) {
	var status struct {
		Sealed bool `json:"sealed"`
	}
	_, err := c.try(i, "GET", "/v1/sys/seal-status", nil, &status)
	return status.Sealed, err
}

// Seal seals node i.
func (c *Cluster) Seal(i int) {
	c.t.Helper()
	c.mustHave("Seal", i)
	c.Call(i, "PUT", "/v1/sys/seal", nil, nil)
}

// Leader waits for a leader among the running nodes, sealed or not, and returns it.
func (c *Cluster) Leader() int {
	c.t.Helper()
	leader := -1
	c.await("there is a leader", func() bool {
		leader = c.leader()
		return leader >= 0
	})
	return leader
}

// leader is the node that says it leads, -1 for none. One that was cut off may still say so.
func (c *Cluster) leader() int {
	for i := range c.size {
		if c.kind.running(i) && c.leads(i) {
			return i
		}
	}
	return -1
}

// leads asks for the node's health, which a sealed leader tells too; it has a second, for it may be
// paused.
func (c *Cluster) leads(i int) bool {
	var health struct {
		Initialized bool `json:"initialized"`
		Standby     bool `json:"standby"`
	}
	const always = "?activecode=200&sealedcode=200&performancestandbycode=200&haunhealthycode=200&uninitcode=200&removedcode=200"
	_, err := c.tryWithin(time.Second, i, "GET", "/v1/sys/health"+always, nil, &health)
	return err == nil && health.Initialized && !health.Standby
}

// StepDown makes the leader hand its office over, and returns who leads then.
func (c *Cluster) StepDown() int {
	c.t.Helper()
	old := c.Leader()
	c.Call(old, "PUT", "/v1/sys/step-down", nil, nil)
	next := old
	c.await("another node leads", func() bool {
		next = c.leader()
		return next >= 0 && next != old
	})
	return next
}
