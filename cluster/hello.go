package cluster

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/cluster/calls"
	"keyquorum/cluster/lives"
	"keyquorum/cluster/port"
	"keyquorum/internal/address"
)

// Members say hello: at their start to all, once a second to one after the other, and for each of
// Raft's connections, at both of its ends: the connection is used when a hello that was said after
// it was opened has been accepted by the other side. So nothing of Raft's goes between two members
// before the one has told the other in which life it is, and that one has found nothing against it;
// and a machine that was rolled back, all of whose connections are dead, says hello before its next
// message. Elections wait for none of it: their connections are opened before (raftfix/spares.go).
// What is said, and how it is judged, is in package lives.

// hears is this member as the one to whom hello is said.
type hears struct {
	mu   sync.RWMutex
	book lives.Book
}

func (h *hears) speaks(peer port.Peer) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.book.Speaks(peer.Node, peer.Life)
}

func (h *hears) listen(from string, r lives.Hello) lives.Judgement {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.book.Listen(from, r, time.Now())
}

// serveHello is served to whoever has a certificate and was not removed: a member that was away may
// not know its leader yet.
func (c *Cluster) serveHello(
	ctx context.Context, from string, r lives.Hello,
) (lives.Answer, error) {
	if !r.WellFormed(calls.Asker(ctx).Life) {
		return lives.Answer{}, errBadCall
	}
	judged := c.hears.listen(from, r)
	if word, heard := judged.Answer.Word, judged.Answer.Heard; word != "" {
		if judged.Named {
			c.accuse(from, diskDeed(word), "life", r.Said.Life.Count,
				"heard of", heard.Life.Count, "which had applied", heard.Applied)
		}
		return judged.Answer, nil
	}
	c.noteAddress(from, r.Address)
	if judged.Begun {
		if err := c.keepKnown(ctx); err != nil { // what is forgotten can't be held against a disk
			return lives.Answer{}, err
		}
		c.cutOlder(from, r.Said.Life)
	}
	return judged.Answer, nil
}

// HasHeard says whether a member has ever said hello here, in this life of this member or an earlier
// one.
func (c *Cluster) HasHeard(nodeID string) bool {
	c.hears.mu.RLock()
	defer c.hears.mu.RUnlock()
	return c.hears.book.Knows(nodeID)
}

// cutOlder closes the connections with a node in another life than one that has just begun: those
// that it dialled, and those to it that are older.
func (c *Cluster) cutOlder(nodeID string, life lives.ID) {
	now := time.Now()
	c.cut(func(l port.Link) bool {
		older := l.Life.Count > 0 && l.Life != life
		return l.Node == nodeID && (older || l.Dialled && now.Sub(l.Opened) > time.Second)
	})
}

// noteAddress keeps where a member says that it is, unless that is known.
func (c *Cluster) noteAddress(nodeID, at string) {
	if address.Reachable(at) != nil || slices.Contains(c.addresses(nodeID), at) {
		return
	}
	c.moved.set(nodeID, at)
}

var (
	keyLives = []byte("keyquorum/lives")
	keyTerm  = []byte("CurrentTerm") // Raft's
)

// beginLife comes before anything else: who was an outcast is one.
func (c *Cluster) beginLife() error {
	stable := c.Store.Stable()
	last, err := c.Store.Logs().LastIndex()
	if err != nil {
		return err
	}
	snapshot, _ := c.Store.NewestSnapshot()
	term, err := stable.GetUint64(keyTerm)
	if err != nil && err.Error() != notFound {
		return err
	}
	kept, err := stored(stable, keyLives)
	if err != nil {
		return err
	}
	d, err := lives.Begin(kept, max(last, snapshot), term)
	if err == nil {
		err = keepDiary(stable, d)
	}
	if err != nil {
		return err
	}
	c.greets.self = lives.Self{Node: c.id, Diary: d}
	if d.Out != "" {
		o := &outcast{diskDeed(d.Out), c.id}
		c.out.Store(o)
		c.logger.Error("this node takes no part in the cluster", "why", o)
	}
	return nil
}

func keepDiary(stable raft.StableStore, d lives.Diary) error {
	b, err := d.Encode()
	if err != nil {
		return err
	}
	return stable.Set(keyLives, b)
}

// notFound is how Raft's stores say that there is no such value.
const notFound = "not found"

// stored is what the folder has under a key; nil where it has nothing.
func stored(stable raft.StableStore, key []byte) ([]byte, error) {
	b, err := stable.Get(key)
	if err != nil && err.Error() == notFound {
		return nil, nil
	}
	return b, err
}
