package cluster

import (
	"errors"
	"time"
)

// Unfit is why this member answers nothing; nil while it may.
func (c *Cluster) Unfit() error { return c.unfit() }

// unfit is the reason for which this node must answer nothing at all.
func (c *Cluster) unfit() error {
	if err := c.broken(); err != nil {
		return err
	}
	if l := c.lackNow(); l != nil {
		return l
	}
	return nil
}

// broken is the reason that is this member's own: nobody who leads makes it fit.
func (c *Cluster) broken() error {
	if err := c.diverged.Load(); err != nil {
		return *err
	}
	if o := c.out.Load(); o != nil {
		return o
	}
	if c.Removed() {
		return ErrRemoved
	}
	if c.estranged() {
		return errEstranged
	}
	return nil
}

// whyNotLead is why this member had better not lead; nil when it may. It never waits.
func (c *Cluster) whyNotLead() error {
	if c.sealed.Load() {
		return errors.New("this node is sealed")
	}
	if err := c.broken(); err != nil { // what another leader lacks this one would not
		return err
	}
	if err := c.trouble(); err != nil {
		return err
	}
	return c.shortHere()
}

// touch is how long a leader may leave check-ins unanswered before its member counts as cut off.
// They are made several times a second.
const touch = 3 * time.Second

// OutOfTouch says that whoever leads does not answer this member, or that nobody does: it can write
// nothing, and reads no longer than its lease lasts. It answers from memory.
func (c *Cluster) OutOfTouch() bool {
	if c.leads() {
		return false
	}
	answered := time.Duration(c.leases.answered.Load())
	return c.leader() == "" || answered == 0 || c.clock()-answered > touch
}

// InTrouble is why requests would fail here although this member is fit: its disk hangs, or what is
// to be recorded can't be. It never waits.
func (c *Cluster) InTrouble() error { return c.trouble() }

func (c *Cluster) trouble() error {
	if lost := c.lost.Load(); lost != nil {
		return *lost
	}
	if err := c.transport.Stuck(); err != nil || c.Trouble == nil {
		return err
	}
	return c.Trouble()
}
