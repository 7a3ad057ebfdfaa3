package node_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"keyquorum/node"
	"keyquorum/vault"
)

// makeVaults has a node make vaults, with a number behind the name.
func (s *site) makeVaults(i int, name string, n int) {
	s.t.Helper()
	v, o := s.operator(i)
	for k := range n {
		_, err := v.CreateVault(s.t.Context(), o, fmt.Sprint(name, k), 90, false)
		must(s.t, err)
	}
}

// hasVault says whether a node has a vault, right now.
func (s *site) hasVault(i int, name string) bool {
	s.t.Helper()
	v, o := s.operator(i)
	_, err := v.GetVault(s.t.Context(), o, name)
	var refused *vault.Error
	if err != nil && !errors.As(err, &refused) {
		s.t.Fatal(err)
	}
	return err == nil
}

func (s *site) requireVault(want bool, name string, nodes ...int) {
	s.t.Helper()
	for _, i := range nodes {
		if s.hasVault(i, name) != want {
			s.t.Errorf("node %d has the vault %s: %v", i, name, !want)
		}
	}
}

// snapshot saves one at a node, and reads it back.
func (s *site) snapshot(i int) *node.SnapshotFile {
	s.t.Helper()
	saved, err := s.nodes[i].Snapshot(s.t.Context())
	must(s.t, err)
	var file bytes.Buffer
	must(s.t, saved.Write(&file))
	read, err := node.ReadSnapshot(&file, 1<<30)
	must(s.t, err)
	return read
}

// staged says whether a node's state holds records that wait for a restore.
func (s *site) staged(i int) bool {
	for range s.nodes[i].View().Staged {
		return true
	}
	return false
}

// requireOpens opens every record of a snapshot.
func (s *site) requireOpens(file *node.SnapshotFile) {
	s.t.Helper()
	for _, share := range s.shares[:2] {
		_, err := file.Share(share)
		must(s.t, err)
	}
	_, err := file.OpenAll(s.t.Context(), untold)
	must(s.t, err)
}

func untold(int) {}

// When a restore has returned, every node shows what it brought, and nothing else; and the next one
// can be made by another.
func TestRestoreIsEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		s.makeVaults(0, "kept", 2)
		before := s.snapshot(1)
		s.makeVaults(1, "since", 2)
		after := s.snapshot(2)
		done, err := s.nodes[2].Restore(t.Context(), before, untold)
		must(t, err)
		if done.Number != 1 || done.Records == 0 {
			t.Errorf("%+v", done)
		}
		s.requireVault(true, "kept1", 0, 1, 2)
		s.requireVault(false, "since1", 0, 1, 2)
		s.requireWrites("written", 0, 1, 2)
		done, err = s.nodes[0].Restore(t.Context(), after, untold)
		must(t, err)
		if done.Number != 2 {
			t.Errorf("%+v", done)
		}
		s.requireVault(true, "since1", 0, 1, 2)
		s.requireVault(false, "written1", 0, 1, 2)
		if s.staged(0) {
			t.Error("something is still staged")
		}
		s.requireOpens(s.snapshot(1))
	})
}

// A snapshot of before a rekey and a rotation is this cluster's, and is restored under the keys of
// now.
func TestRestoreUnderOtherKeys(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		s.makeVaults(0, "kept", 1)
		before := s.snapshot(0)
		shares := s.rekey(1, 3, 2, false)
		s.awaitTerm(2, 0, 1, 2)
		s.makeVaults(0, "since", 1)
		_, err := s.nodes[1].Restore(t.Context(), before, untold)
		must(t, err)
		s.requireVault(true, "kept0", 0, 1, 2)
		s.requireVault(false, "since0", 0, 1, 2)
		must(t, s.nodes[2].Seal(t.Context()))
		if s.opens(2, s.shares[:1]...) || !s.opens(2, shares[:2]...) {
			t.Error("the shares are not those of now")
		}
		s.requireVault(true, "kept0", 2)
	})
}

// Whoever restores and dies half-way has restored nothing, and what is left of it goes away.
func TestRestoreThatDies(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		leader := s.startWith(func(_ int, c *node.Config) { c.Timing.Rest = time.Second })
		dies, other := (leader+1)%3, (leader+2)%3
		s.makeVaults(leader, "kept", 70)
		before := s.snapshot(leader)
		s.makeVaults(leader, "since", 1)
		begun, ended := make(chan struct{}), make(chan error)
		var once sync.Once
		go func() {
			_, err := s.nodes[dies].Restore(context.Background(), before, func(records int) {
				if records > 64 { // the first of them are there
					once.Do(func() { close(begun) })
				}
				time.Sleep(time.Second)
			})
			ended <- err
		}()
		<-begun
		s.stop(dies)
		if err := <-ended; err == nil {
			t.Error("a node that was stopped restores")
		}
		s.requireVault(true, "since0", leader, other)
		if !s.staged(leader) {
			t.Error("nothing was staged: the test is none")
		}
		s.requireOpens(s.snapshot(leader))
		s.await("the leader cleans up", func() bool { return !s.staged(leader) && !s.staged(other) })
		s.requireVault(true, "since0", leader, other)
	})
}

// A restore goes on under another leader. Of the writes beside it those before the entry are gone
// and those after it stay, the same on all nodes.
func TestRestoreAcrossLeaders(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		s.makeVaults(0, "kept", 70)
		before := s.snapshot(0)
		var once sync.Once
		var beside sync.WaitGroup
		over := make(chan struct{})
		var names []string
		beside.Go(func() {
			v, o := s.operator(1)
			for k := 0; ; k++ {
				select {
				case <-over:
					return
				case <-time.After(20 * time.Millisecond):
				}
				name := fmt.Sprint("beside", k)
				if _, err := v.CreateVault(t.Context(), o, name, 90, false); err == nil {
					names = append(names, name)
				}
			}
		})
		_, err := s.nodes[2].Restore(t.Context(), before, func(int) {
			once.Do(func() { must(t, s.nodes[s.leader()].StepDown(t.Context())) })
			time.Sleep(300 * time.Millisecond)
		})
		must(t, err)
		time.Sleep(time.Second)
		close(over)
		beside.Wait()
		s.requireVault(true, "kept69", 0, 1, 2)
		gone, stay := 0, 0
		for _, name := range names {
			there := s.hasVault(0, name)
			s.requireVault(there, name, 1, 2)
			switch {
			case there:
				stay++
			case stay > 0:
				t.Errorf("%s is gone, and one that was acknowledged before it is there", name)
			default:
				gone++
			}
		}
		if gone == 0 || stay == 0 {
			t.Errorf("%d are gone and %d stay: the test is none", gone, stay)
		}
	})
}

// Two restores at once: both may be made, one after the other, but never half of each.
func TestRestoresAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		s.makeVaults(0, "one", 70)
		first := s.snapshot(0)
		s.makeVaults(0, "two", 1)
		second := s.snapshot(0)
		s.makeVaults(0, "three", 1)
		var both sync.WaitGroup
		var errs [2]error
		for i, file := range []*node.SnapshotFile{first, second} {
			both.Go(func() { _, errs[i] = s.nodes[i].Restore(t.Context(), file, untold) })
		}
		both.Wait()
		for _, err := range errs {
			if err != nil && !errors.Is(err, node.ErrRestoredMeanwhile) {
				t.Error(err)
			}
		}
		if errs[0] != nil && errs[1] != nil {
			t.Error("none was made")
		}
		s.requireVault(true, "one69", 0, 1, 2)
		s.requireVault(false, "three0", 0, 1, 2)
		s.requireVault(s.hasVault(0, "two0"), "two0", 1, 2)
	})
}
