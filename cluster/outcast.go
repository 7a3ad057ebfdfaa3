package cluster

import (
	"slices"

	"keyquorum/cluster/lives"
	"keyquorum/cluster/port"
)

// A member whose disk is not what it was must not go on: a vote that it has forgotten it would give
// twice, and an entry that it has forgotten was counted on. It learns of it from the others
// (hello.go), by proof, and stops taking part in anything, for good: its folder remembers.

// What a disk does, and no thief.
var (
	deedPutBack = deed{string(lives.PutBack), "came back with a data folder from an earlier moment, " +
		"put back or copied: it has forgotten what it had stored, and takes no part"}
	deedCopied = deed{string(lives.Copied), "was started a second time, on a copy of its data " +
		"folder: the process on the copy takes no part"}
	deedRolledBack = deed{string(lives.RolledBack), "runs on a machine that was set back to an " +
		"earlier moment: it has forgotten what it had stored, and takes no part"}
)

var diskDeeds = []deed{deedPutBack, deedCopied, deedRolledBack}

// isDiskDeed says whether a word is that of such a deed.
func isDiskDeed(word string) bool {
	return slices.ContainsFunc(diskDeeds, func(d deed) bool { return d.word == word })
}

// diskDeed is the deed with a word that is one's.
func diskDeed(word lives.Word) deed {
	i := slices.IndexFunc(diskDeeds, func(d deed) bool { return d.word == string(word) })
	return diskDeeds[max(i, 0)]
}

// Advice is what to do about an accusation, as a sentence.
func (a Accusation) Advice() string {
	switch a.Deed {
	case deedCopied.word:
		return "Stop the process on the copy and empty its folder; " +
			"to have one node more, join it with an empty folder."
	case deedPutBack.word, deedRolledBack.word:
		return "Remove it (keyquorum operator raft remove-peer " + a.Node +
			") and join it anew with an empty folder."
	}
	return "If its disk or its key was stolen, remove it."
}

// An outcast says why this member takes no part. It is an ErrDiverged.
type outcast struct {
	deed deed
	node string
}

func (o *outcast) Error() string {
	cure := "remove it from the cluster (keyquorum operator raft remove-peer " + o.node +
		", at another node), and join it anew with an empty folder"
	switch o.deed.word {
	case deedCopied.word:
		return "cluster: this node was started on a copy of a data folder on which another " +
			"process runs, so it takes no part: stop it and empty its folder; " +
			"to have one node more, join it with an empty folder"
	case deedRolledBack.word:
		return "cluster: this node's machine was set back to an earlier moment, " +
			"so it takes no part: " + cure
	}
	return "cluster: this node's data folder was put back or copied from an earlier moment, " +
		"so it takes no part: " + cure
}

// Is has callers treat it as any other state that nobody may be shown.
func (o *outcast) Is(target error) bool { return target == ErrDiverged }

// stopTakingPart ends this member's part in everything but hellos and the answer to how it is.
func (c *Cluster) stopTakingPart(word lives.Word, by string) {
	o := &outcast{diskDeed(word), c.id}
	if !c.out.CompareAndSwap(nil, o) {
		return
	}
	c.logger.Error("this node takes no part in the cluster any more", "why", o, "found by", by)
	c.greets.mu.Lock()
	c.greets.self.Diary.Out = word
	kept := c.greets.self.Diary
	c.greets.mu.Unlock()
	if err := keepDiary(c.Store.Stable(), kept); err != nil {
		c.logger.Error("that could not be written to its folder", "error", err)
	}
	c.cut(func(l port.Link) bool { return l.Protocol == port.Raft })
	c.gossip.FallSilent()
	if c.Diverged != nil {
		c.Diverged(o)
	}
	c.tasks.begin(c.greetAll) // so that all can name it
}
