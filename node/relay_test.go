package node_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"testing"

	"keyquorum/cluster"
	"keyquorum/node"
	"keyquorum/seal"
)

// A share that waits for a member is for that member, once, and while it collects shares of the
// same generation. What travels opens for nobody else.
func TestRelayedShareIsForOneMember(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		n := s.nodes[0]
		file := filepath.Join(s.root, "host0/cluster/seal.record")
		record, err := seal.DecodeRecord(readFile(t, file))
		must(t, err)
		share := s.shares[0]
		fetch := func(from string, generation uint64, opens string) error {
			q, err := seal.NewShareRequest(record.Lock, opens)
			must(t, err)
			r := cluster.ShareFetch{Ticket: n.PostShare("a", record.Lock, share),
				Generation: generation, Public: q.Public()}
			sealed, err := n.HandShare(from, r)
			if err != nil {
				return err
			}
			if _, again := n.HandShare(from, r); again == nil {
				t.Error("a share is given twice under one ticket")
			}
			got, err := q.Share(sealed)
			if err == nil && !bytes.Equal(got, share) {
				t.Error("another share came")
			}
			return err
		}
		must(t, fetch("a", 1, "a"))
		for what, err := range map[string]error{
			"another member":               fetch("b", 1, "b"),
			"one that is named as another": fetch("a", 1, "b"),
		} {
			if err == nil {
				t.Errorf("a share for a is given to %s", what)
			}
		}
		if err := fetch("a", 2, "a"); !errors.Is(err, cluster.ErrOtherShares) {
			t.Errorf("to one that collects others: %v", err)
		}
		if _, err := n.HandShare("a", cluster.ShareFetch{Generation: 1}); err == nil {
			t.Error("a share is given without a ticket")
		}
	})
}

// Whoever has the lock can tell a good share, and says which it is.
func TestCheckShare(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		lock, err := s.nodes[0].SealLock()
		must(t, err)
		for i, share := range s.shares {
			got, err := node.CheckShare(lock, share)
			want := node.CheckedShare{Number: i + 1, Shares: 3, Threshold: 2, Generation: 1}
			if err != nil || got != want {
				t.Errorf("share %d: %+v, %v", i+1, got, err)
			}
		}
		wrong := bytes.Clone(s.shares[0])
		wrong[9] ^= 1
		for _, bad := range [][]byte{wrong, wrong[:20], nil} {
			if _, err := node.CheckShare(lock, bad); !node.IsBadShare(err) {
				t.Errorf("a wrong share of %d bytes: %v", len(bad), err)
			}
		}
		if _, err := node.CheckShare(lock[:20], s.shares[0]); !errors.Is(err, seal.ErrLock) {
			t.Errorf("a lock that is none: %v", err)
		}
	})
}
