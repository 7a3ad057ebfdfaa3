package cluster

import (
	"context"
	"errors"
	"sync"
	"time"
)

// A member that is short of disk space decides no write any more, hands its office over, and tells
// the others each second. Where those that have room are no majority of the voters, nobody decides
// one: a log that goes on growing would end members until there is no majority, and with that the
// reads. Each member judges that by itself, by what it was told. What frees room, or takes a right
// away, is done all the same (package vault says what that is): the reserve is for it.

var (
	// ErrNoRoomHere: this member is short of disk space, so it decides no writes.
	ErrNoRoomHere = errors.New("cluster: this node is short of disk space")
	// ErrNoRoom: the voters that have disk space left are no majority, so nobody decides writes.
	ErrNoRoom = errors.New("cluster: too few nodes have disk space left")
)

// shortFor is for how long a member counts as short after it said so: it says so each second.
const shortFor = 5 * time.Second

// rooms is what members said of their disks.
type rooms struct {
	mu    sync.Mutex
	short map[string]time.Duration // node id → until when, on the lease clock

	told bool // that this one is short; tellRoom's alone
}

func (r *rooms) set(nodeID string, short bool, until time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.short == nil {
		r.short = map[string]time.Duration{}
	}
	if delete(r.short, nodeID); short {
		r.short[nodeID] = until
	}
}

func (r *rooms) isShort(nodeID string, now time.Duration) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return now < r.short[nodeID]
}

// NoRoom is why this member decides no writes, ErrNoRoomHere or ErrNoRoom; nil while it does. It
// answers from memory.
func (c *Cluster) NoRoom() error {
	if c.shortHere() != nil {
		return ErrNoRoomHere
	}
	voters, roomy := 0, 0
	for _, m := range c.View().Members() {
		if !m.Voter {
			continue
		}
		voters++
		if !c.rooms.isShort(m.ID, c.clock()) {
			roomy++
		}
	}
	if roomy < voters/2+1 && voters > 0 {
		return ErrNoRoom
	}
	return nil
}

// shortHere says in the node's words why this member is short; nil while it has room.
func (c *Cluster) shortHere() error {
	if c.Short == nil {
		return nil
	}
	return c.Short()
}

type roomCall struct {
	_     struct{} `cbor:",toarray"`
	Short bool     // the asker is
}

type roomAnswer struct {
	_ struct{} `cbor:",toarray"`
}

// serveRoom hears a member about itself.
func (c *Cluster) serveRoom(_ context.Context, from string, r roomCall) (roomAnswer, error) {
	c.rooms.set(from, r.Short, c.clock()+shortFor)
	return roomAnswer{}, nil
}

// tellRoom tells all others, at the same time, that this member is short, and once that it has room
// again: who misses that finds it out when nothing more is said.
func (c *Cluster) tellRoom(ctx context.Context) {
	short := c.shortHere() != nil
	if !short && !c.rooms.told {
		return
	}
	c.rooms.told = short
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var told sync.WaitGroup
	for _, m := range c.View().Members() {
		if m.ID == c.id {
			continue
		}
		told.Go(func() {
			_, _ = ask[roomCall, roomAnswer](ctx, c, m.ID, pathRoom, roomCall{Short: short})
		})
	}
	told.Wait()
}
