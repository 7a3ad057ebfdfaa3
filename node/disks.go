package node

import (
	"fmt"
	"time"
)

// A node that has less free than its reserve (Config.Reserve) on the disk of its data, or on that
// of its usage log, decides no writes any more. The reserve is for what goes on then: usage records
// of reads, entries that others decide, snapshots, a log that is written anew so that purged means
// gone, and what frees room.

// disksEvery is how often the disks are looked at.
const disksEvery = time.Second

// A Disk is one that a node writes on.
type Disk struct {
	Of   string // "data" or "usage_log"
	Free uint64 // bytes that this process may yet write
}

// Disks are those that a node writes on, as far as something is known of them.
type Disks struct {
	Known   []Disk
	Reserve uint64 // bytes, below which it decides no writes; 0: it decides them always
}

// disks are what was found, and what follows from it.
type disks struct {
	Disks
	short error // *ShortError; nil while there is room
}

// A ShortError says which disk is short, in words for operators.
type ShortError struct{ text string }

func (e *ShortError) Error() string { return e.text }

// short is why this node decides no writes by itself; nil while its disks have room. It never
// waits.
func (n *Node) short() error { return n.disks.Load().short }

// watchDisks ends with the node. A file system that does not answer leaves what was found before.
func (n *Node) watchDisks() {
	ticker := time.NewTicker(disksEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			n.lookAtDisks()
		case <-n.ctx.Done():
			return
		}
	}
}

// lookAtDisks measures, and tells when there is too little room, and when there is enough again.
func (n *Node) lookAtDisks() {
	before := n.disks.Load()
	wasShort := before != nil && before.short != nil
	now := n.measure(wasShort)
	n.disks.Store(now)
	switch {
	case now.short != nil && !wasShort:
		n.logger().Error("this node takes no writes until there is more room; reads go on",
			"because", now.short)
	case now.short == nil && wasShort:
		n.logger().Info("there is room again: this node takes writes")
	}
}

// measure asks for more than the reserve to end a shortage, an eighth on top, so that it does not
// come and go with every line that is written.
func (n *Node) measure(wasShort bool) *disks {
	found := &disks{Disks: Disks{Reserve: n.config.Reserve}}
	least := n.config.Reserve
	if wasShort {
		least += least / 8
	}
	for _, disk := range []struct{ of, path string }{
		{"data", n.config.Dir}, {"usage_log", n.config.usageLog()},
	} {
		free, err := n.config.Free(disk.path)
		if err != nil {
			continue // nothing is known, and whoever writes there finds out what is wrong
		}
		found.Known = append(found.Known, Disk{disk.of, free})
		if free < least && found.short == nil {
			found.short = &ShortError{fmt.Sprintf("%s has %d MiB free, and %d MiB are kept in reserve",
				disk.path, free>>20, n.config.Reserve>>20)}
		}
	}
	return found
}
