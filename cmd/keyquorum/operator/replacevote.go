package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"
)

// voteSpare is how much longer than it needs the new node may take to get its vote: whenever
// another member leads, or the node is silent for a moment, its time begins anew.
const voteSpare = 2 * time.Minute

// vote waits until the new node votes, if the old one did, and sees to it that it does not, if the
// old one did not.
func (r *replacement) vote() error {
	switch {
	case r.votes:
	case r.old == nil:
		return nil
	default: // whatever it was asked: by its configuration it may want its vote
		return r.withhold()
	}
	stable, err := r.stabilization()
	if err != nil {
		return err
	}
	if votes, err := r.isVoter(); err != nil || !votes {
		r.say("It gets its vote when it has been healthy for %s (keyquorum operator raft autopilot "+
			"get-config).", stable)
	}
	patience := 2*stable + voteSpare
	ctx, cancel := context.WithTimeout(r.ctx, patience)
	defer cancel()
	err = r.within(ctx, fmt.Sprintf("the new node gets its vote, when it was healthy for %s", stable),
		r.isVoter)
	if errors.Is(ctx.Err(), context.DeadlineExceeded) && r.ctx.Err() == nil && err != nil {
		return fmt.Errorf("the new node has no vote after %s, and nothing was removed: keyquorum "+
			"operator raft autopilot state says whether it is healthy; keyquorum operator raft promote "+
			"%s gives it its vote now: %w", patience, r.newID, err)
	}
	if err == nil {
		r.say("The new node votes.")
	}
	return err
}

// stabilization is for how long the new node has to be healthy before it votes.
func (r *replacement) stabilization() (stable time.Duration, err error) {
	err = r.until("a leader says for how long a new node has to be healthy", func() (bool, error) {
		config, err := getAutopilotConfig(r.ctx, r.fresh)
		if err != nil {
			return false, err
		}
		stable, err = time.ParseDuration(config.Stabilization)
		return err == nil, err
	})
	return stable, err
}

func (r *replacement) isVoter() (bool, error) {
	listed, err := Configuration(r.ctx, r.fresh)
	return slices.ContainsFunc(listed.Data.Config.Servers, func(p Peer) bool {
		return p.ID == r.newID && p.Voter
	}), err
}

func (r *replacement) withhold() error {
	in := map[string]string{"server_id": r.newID}
	err := r.until("the new node has no vote", func() (bool, error) {
		err := r.fresh.Call(r.ctx, http.MethodPut, "/v1/sys/storage/raft/demote", in, nil)
		return err == nil, err
	})
	if err == nil {
		r.say("The new node has no vote, like the old one.")
	}
	return err
}
