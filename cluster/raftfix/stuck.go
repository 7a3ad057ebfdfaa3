package raftfix

import (
	"errors"
	"time"
)

// A leader whose disk hangs would lead on: Raft's main loop waits for its log, so it can't step
// down, but its heartbeats come from elsewhere and go on, so nobody replaces it, and no write gets
// anywhere. So Raft's messages from a node whose disk has not done a commit for so long are not
// sent: its followers miss it and elect another. Only time rests on it. When the disk goes on, Raft
// learns of the new term and follows.

// stuckAfter is how long a commit to the log may take before its node counts as stuck. Disks that
// are merely slow, a laptop's that spins up too, take less; whoever writes waits for it anyway.
const stuckAfter = 2 * time.Second

var errStuck = errors.New(
	"raftfix: this node's disk hangs, so it sends nothing that would keep it in office")

// Stuck says so of this node's disk; nil while it works.
func (t *Transport) Stuck() error {
	if t.config.Waiting() > stuckAfter {
		return errStuck
	}
	return nil
}
