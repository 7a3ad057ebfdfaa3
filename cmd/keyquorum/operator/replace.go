package operator

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

const replaceHelp = `Have a new node take the place of a member: OLD, by its name or its id.

NEW_API_ADDR is the URL of the new node, which runs with an empty data folder.
The command asks a member (--address) and the new node. The new one joins, gets
its unseal shares, catches up, and votes if the old one does. Only then the old
one is removed, for ever. So the cluster never has fewer voters than before.

Where the new node has the old one's address, the old one is removed first: it
must be gone by then.

What was done stays done when the command is stopped: run it again, with the
same arguments. Where the new node is a member by then, add --continue. Without
that, a member is never taken for the new node: nothing is removed.`

// replacePoll is how often it is looked whether the new node is as far as is waited for.
const replacePoll = 500 * time.Millisecond

func raftReplace(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use:   "replace OLD NEW_API_ADDR",
		Short: "Have a new node take the place of a member, which is removed for ever",
		Long:  replaceHelp, Args: console.Arguments(2, 2),
		Example: "  keyquorum operator raft replace c https://10.0.0.4:8200",
	}
	r := replacement{k: k}
	r.format = console.FormatFlag(c)
	c.Flags().StringVar(&r.leaderAPI, "leader-api-addr", "",
		"`URL` at which the new node reaches a member (default what the leader says of itself)")
	c.Flags().BoolVar(&r.elsewhere, "shares-elsewhere", false,
		"ask for no share, and wait until others have given theirs to the new node")
	c.Flags().BoolVar(&r.goesOn, "continue", false,
		"go on although the node at NEW_API_ADDR is a member: it became one to take the old one's place")
	timeout := c.Flags().Duration("timeout", time.Hour,
		"how long to wait for shares, and for the rest")
	c.RunE = func(c *cobra.Command, args []string) error {
		ctx, cancel := context.WithTimeout(c.Context(), *timeout)
		defer cancel()
		r.c, r.ctx, r.who, r.at = c, ctx, args[0], strings.TrimRight(args[1], "/")
		return r.run()
	}
	return console.Asking(c, func(args []string) string {
		return fmt.Sprintf("Node %s will be removed when the one at %s has taken its place, and its "+
			"id never comes back.", args[0], args[1])
	})
}

// A replacement is one call of the command.
type replacement struct {
	k                  *Connection
	format             *console.Format
	leaderAPI, who, at string
	elsewhere          bool
	goesOn             bool // the new node may be a member already

	c             *cobra.Command
	ctx           context.Context
	member, fresh *Client
	peers         []Peer
	old           *Peer // nil: it is no member any more
	votes         bool  // the old one had a vote; false where it was gone before
	newID         string
}

// run goes through all steps. Each looks first whether it was done.
func (r *replacement) run() (err error) {
	if r.member, err = r.k.Client(); err != nil {
		return err
	}
	if r.fresh, err = r.k.ClientOf(r.at); err != nil {
		return err
	}
	for _, step := range []func() error{
		r.look, r.join, r.removeBefore, r.unseal, r.catchUp, r.vote, r.remove,
	} {
		if err := step(); err != nil {
			return r.stopped(err)
		}
	}
	return r.report()
}

// stopped says how to go on where the command could not: what was done stays done.
func (r *replacement) stopped(err error) error {
	switch {
	case r.ctx.Err() == context.DeadlineExceeded:
		err = fmt.Errorf("this took longer than --timeout: %w", err)
	case r.newID == "": // nothing but the usage was wrong, or the shares are missing
		return err
	}
	return fmt.Errorf("%w; run the command again (with --continue, where the new node is a member by "+
		"now)", err)
}

// say tells of a step that was done.
func (r *replacement) say(format string, args ...any) {
	w := r.c.OutOrStdout()
	if *r.format != "table" {
		w = r.c.ErrOrStderr()
	}
	console.Tell(r.c, w, format, args...)
}

func (p Peer) name() string {
	if p.Label == "" {
		return p.ID
	}
	return p.Label + " (" + p.ID + ")"
}

// look finds the old member. Where there is none, the new node must be on its way already: then the
// command was stopped before.
func (r *replacement) look() error {
	listed, err := Configuration(r.ctx, r.member)
	if err != nil {
		return err
	}
	r.peers = listed.Data.Config.Servers
	var called []Peer
	for _, p := range r.peers {
		if p.ID == r.who {
			called = []Peer{p}
			break
		}
		if p.Label == r.who {
			called = append(called, p)
		}
	}
	switch {
	case len(called) > 1:
		return console.Exit(2, fmt.Errorf("several members are called %s: name the one that goes by "+
			"its id (keyquorum operator raft list-peers)", r.who))
	case len(called) == 1:
		r.old, r.votes = &called[0], called[0].Voter
		r.say("%s is a member at %s (%s).", r.old.name(), r.old.Address, r.old.role())
		return nil
	}
	now, err := r.status()
	if err != nil {
		return err
	}
	if !now.Initialized {
		return console.Exit(2, fmt.Errorf("no member is called %s; members are %s. If it was removed "+
			"already, have the new node join (keyquorum operator raft join)", r.who, r.names()))
	}
	r.say("%s is no member any more.", r.who)
	return nil
}

