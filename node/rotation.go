package node

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"time"
)

// A Rotation says where the change of one of the cluster's keys stands.
type Rotation struct {
	ID      string    // of the newest key: a number, or the beginning of a hash
	Since   time.Time // zero: not known
	Older   int       // keys that are still good for what they were used for
	Step    string    // what is done now, "" for nothing
	Waiting []Laggard // members that have yet to follow
}

// A Laggard is a member that others wait for, unless it is away.
type Laggard struct {
	NodeID, Label string
	Answers       bool
}

// KeyringRotation describes the keyring. There is nothing to wait for: whoever meets a new term has
// it already.
func (n *Node) KeyringRotation() (Rotation, error) {
	s, err := n.KeyStatus()
	if err != nil {
		return Rotation{}, err
	}
	return Rotation{ID: strconv.Itoa(int(s.Term)), Since: s.Since, Older: s.Older}, nil
}

// laggards are the members that have not followed, or do not answer.
func laggards(s Survey, followed func(Peer) bool) (list []Laggard) {
	for _, p := range s.Members {
		if !p.Answers || !followed(p) {
			list = append(list, laggard(p))
		}
	}
	return list
}

func laggard(p Peer) Laggard {
	return Laggard{NodeID: p.ID, Label: p.Status.About.Label, Answers: p.Answers}
}

func anyAnswers(list []Laggard) bool {
	return slices.ContainsFunc(list, func(l Laggard) bool { return l.Answers })
}

// Members follow what the state says of keys, and the leader takes the next step of a change. Both
// look now and then: nobody waits for a change but whoever asked for it.
const (
	followRest = 500 * time.Millisecond
	followWait = 5 * time.Second // for one attempt, and between two that failed at most
)

// followKeys ends with the node. It is for each member, sealed or not: once for the gossip keys and
// once for the nodes' own, so that neither waits for the other. What a state says that is being
// read from the log again is long over, so it begins where the others are.
func (n *Node) followKeys(m *member, follow func(context.Context, *member) error) {
	begun := false
	for rest := followRest; ; {
		select {
		case <-time.After(rest):
		case <-n.ctx.Done():
			return
		}
		if !begun {
			begun = m.cluster.CaughtUp()
			continue
		}
		ctx, cancel := context.WithTimeout(n.ctx, followWait)
		err := follow(ctx, m)
		cancel()
		if err == nil {
			rest = followRest
			continue
		}
		rest = min(2*rest, followWait)
		if rest == followWait && n.ctx.Err() == nil { // at first it may ask those who have yet to follow
			n.logger().Warn("this node does not follow the cluster's keys; trying again", "error", err)
		}
	}
}

// driveKeys ends with the keys. It is there for each kind of key, as followKeys is, and for nodes
// that are expected.
func (n *Node) driveKeys(m *member, k *keys, drive func(context.Context, *member) error) {
	for {
		select {
		case <-time.After(followRest):
		case <-k.working.Done():
			return
		}
		if !m.cluster.Standing().Leads {
			continue
		}
		ctx, cancel := context.WithTimeout(k.working, followWait)
		err := drive(ctx, m)
		cancel()
		if err != nil && k.working.Err() == nil && !errors.Is(err, ErrUnavailable) {
			n.logger().Warn("the leader's work on keys and joining nodes does not go on; trying again",
				"error", err)
		}
	}
}
