package dev

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"keyquorum/cmd/keyquorum/operator"
)

// up brings the cluster to where it should be from wherever it is: nothing yet, a first run that
// was cut short, or a cluster that comes back with its data.
func (d *cluster) up(ctx context.Context) error {
	for _, a := range d.state.addresses() {
		if err := d.launch(ctx, a); err != nil {
			return err
		}
	}
	isNew := d.state.App == nil
	if err := d.ensureInitialised(ctx); err != nil {
		return err
	}
	if err := d.admit(ctx, d.nodes...); err != nil {
		return err
	}
	if isNew {
		if err := d.furnish(ctx); err != nil {
			return err
		}
	}
	if d.asked.sealed && isNew { // the first run had to open them
		if err := d.sealAll(ctx); err != nil {
			return err
		}
	}
	return d.announce(ctx)
}

// client talks to one node, with the root token once there is one.
func (d *cluster) client(a Address) (*operator.Client, error) {
	token := ""
	if d.state.Init != nil {
		token = d.state.Init.RootToken
	}
	return operator.NewClient(a.API(), token, d.ca)
}

func (d *cluster) call(ctx context.Context, a Address, method, path string, in, out any) error {
	api, err := d.client(a)
	if err != nil {
		return err
	}
	defer api.HTTP.CloseIdleConnections()
	return api.Call(ctx, method, path, in, out)
}

func (d *cluster) sealStatus(ctx context.Context, a Address) (s operator.SealStatus, err error) {
	err = d.call(ctx, a, http.MethodGet, "/v1/sys/seal-status", nil, &s)
	return s, err
}

// ensureInitialised makes node 1 a cluster of one, once.
func (d *cluster) ensureInitialised(ctx context.Context) error {
	if d.state.Init != nil {
		return nil
	}
	first := d.nodes[0].Address
	status, err := d.sealStatus(ctx, first)
	if err != nil {
		return err
	}
	if status.Initialized {
		return fmt.Errorf("a first run was cut short before it kept its unseal shares; remove %s to begin anew",
			d.folder)
	}
	api, err := d.client(first)
	if err != nil {
		return err
	}
	d.say("Initialising node 1: %d unseal shares, any %d of which open a node", shares, threshold)
	result, err := operator.Initialise(ctx, api, shares, threshold)
	if err != nil {
		return fmt.Errorf("initialising node 1: %w", err)
	}
	d.state.Init = &result
	return d.folder.Save(d.state)
}

// admit makes running nodes members that vote. All join before the first is waited for: the leader
// looks once a second who may vote by now.
func (d *cluster) admit(ctx context.Context, nodes ...*process) error {
	var joined []*process
	for _, p := range nodes {
		joins, err := d.letIn(ctx, p)
		if err != nil {
			return err
		}
		if joins {
			joined = append(joined, p)
		}
	}
	for _, p := range joined {
		if err := d.until(ctx, p, "it is a voter", d.isVoter(p)); err != nil {
			return err
		}
	}
	return nil
}

// letIn has a node join if it is no member yet, and unseals it unless nodes are to stay sealed.
func (d *cluster) letIn(ctx context.Context, p *process) (joins bool, err error) {
	status, err := d.sealStatus(ctx, p.Address)
	if err != nil {
		return false, err
	}
	joins = !status.Initialized
	if joins {
		if err := d.join(ctx, p); err != nil {
			return joins, err
		}
	}
	if status.Initialized && (!status.Sealed || d.staysSealed()) {
		return joins, nil
	}
	return joins, d.unseal(ctx, p)
}

// staysSealed is false on a first run: a cluster has to be opened once to be furnished.
func (d *cluster) staysSealed() bool { return d.asked.sealed && d.state.App != nil }

// join returns when the node has its challenge: from then on it takes shares. Asked to retry, it
// would answer before.
func (d *cluster) join(ctx context.Context, p *process) error {
	d.say("Node %d: joining", p.Number)
	if err := d.removeFormer(ctx, p); err != nil {
		return fmt.Errorf("node %d joining: %w", p.Number, err)
	}
	if err := d.hurry(ctx); err != nil {
		return err
	}
	in := operator.JoinRequest{LeaderAPI: d.nodes[0].API(), CACert: string(d.ca)}
	var refused error
	err := d.until(ctx, p, "it may join", func(ctx context.Context) (bool, error) {
		refused = d.call(ctx, p.Address, http.MethodPut, "/v1/sys/storage/raft/join", in, nil)
		return refused == nil, nil
	})
	if err != nil && refused != nil {
		return fmt.Errorf("%w (the last answer was: %w)", err, refused)
	}
	return err
}

// hurry has members of a new cluster vote as soon as they are caught up: whoever tries it out does
// not wait to see whether they stay.
func (d *cluster) hurry(ctx context.Context) error {
	if d.state.App != nil {
		return nil
	}
	in := map[string]string{"server_stabilization_time": "0s"}
	return d.call(ctx, d.nodes[0].Address, http.MethodPut,
		"/v1/sys/storage/raft/autopilot/configuration", in, nil)
}

func (d *cluster) unseal(ctx context.Context, p *process) error {
	d.say("Node %d: unsealing", p.Number)
	for _, share := range d.state.Init.KeysB64[:d.state.Init.Threshold] {
		in := map[string]string{"key": share}
		if err := d.call(ctx, p.Address, http.MethodPut, "/v1/sys/unseal", in, nil); err != nil {
			return fmt.Errorf("node %d unsealing: %w", p.Number, err)
		}
	}
	return d.until(ctx, p, "it is unsealed", func(ctx context.Context) (bool, error) {
		status, err := d.sealStatus(ctx, p.Address)
		return err == nil && !status.Sealed, nil
	})
}

// removeFormer removes a member that has the address of a node without data: its join was cut short
// between the two, or somebody emptied its folder. Its id never comes back, and the address is free
// for a new one.
func (d *cluster) removeFormer(ctx context.Context, p *process) error {
	var peers operator.RaftConfiguration
	first := d.nodes[0].Address
	if err := d.call(ctx, first, http.MethodGet, "/v1/sys/storage/raft/configuration", nil,
		&peers); err != nil {
		return err
	}
	for _, m := range peers.Data.Config.Servers {
		if m.Address != p.Cluster() {
			continue
		}
		in := map[string]string{"server_id": m.ID}
		if err := d.call(ctx, first, http.MethodPut, "/v1/sys/storage/raft/remove-peer", in,
			nil); err != nil {
			return err
		}
	}
	return nil
}

// isVoter asks node 1 whether as many vote as should by now.
func (d *cluster) isVoter(p *process) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		var peers operator.RaftConfiguration
		err := d.call(ctx, d.nodes[0].Address, http.MethodGet, "/v1/sys/storage/raft/configuration", nil,
			&peers)
		return err == nil && slices.ContainsFunc(peers.Data.Config.Servers, func(m operator.Peer) bool {
			return m.Voter && m.Address == p.Cluster()
		}), nil
	}
}

func (d *cluster) sealAll(ctx context.Context) error {
	for _, p := range d.nodes {
		d.say("Node %d: sealing", p.Number)
		if err := d.call(ctx, p.Address, http.MethodPut, "/v1/sys/seal", nil, nil); err != nil {
			return fmt.Errorf("node %d sealing: %w", p.Number, err)
		}
	}
	return nil
}