func (r *replacement) names() string {
	var names []string
	for _, p := range r.peers {
		names = append(names, p.name())
	}
	return strings.Join(names, ", ")
}

// A freshStatus is the seal status of the new node.
type freshStatus struct {
	SealStatus
	Waiting bool   `json:"waiting"`
	Joining string `json:"joining"`
}

// isJoining says whether shares would make it a member.
func (s freshStatus) isJoining() bool { return s.Initialized && s.Sealed && s.Joining != "" }

// isSearching says whether it asks at the places of its configuration, and none has answered.
func (s freshStatus) isSearching() bool { return !s.Initialized && s.Joining != "" }

// isMember says whether it is one, sealed or not.
func (s freshStatus) isMember() bool { return s.Initialized && !s.isJoining() }

func (r *replacement) status() (s freshStatus, err error) {
	err = r.fresh.Call(r.ctx, http.MethodGet, "/v1/sys/seal-status", nil, &s)
	return s, err
}

// join has the new node ask to be let in, unless it does, or is a member.
func (r *replacement) join() error {
	now, err := r.status()
	if err != nil {
		return err
	}
	if now.isMember() {
		return r.mayGoOn(now)
	}
	if now.isJoining() {
		return nil
	}
	in := JoinRequest{LeaderAPI: r.reachable(), NonVoter: r.old != nil && !r.old.Voter}
	ca, err := r.k.trusted()
	if err != nil {
		return err
	}
	in.CACert = string(ca)
	err = r.fresh.Call(r.ctx, http.MethodPut, "/v1/sys/storage/raft/join", in, nil)
	var refused *Refusal
	if now.isSearching() && errors.As(err, &refused) && refused.Status == http.StatusBadRequest {
		err = r.awaitFound()
	}
	if err != nil {
		return err
	}
	r.say("The new node at %s joins, and needs its unseal shares.", r.at)
	return nil
}

// awaitFound waits for a node that joins what its configuration finds, and nobody else's choice.
func (r *replacement) awaitFound() error {
	return r.until("the new node finds its cluster at the places in its retry_join",
		func() (bool, error) {
			now, err := r.status()
			return now.Initialized, err
		})
}

// mayGoOn refuses to take a member for the new node, unless it is said to be: with the URL of
// another member, given by a slip, the cluster would end with a voter less.
func (r *replacement) mayGoOn(now freshStatus) error {
	switch {
	case r.old == nil: // nothing is removed
		return nil
	case r.goesOn, now.Sealed && r.isAtOld(): // the old one itself is told of later
		return nil
	}
	who := "a member"
	for _, p := range r.peers {
		if strings.TrimRight(p.API, "/") == r.at {
			who = p.name() + ", a member"
		}
	}
	return console.Exit(2, fmt.Errorf("the node at %s is %s already: nothing was removed. Name the "+
		"URL of a new node with an empty data folder. If this is the one that came to take the place "+
		"of %s, say --continue", r.at, who, r.old.name()))
}

func (r *replacement) isAtOld() bool { return strings.TrimRight(r.old.API, "/") == r.at }

// reachable is where the new node finds a member that is not the old one, if any tells.
func (r *replacement) reachable() string {
	if r.leaderAPI != "" {
		return r.leaderAPI
	}
	best := r.member.Base
	for _, p := range r.peers {
		if p.API == "" || r.old != nil && p.ID == r.old.ID {
			continue
		}
		if best = p.API; p.Leader {
			break
		}
	}
	return best
}

// removeBefore removes the old member before the new one comes to its address: a cluster has one
// node at an address.
func (r *replacement) removeBefore() error {
	now, err := r.status()
	if err != nil || r.old == nil || !now.Sealed || !r.isAtOld() {
		return err
	}
	if !now.isJoining() { // a sealed member says that it has joined: it is the old one, with its data
		return console.Exit(2, fmt.Errorf("the node at %s has its data and is %s itself: nothing was "+
			"removed. Start the new node with an empty folder", r.at, r.old.name()))
	}
	return r.removeBy(r.member)
}

// unseal gives the new node its shares, or waits for others to do it.
func (r *replacement) unseal() error {
	if r.elsewhere {
		r.say("Give the new node its shares: keyquorum operator unseal --address %s", r.at)
		return r.until("the new node gets its shares", func() (bool, error) {
			now, err := r.status()
			return err == nil && !now.Sealed, err
		})
	}
	for {
		now, err := r.status()
		if err != nil || !now.Sealed {
			return err
		}
		if now.Waiting {
			break
		}
		prompt := fmt.Sprintf("Unseal share (%s of %s given)", now.Progress, now.Threshold)
		if err := r.give(prompt); err != nil {
			return err
		}
	}
	return r.until("the new node unseals", func() (bool, error) {
		now, err := r.status()
		return err == nil && !now.Sealed, err
	})
}

