package node_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"keyquorum/node"
	"keyquorum/seal"
	"keyquorum/vault"
)

// An applicant is an application that may do everything in a vault, at any node.
type applicant struct {
	*site
	vault  string
	id     string
	secret seal.Plaintext
}

// applicant makes one, and its vault.
func (s *site) applicant(name string) *applicant {
	s.t.Helper()
	v, o := s.operator(0)
	_, err := v.CreateVault(s.t.Context(), o, name, 90, false)
	must(s.t, err)
	app, err := v.CreateApp(s.t.Context(), o, name)
	must(s.t, err)
	_, err = v.SetGrant(s.t.Context(), o, name, name, []string{"all"}, []string{"all"})
	must(s.t, err)
	made, err := v.AddCredential(s.t.Context(), o, name, 0)
	must(s.t, err)
	return &applicant{s, name, app.ClientID, made.Secret}
}

// at is the application at a node.
func (a *applicant) at(i int) (*vault.Vaults, vault.Caller) {
	a.t.Helper()
	v, err := a.nodes[i].Vaults()
	must(a.t, err)
	const zone = "vault.test"
	token, _, err := v.IssueToken(a.t.Context(), vault.TokenRequest{ClientID: a.id, Secret: a.secret,
		Audience: "https://" + zone})
	must(a.t, err)
	who, err := v.Authenticate(a.t.Context(), []byte(token), zone)
	must(a.t, err)
	return v, vault.Caller{Vault: a.vault, Identity: who}
}

// lose sets a secret so many times, and purges it after a snapshot.
func (a *applicant) lose(n int) (before *node.SnapshotFile, versions []string) {
	a.t.Helper()
	v, c := a.at(0)
	for i := range n {
		s, err := v.SetSecret(a.t.Context(), c, "s", seal.Plaintext(fmt.Sprint(i)), vault.Change{})
		must(a.t, err)
		versions = append(versions, s.Version)
	}
	before = a.snapshot(0)
	_, err := v.DeleteSecret(a.t.Context(), c, "s")
	must(a.t, err)
	must(a.t, v.PurgeSecret(a.t.Context(), c, "s"))
	return before, versions
}

// bringBack brings the secret back by a node.
func (a *applicant) bringBack(i int, file *node.SnapshotFile) error {
	a.t.Helper()
	v, o := a.operator(i)
	past, done, err := a.nodes[i].Past(file)
	if err != nil {
		return err
	}
	defer done()
	_, err = v.BringBackObject(context.Background(), o, past,
		vault.ObjectRef{Vault: a.vault, Type: "secrets", Name: "s"})
	return err
}

// requireWhole looks for all versions at all nodes that run, right now.
func (a *applicant) requireWhole(versions []string) {
	a.t.Helper()
	for i := range a.nodes {
		if a.nodes[i] == nil {
			continue
		}
		v, c := a.at(i)
		for k, version := range versions {
			s, err := v.GetSecret(a.t.Context(), c, "s", version, nil)
			if err != nil || string(s.Value) != fmt.Sprint(k) {
				a.t.Fatalf("node %d has version %d as %q: %v", i, k, []byte(s.Value), err)
			}
		}
		if s, err := v.GetSecret(a.t.Context(), c, "s", "", nil); err != nil ||
			s.Version != versions[len(versions)-1] {
			a.t.Errorf("node %d has %s as the newest version: %v", i, s.Version, err)
		}
	}
}

// requireNone finds the secret at no node that runs.
func (a *applicant) requireNone() {
	a.t.Helper()
	for i := range a.nodes {
		if a.nodes[i] == nil {
			continue
		}
		v, c := a.at(i)
		var refused *vault.Error
		if _, err := v.GetSecret(a.t.Context(), c, "s", "", nil); !errors.As(err, &refused) ||
			refused.Kind != vault.NotFound {
			a.t.Errorf("node %d shows half of it, or says: %v", i, err)
		}
	}
}

// Whichever node is asked brings an object back for all, out of a snapshot of before a rekey and a
// rotation, and out of none of another cluster.
func TestObjectComesBackEverywhere(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(3)
		a := s.applicant("demo")
		before, versions := a.lose(3)
		s.rekey(0, 3, 2, false)
		s.awaitTerm(2, 0, 1, 2)
		follower := (s.leader() + 1) % 3
		must(t, a.bringBack(follower, before))
		a.requireWhole(versions)
		other := newSite(t)
		other.start(1)
		if err := a.bringBack(follower, other.snapshot(0)); !errors.Is(err, node.ErrForeignSnapshot) {
			t.Errorf("a snapshot of another cluster: %v", err)
		}
		must(t, s.nodes[follower].Seal(t.Context()))
		if _, _, err := s.nodes[follower].Past(before); !errors.Is(err, node.ErrSealed) {
			t.Errorf("at a sealed node: %v", err)
		}
	})
}

// manyVersions take some steps to bring back.
const manyVersions = 120

// awaitFirst waits until the first versions are at a node.
func (a *applicant) awaitFirst(i int) {
	a.t.Helper()
	for {
		view := a.nodes[i].View()
		for path := range view.Scan("vault/", "") {
			if strings.Contains(path, "/secret/s/version/") {
				return
			}
		}
		must(a.t, a.nodes[i].Wait(a.t.Context(), view.Index()+1))
	}
}

// Whoever brings an object back and dies half-way has shown nothing of it, and another goes on.
func TestBringingBackThatDies(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		leader := s.startWith(func(int, *node.Config) {})
		a := s.applicant("demo")
		before, versions := a.lose(manyVersions)
		dies, other := (leader+1)%3, (leader+2)%3
		var ended sync.WaitGroup
		var err error
		ended.Go(func() { err = a.bringBack(dies, before) })
		a.awaitFirst(leader)
		s.stop(dies)
		ended.Wait()
		if err == nil {
			t.Fatal("it was faster: the test is none")
		}
		a.requireNone()
		must(t, a.bringBack(other, before))
		a.requireWhole(versions)
	})
}

// Another leader changes nothing: what was begun is there as a whole, or goes on when it is asked
// for again.
func TestBringingBackAcrossLeaders(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		leader := s.startWith(func(int, *node.Config) {})
		a := s.applicant("demo")
		before, versions := a.lose(manyVersions)
		var ended sync.WaitGroup
		var err error
		ended.Go(func() { err = a.bringBack((leader+1)%3, before) })
		a.awaitFirst(leader)
		must(t, s.nodes[leader].StepDown(t.Context()))
		ended.Wait()
		s.await("another leads", func() bool { return s.leader() >= 0 && s.leader() != leader })
		if err != nil {
			t.Logf("it is asked for again: %v", err)
			a.requireNone()
			time.Sleep(time.Second)
			must(t, a.bringBack((leader+1)%3, before))
		}
		a.requireWhole(versions)
	})
}
