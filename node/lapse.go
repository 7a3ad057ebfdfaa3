package node

import (
	"context"
	"strings"
	"time"

	"keyquorum/audit"
	"keyquorum/fsm"
)

// A node that was admitted may never come: its process was killed before it had its folder, and
// nobody started it again. It has no vote, so it stands in nobody's way but that of changes that
// wait for every member, as the authority's. Before it is admitted a record says that it is
// expected. The leader drops the record when it has heard of the node, and removes the node when it
// hears nothing for joinLapse. Then its id is dead, and a joiner takes another by itself (pending).

// expectedDir has a record for each node that is expected.
const expectedDir = "sys/joining/"

const (
	// joinLapse is how long an admitted node is waited for, by the clock of who admitted it.
	joinLapse = time.Hour
	// lapseDoubt is how long a leader has known of it then, at least: clocks may be wrong.
	lapseDoubt = time.Minute
)

// expected is what such a record holds, sealed.
type expected struct {
	_    struct{} `cbor:",toarray"`
	Time int64    // of the admission, Unix seconds
}

// expect notes that a node is about to be admitted.
func (n *Node) expect(ctx context.Context, m *member, k *keys, nodeID string) error {
	return m.change(ctx, fsm.Ordinary, func(view fsm.View, txn *fsm.Txn) error {
		if err := k.refresh(view); err != nil {
			return err
		}
		return putSealed(txn, view, k.keyring, expectedDir+nodeID,
			expected{Time: n.config.Now().Unix()})
	})
}

// An expectation is one leader's part in this: since when it has known of each node that is
// expected.
type expectation struct {
	n     *Node
	k     *keys
	since map[string]time.Time
}

// drive looks after all who are expected. The leader does it.
func (e *expectation) drive(ctx context.Context, m *member) error {
	view := m.cluster.View()
	known := map[string]time.Time{}
	for path := range view.Scan(expectedDir, "") {
		id := strings.TrimPrefix(path, expectedDir)
		if known[id] = e.since[id]; known[id].IsZero() {
			known[id] = time.Now()
		}
		if err := e.look(ctx, m, view, id, known[id]); err != nil {
			return err
		}
	}
	e.since = known
	return nil
}

// look drops the record of a node that has come, or is gone, and removes one that is overdue.
func (e *expectation) look(
	ctx context.Context, m *member, view fsm.View, id string, since time.Time,
) error {
	known, isMember := view.Members().Find(id)
	if isMember && (known.Voter || id == m.identity.NodeID || m.cluster.HasHeard(id)) {
		return m.expectNoMore(ctx, id)
	}
	record, _, err := openSealed[expected](e.k, view, expectedDir+id)
	if err != nil {
		return err
	}
	age := e.n.config.Now().Sub(time.Unix(record.Time, 0))
	if age < joinLapse || time.Since(since) < lapseDoubt {
		return nil // also where it is no member: it may be about to be admitted
	}
	if isMember {
		if err := e.remove(ctx, m, id); err != nil {
			return err
		}
	}
	return m.expectNoMore(ctx, id)
}

func (e *expectation) remove(ctx context.Context, m *member, id string) error {
	begun := &audit.Entry{Time: e.n.config.Now(), Node: e.n.config.Label, Plane: "node",
		Operation: "raft/join-lapsed", Object: id, Status: 202}
	if err := e.n.audit.Write(begun); err != nil {
		return err
	}
	e.n.logger().Warn("a node was admitted and has never come, so it is removed; it may join again",
		"node", id, "waited", joinLapse)
	return m.cluster.Remove(ctx, id, nil)
}

func (m *member) expectNoMore(ctx context.Context, id string) error {
	return m.change(ctx, fsm.Ordinary, func(view fsm.View, txn *fsm.Txn) error {
		r, ok := view.Get(expectedDir + id)
		if !ok {
			return nil
		}
		txn.Conditions = append(txn.Conditions,
			fsm.Condition{Kind: fsm.Unchanged, Path: expectedDir + id, Index: r.Mod})
		txn.Writes = append(txn.Writes, fsm.Write{Path: expectedDir + id, Delete: true})
		return nil
	})
}
