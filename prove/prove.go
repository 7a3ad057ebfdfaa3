// Package prove drives a cluster over its public HTTP API with concurrent clients on all nodes,
// writes down what they asked and what they were answered, and checks that it is a possible history
// of a linearizable cluster.
//
//	run, err := prove.Begin(ctx, target, prove.Options{Seed: 7, Vault: "prove"})
//	run.Work(ctx)             // hurt the cluster meanwhile, if you like
//	err = run.ReadBack(ctx)   // when it is whole again
//	err = run.Check().Err()
//
// It owns the workload, the history, and the small sequential models that the history is held to.
// What it calls a violation is one: a write whose outcome is not known may have happened at any
// time after its call, or never. What it calls possible need not be what happened.
//
// It knows of a cluster what its API shows and nothing else. It waits on channels and timers only
// and leaves no goroutine behind, so that it works inside a testing/synctest bubble too.
// Connections belong to the clients that it was given.
package prove

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// A Node is how to reach one node and no other.
type Node struct {
	Name string
	URL  string       // of its operator plane: "https://host:8200"
	HTTP *http.Client // dials this node, whatever name it is asked for; closing its idle connections is the caller's
}

// A Target is a cluster.
type Target struct {
	Nodes    []Node
	VaultURL func(vault string) string // "https://demo.vault.localhost:8200"
	LoginURL string                    // "https://login.vault.localhost:8200"
	Token    string                    // the operator's
}

// Options say what to do to a cluster. Zero fields have the defaults given.
type Options struct {
	Seed        uint64        // of all that the clients choose
	Vault       string        // where keys and secrets are made, if need be it is made too; "prove"
	Clients     int           // that work at once; 5
	Operations  int           // of all clients together; 250. Begin makes an application for every 180 of them
	Objects     int           // in use at once, of all kinds; 6. A worn one gives way to a new one
	Think       time.Duration // the mean pause of a client before an operation; none
	CallTimeout time.Duration // of one request; 10 s
}

func (o Options) withDefaults() Options {
	o.Vault = cmp.Or(o.Vault, "prove")
	o.Clients, o.Operations, o.Objects = cmp.Or(o.Clients, 5), cmp.Or(o.Operations, 250),
		cmp.Or(o.Objects, 6)
	o.CallTimeout = cmp.Or(o.CallTimeout, 10*time.Second)
	return o
}

// A Run is one workload on one cluster, and its history. Begin, Work, ReadBack, Check, CountUsage
// and CleanUp follow each other; Restored comes before Check; Gap may be asked at any time, CleanUpOlder where CleanUp may.
type Run struct {
	target  Target
	options Options
	name    string // of this run and no other, in every name and request id
	made    bool   // the vault too
	worker  *application
	objects []*object // in the order in which they come into use
	window  window

	ids    atomic.Int32 // of requests
	events atomic.Int64 // calls and returns of operations, in the order of the history
	left   atomic.Int64 // operations that Work has not begun

	mu       sync.Mutex
	sent     []sent           // every request
	writes   map[string]int32 // by the id of the version that the write made
	failures map[string]int   // by what was answered

	restores []*operation // of the whole cluster
}

// Begin makes what a run needs: the vault (if it is absent), applications, their credentials and
// grants, and fetches their tokens. It asks again, at all nodes in turn, until it is answered or
// ctx ends.
func Begin(ctx context.Context, target Target, options Options) (*Run, error) {
	if len(target.Nodes) == 0 {
		return nil, errors.New("prove: a target without nodes")
	}
	var name [4]byte
	rand.Read(name[:]) // not from the seed: names of an earlier run may still be there
	r := &Run{target: target, options: options.withDefaults(), name: hex.EncodeToString(name[:]),
		writes: map[string]int32{}, failures: map[string]int{}}
	r.left.Store(int64(r.options.Operations))
	if err := r.prepare(ctx); err != nil {
		return nil, fmt.Errorf("prove: %w (applications named %s… may be left of it)", err, r.Prefix())
	}
	return r, nil
}

func (r *Run) prepare(ctx context.Context) error {
	if err := r.openVault(ctx); err != nil {
		return err
	}
	worker, err := r.newApplication(ctx, "worker", 1)
	if err != nil {
		return err
	}
	r.worker = worker[0]
	everything := `{"keys":["all"],"secrets":["all"]}`
	if err := r.insist(ctx, operatorCall(http.MethodPut, r.grantPath(r.worker.name), everything),
		nil); err != nil {
		return err
	}
	return r.plan(ctx)
}

func (r *Run) grantPath(app string) string {
	return "/v1/keyquorum/vaults/" + r.options.Vault + "/grants/" + app
}