// give asks for one share. A wrong one may be typed again where somebody types.
func (r *replacement) give(prompt string) error {
	share, err := console.Ask(os.Stdin, r.c.ErrOrStderr(), prompt)
	if err != nil {
		return fmt.Errorf("%w; the new node waits for its shares, and the command can be run again", err)
	}
	in := map[string]string{"key": strings.TrimSpace(share)}
	err = r.fresh.Call(r.ctx, http.MethodPut, "/v1/sys/unseal", in, nil)
	var refused *Refusal
	if errors.As(err, &refused) && refused.Status == http.StatusBadRequest &&
		console.IsTerminal(os.Stdin) {
		console.Tell(r.c, r.c.ErrOrStderr(), "%v", err)
		return nil
	}
	return err
}

// catchUp waits until the new node holds what the member held a moment ago, byte for byte. One that
// was sent a state meanwhile knows nothing of what was before it, and is asked for a newer moment.
func (r *replacement) catchUp() error {
	var theirs, ours nodeState
	err := r.until("the new node catches up", func() (bool, error) {
		var err error
		if theirs, err = stateAt(r.ctx, r.member, 0); err == nil {
			ours, err = stateAt(r.ctx, r.fresh, theirs.Index)
		}
		var refused *Refusal
		if errors.As(err, &refused) && refused.Status == http.StatusGone {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return err
	}
	if theirs.Digest != ours.Digest {
		return fmt.Errorf("the new node holds something else than the member at %s, or is of another "+
			"cluster: nothing was removed", r.member.Base)
	}
	if r.old != nil && r.old.ID == ours.NodeID {
		return console.Exit(2, fmt.Errorf("the node at %s is %s itself: name the address of a new node",
			r.at, r.old.name()))
	}
	r.newID = ours.NodeID
	r.say("The new node is %s, and holds what the others hold.", r.newID)
	return nil
}

// A nodeState is keyquorum/state.
type nodeState struct {
	NodeID string `json:"node_id"`
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

func stateAt(ctx context.Context, api *Client, index uint64) (s nodeState, err error) {
	path := "/v1/keyquorum/state"
	if index > 0 {
		path += fmt.Sprintf("?index=%d", index)
	}
	var out struct {
		Data nodeState `json:"data"`
	}
	err = api.Call(ctx, http.MethodGet, path, nil, &out)
	return out.Data, err
}

// remove ends with the old member gone. The new node is asked: it is never the one that goes.
func (r *replacement) remove() error {
	if r.old == nil {
		return nil
	}
	return r.removeBy(r.fresh)
}

func (r *replacement) removeBy(asked *Client) error {
	in := map[string]string{"server_id": r.old.ID}
	err := r.until("the old node is removed", func() (bool, error) {
		err := asked.Call(r.ctx, http.MethodPut, "/v1/sys/storage/raft/remove-peer", in, nil)
		return err == nil || r.isGone(asked), err
	})
	if err != nil {
		return err
	}
	r.say("%s is removed, for ever: stop it, and delete its data folder.", r.old.name())
	r.old = nil
	return nil
}

// isGone says whether the old member is none any more: a removal whose answer was lost is refused
// when it is asked for again.
func (r *replacement) isGone(asked *Client) bool {
	listed, err := Configuration(r.ctx, asked)
	return err == nil && !slices.ContainsFunc(listed.Data.Config.Servers, func(p Peer) bool {
		return p.ID == r.old.ID
	})
}

// until asks until done says yes. A node without a leader is asked again.
func (r *replacement) until(what string, done func() (bool, error)) error {
	return r.within(r.ctx, what, done)
}

// within is until with an end of its own.
func (r *replacement) within(ctx context.Context, what string, done func() (bool, error)) error {
	told := console.Waiting(r.c.ErrOrStderr(), "Waiting: "+what)
	defer told()
	for {
		yes, err := done()
		if yes {
			return nil
		}
		var refused *Refusal
		noLeader := errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable
		if err != nil && !noLeader {
			return err
		}
		if ended := sleep(ctx, replacePoll); ended != nil {
			return fmt.Errorf("waiting: %s: %w", what, cmp.Or(err, ended))
		}
	}
}

func (r *replacement) report() error {
	answer := struct {
		Old string `json:"old"`
		New string `json:"new_node_id"`
		API string `json:"new_api_address"`
	}{r.who, r.newID, r.at}
	if *r.format != "table" {
		return r.format.Print(r.c, answer, console.Table{})
	}
	r.say("Done. keyquorum status shows all nodes.")
	return nil
}
