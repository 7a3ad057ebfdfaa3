package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/fsm"
	"keyquorum/vault"
)

// A Drill says what came of a recovery that was tried.
type Drill struct {
	Census  Census // of what was recovered
	Opened  int    // sealed records in it, which all open
	Unseals time.Duration
}

// Drill tries whether a remnant makes a cluster that serves. It recovers it into a scratch folder,
// runs the one member there on this machine's loopback, unseals it with the shares, reads all and
// writes once. shares are as many as unseal a node; they stay the caller's to erase, as the folder
// is the caller's to remove. The error says what a recovery would fail at.
func (r *Remnant) Drill(ctx context.Context, dir string, shares [][]byte) (Drill, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return Drill{}, err
	}
	defer listener.Close() // where no node was opened that closes it
	before := r.fsm.View()
	to := Recovery{Dir: dir, ClusterAddr: listener.Addr().String(), Now: time.Now()}
	if _, err := r.Recover(to); err != nil {
		return Drill{}, err
	}
	n, err := Open(Config{
		Dir: dir, Label: "drill", ClusterAddr: to.ClusterAddr, ClusterListener: listener,
		Audit: nowhere{}, Logger: hclog.NewNullLogger(),
		Timing: Timing{ // nobody else could lead
			Heartbeat: 20 * time.Millisecond, Election: 30 * time.Millisecond,
			LeaderLease: 20 * time.Millisecond,
		},
	})
	if err != nil {
		return Drill{}, fmt.Errorf("the recovered node does not start: %w", err)
	}
	defer n.Close(ctx)
	begun := time.Now()
	if err := n.open(ctx, shares); err != nil {
		return Drill{}, fmt.Errorf("the recovered node is not unsealed: %w", err)
	}
	d := Drill{Unseals: time.Since(begun)}
	if err := n.holds(ctx, before, &d); err != nil {
		return Drill{}, err
	}
	if _, err := n.RotateKeyring(ctx); err != nil {
		return Drill{}, fmt.Errorf("the recovered node writes nothing: %w", err)
	}
	return d, nil
}

// nowhere is the usage log of a node that nobody asks anything.
type nowhere struct{}

func (nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (nowhere) Sync() error                 { return nil }
func (nowhere) Close() error                { return nil }

// open gives a node its shares.
func (n *Node) open(ctx context.Context, shares [][]byte) error {
	s := n.SealStatus()
	for _, share := range shares {
		var err error
		if s, err = n.Unseal(ctx, share); err != nil {
			return err
		}
	}
	for s.Sealed { // a large state takes its time: the folder is rewritten first
		if !s.Opening {
			return errors.New("the shares are too few")
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
		s = n.SealStatus()
	}
	return nil
}

// holds compares what the node serves with the state that it was made of, and opens all of it.
func (n *Node) holds(ctx context.Context, before fsm.View, d *Drill) error {
	var after fsm.View
	m, k := n.member.Load(), n.keys.Load()
	if k == nil {
		return ErrSealed
	}
	if _, err := m.cluster.Read(ctx, true, func(v fsm.View) { after = v }); err != nil {
		return fmt.Errorf("the recovered node reads nothing: %w", err)
	}
	d.Census = vault.Count(after)
	for path, was := range before.Scan("", "") {
		if path == pathKeyring || path == fsm.PathKeys || path == fsm.PathMembers {
			continue // a recovery changes these
		}
		is, ok := after.Get(path)
		if !ok || is.Logical != was.Logical || !bytes.Equal(is.Value, was.Value) {
			return fmt.Errorf("the record %s is not what it was", path)
		}
		sealed, err := k.opens(path, is)
		if err != nil {
			return fmt.Errorf("the record %s does not open: %w", path, err)
		}
		if sealed {
			d.Opened++
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
