package testcluster

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Whoever waits for ever is as badly served as who reads what is not true any more. So when a
// cluster's faults are over, it has to go on within a time, and one that does not is stuck.

// recovery bounds, each: that somebody leads, that a node is unsealed, that a write through it is
// acknowledged, and that a node reads it. Time is that of the bubble where there is one.
const recovery = 30 * time.Second

// Recover ends all faults and says what does not come back by itself then: a leader, and at every
// member, which is unsealed for it, a write that is acknowledged and that every member reads. nil:
// all does. A node that does not start fails the test.
func (c *Cluster) Recover() error {
	c.t.Helper()
	err := c.comeBack()
	c.ceremonies.underWay.Wait()
	for _, i := range c.members() {
		if err == nil {
			err = c.goesOn(i)
		}
	}
	if err != nil {
		return fmt.Errorf("stuck: %w (%s)", err, c.standing())
	}
	return nil
}

// comeBack heals the faults, starts the dead, waits for a leader, unseals the sealed, and waits for
// those that are getting a place: for that the others have to be unsealed.
func (c *Cluster) comeBack() error {
	c.t.Helper()
	c.Heal()
	for _, i := range c.members() {
		if !c.kind.running(i) {
			c.Start(i)
		}
	}
	if !until(recovery, func() bool { return c.leader() >= 0 }) {
		return fmt.Errorf("nobody leads within %v", recovery)
	}
	if err := c.unsealThose(func(i int) bool { return !c.placing(i) }); err != nil {
		return err
	}
	if c.placement == nil {
		return nil
	}
	if err := c.placed(); err != nil {
		return err
	}
	return c.unsealThose(func(int) bool { return true })
}

// unsealThose unseals members again.
func (c *Cluster) unsealThose(are func(i int) bool) error {
	for _, i := range c.members() {
		if are(i) && !until(recovery, func() bool { return c.unsealAgain(i) }) {
			return fmt.Errorf("node %d can't be unsealed within %v", i, recovery)
		}
	}
	return nil
}

// unsealAgain gives a sealed node that runs its shares.
func (c *Cluster) unsealAgain(i int) bool {
	return c.unsealed(i) || c.kind.running(i) && c.giveShares(i)
}

// goesOn writes through node i and reads at every member.
func (c *Cluster) goesOn(i int) error {
	var name string
	var last error
	written := until(recovery, func() bool {
		c.signs++
		name = fmt.Sprintf("sign-of-life-%d", c.signs) // whether the last one was made is not known
		_, last = c.tryWithin(recovery, i, "POST", "/v1/keyquorum/apps", map[string]string{"name": name},
			nil)
		return c.wellNow(i, last)
	})
	if !written {
		return fmt.Errorf("no write through node %d is acknowledged within %v: %w", i, recovery, last)
	}
	for _, j := range c.members() {
		read := until(recovery, func() bool {
			var status int
			status, last = c.tryWithin(recovery, j, "GET", "/v1/keyquorum/apps/"+name, nil, nil)
			return status == 404 || c.wellNow(j, last)
		})
		if !read || last != nil {
			return fmt.Errorf("node %d does not read within %v what was written through node %d: %w", j,
				recovery, i, last)
		}
	}
	return nil
}

// standing is what the members say of themselves.
func (c *Cluster) standing() string {
	var all []string
	for _, i := range c.members() {
		sealed, err := c.sealed(i)
		switch {
		case !c.kind.running(i):
			err = errors.New("does not run")
		case err == nil && sealed:
			err = errors.New("is sealed")
		case err == nil && c.leads(i):
			err = errors.New("leads")
		case err == nil:
			err = errors.New("follows")
		}
		all = append(all, fmt.Sprintf("node %d: %v", i, err))
	}
	return strings.Join(all, "; ")
}

// wellNow says whether a node has answered well, and unseals one that was asked to seal itself
// before it was unsealed, and did so afterwards.
func (c *Cluster) wellNow(i int, err error) bool {
	if err != nil && c.sealsLate[i] {
		c.unsealAgain(i)
	}
	return err == nil
}
