// Package placing does what an operator does to give a node its place in a cluster: has it join,
// unseals it, waits until the members count it at its address, and removes the one whose place it
// takes (docs/members.md). Other things may be broken meanwhile, so each call may fail, and each
// step is looked at again until it is done.
package placing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// An Operator can call nodes. What he has may be used by several goroutines at a time.
type Operator struct {
	Call   func(node int, method, path string, in, out any) error // bounded in time
	Shares func() [][]string                                      // sets; two of one unseal a node
	Join   func(by int) map[string]any                            // how to join through a node
}

// A Place is what a node is to have in the end.
type Place struct {
	Node    int
	Address string // of its cluster port, host:port
	Voter   bool
	Others  []int  // nodes that can be asked beside it; one at least
	Old     string // id of the member that makes room for it; "": none does
	// OldFirst: that member is removed before the node joins, because it has the same address.
	OldFirst bool
}

// pause is between two looks at what is left to do.
const pause = 200 * time.Millisecond

// Give returns when the node has its place. The error, when the context ends before, says what was
// in the way.
func (o Operator) Give(ctx context.Context, p Place) error {
	for try := 0; ; try++ {
		err := o.advance(p, p.Others[try%len(p.Others)])
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("placing: node %d does not get its place at %s: %w", p.Node, p.Address, err)
		case <-time.After(pause):
		}
	}
}

// advance does the steps that are left, with the help of one other node, up to the first that can't
// be done yet.
func (o Operator) advance(p Place, by int) error {
	if p.OldFirst {
		if err := o.remove(p.Old, by); err != nil {
			return err
		}
	}
	if err := o.admit(p, by); err != nil {
		return err
	}
	if err := o.counts(p); err != nil {
		return err
	}
	if p.Old == "" || p.OldFirst {
		return nil
	}
	return o.remove(p.Old, p.Node) // the new one is asked: it is never the one that goes
}

// A status is a node's seal status.
type status struct {
	Initialized bool   `json:"initialized"`
	Sealed      bool   `json:"sealed"`
	Joining     string `json:"joining"`
}

// admit has the node join if it is no member, and unseals it. A join that has begun may wait for a
// node that is gone, so it is begun anew.
func (o Operator) admit(p Place, by int) error {
	now, err := o.status(p.Node)
	if err != nil || !now.Sealed {
		return err
	}
	if !now.Initialized || now.Joining != "" {
		in := o.Join(by)
		in["non_voter"] = !p.Voter
		if err := o.Call(p.Node, "PUT", "/v1/sys/storage/raft/join", in, nil); err != nil {
			return err
		}
	}
	var refused error
	for _, set := range o.Shares() {
		for _, share := range set[:2] {
			err := o.Call(p.Node, "PUT", "/v1/sys/unseal", map[string]string{"key": share}, nil)
			refused = cmp.Or(err, refused)
		}
		if now, err = o.status(p.Node); err != nil || !now.Sealed {
			return err
		}
	}
	return cmp.Or(refused, errors.New("it is sealed, and no share was refused"))
}

func (o Operator) status(node int) (s status, err error) {
	err = o.Call(node, "GET", "/v1/sys/seal-status", nil, &s)
	return s, err
}

// A server is a member of the configuration.
type server struct {
	ID      string `json:"node_id"`
	Address string `json:"address"`
	Voter   bool   `json:"voter"`
}

func (o Operator) servers(at int) ([]server, error) {
	var answer struct {
		Data struct {
			Config struct {
				Servers []server `json:"servers"`
			} `json:"config"`
		} `json:"data"`
	}
	err := o.Call(at, "GET", "/v1/sys/storage/raft/configuration", nil, &answer)
	return answer.Data.Config.Servers, err
}

// counts is an error until the node is in the configuration, with its address and its vote.
func (o Operator) counts(p Place) error {
	servers, err := o.servers(p.Node)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(servers, func(s server) bool {
		return s.ID != p.Old && s.Address == p.Address && s.Voter == p.Voter
	}) {
		return fmt.Errorf("the members are %+v", servers)
	}
	return nil
}

// remove takes a member out, unless it is none any more.
func (o Operator) remove(id string, by int) error {
	servers, err := o.servers(by)
	if err != nil || !slices.ContainsFunc(servers, func(s server) bool { return s.ID == id }) {
		return err
	}
	return o.Call(by, "PUT", "/v1/sys/storage/raft/remove-peer", map[string]string{"server_id": id},
		nil)
}
