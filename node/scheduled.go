package node

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"keyquorum/audit"
	"keyquorum/node/archive"
	"keyquorum/node/schedule"
)

// Snapshots that nobody asks for (Config.Snapshots). The leader takes them, if it is unsealed. It
// knows that it leads by Raft's lease: one that a majority does not answer ceases to, so that two
// believe it for no longer than that, and what they could do then package schedule stands.

// Scheduled is how it goes with one store of scheduled snapshots.
type Scheduled = schedule.Figures

// ChangeSnapshots gives the node another schedule.
func (n *Node) ChangeSnapshots(plan schedule.Plan) { n.schedule.Change(plan) }

// takeScheduled ends when the node is sealed or closed.
func (n *Node) takeScheduled(m *member, k *keys) {
	n.schedule.Run(k.working, m.identity.ClusterID, scheduled{n, m})
}

// Scheduled tells of each store of the schedule if this node leads: nobody else looks after them.
func (n *Node) Scheduled() []Scheduled {
	m := n.member.Load()
	if m == nil || n.keys.Load() == nil || !m.cluster.Standing().Leads {
		return nil
	}
	return n.schedule.Figures()
}

// scheduled is a node as its schedule sees it.
type scheduled struct {
	*Node
	m *member
}

func (s scheduled) WhileLeading(ctx context.Context) (context.Context, func(), bool) {
	return s.m.cluster.WhileLeading(ctx)
}

// History goes by what the state says of both. Each recovery makes a transaction key of its own; a
// rotation of the keyring makes another one, so then there is a snapshot more.
func (s scheduled) History() (h schedule.History) {
	view := s.m.cluster.View()
	if h.Generation = view.Generation(); h.Generation > 0 {
		key := sha256.Sum256(view.Line().Newest().Public)
		h.Recovered = hex.EncodeToString(key[:4])
	}
	last, _ := view.Restored()
	h.Restores = last.Number
	return h
}

// Take records that it begins: no answer could be held back where the record can't be written.
func (s scheduled) Take(ctx context.Context, name schedule.Name, store string) (schedule.Snapshot,
	error) {
	t := &taken{log: s.audit, now: s.config.Now, begun: time.Now(), entry: audit.Entry{
		Time: s.config.Now(), RequestID: rand.Text(), Node: s.config.Label, Plane: "node",
		Operation: "snapshots/keep", Object: name.String(), Detail: store, Status: 202,
	}}
	if err := t.log.Write(&t.entry); err != nil {
		return nil, fmt.Errorf("the usage record can't be written: %w", err)
	}
	var err error
	if t.Snapshot, err = s.Snapshot(ctx); err != nil {
		return nil, errors.Join(err, t.Ended(err))
	}
	return t, nil
}

// taken is a snapshot that is to be kept.
type taken struct {
	Snapshot
	log   *audit.Log
	now   func() time.Time
	begun time.Time
	entry audit.Entry
}

// Check reads a file to its last byte. It is this snapshot's if it says so and its checksums are
// right: the digest of the state is among what they are of.
func (t *taken) Check(r io.Reader) error {
	a, err := archive.Read(r, math.MaxInt64, func(_ archive.Meta, state io.Reader) error {
		_, err := io.Copy(io.Discard, state)
		return err
	})
	if err != nil {
		return err
	}
	if a.Meta.Digest != t.Meta.Digest || a.Meta.Index != t.Meta.Index ||
		a.Meta.Cluster != t.Meta.Cluster {
		return fmt.Errorf("it is the snapshot of index %d, and that of %d was written", a.Meta.Index,
			t.Meta.Index)
	}
	return nil
}

// Ended records how it ended.
func (t *taken) Ended(err error) error {
	t.entry.Time, t.entry.Duration, t.entry.Status = t.now(), time.Since(t.begun), 200
	if err != nil {
		t.entry.Status, t.entry.Code = 500, "SnapshotFailed"
	}
	return t.log.Write(&t.entry)
}
