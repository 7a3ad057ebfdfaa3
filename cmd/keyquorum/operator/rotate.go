package operator

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

func rotateCommand(k *Connection) *cobra.Command {
	tokens := rotate(k, "token-key", "Change the key that signs access tokens",
		"Tokens that were issued under the older keys stay good until they end, within the hour; "+
			"then those keys are dropped.")
	tokens.Flags().Bool("forget", false,
		"drop the older keys at once, as after a leak: all tokens end, and applications get others")
	keyring := rotate(k, "keyring",
		"Change the keyring, which seals all records, and the transaction key, which signs changes",
		"What is sealed under older terms of the keyring stays readable, and the leader seals it anew "+
			"in the background (keyquorum operator key-status). What an older transaction key signs "+
			"is refused.")
	keyring.Flags().Bool("drop", false, "drop older terms, if nothing is sealed under them any "+
		"more. Backups of keys and secrets that were taken under them can't be restored after that")
	return console.Group("rotate", "Change a key of the cluster itself, while all nodes serve",
		keyring, scheduleCommand(k), tokens,
		rotate(k, "gossip-key", "Change the key that encrypts gossip between the nodes",
			"All members get the new key beside the old one, then all encrypt with it, then the old "+
				"one goes. Sealed members follow too."),
		rotate(k, "node-keys", "Change the key by which each node is known to the others",
			"Each member makes a key and has it certified, a sealed one by an unsealed one, and the "+
				"others forget its old one. Whoever has that one, from a stolen disk, is heard by nobody "+
				"any more."),
		rotate(k, "authority", "Change the authority that certifies the nodes' keys, and these with it",
			"The old authority certifies the new one, and is trusted until every member has a new key."),
	)
}

// rotation is where the change of a key stands.
type rotation struct {
	ID      string     `json:"id"`
	Since   *time.Time `json:"since,omitempty"`
	Older   int        `json:"older"`
	Done    bool       `json:"done"`
	Step    string     `json:"step,omitempty"`
	Waiting []laggard  `json:"waiting"`
}

// laggard is a member that has yet to follow.
type laggard struct {
	NodeID  string `json:"node_id"`
	Label   string `json:"label,omitempty"`
	Answers bool   `json:"answers"`
}

// rotate is a command that has the cluster change a key, and waits for it.
func rotate(k *Connection, key, short, long string) *cobra.Command {
	c := &cobra.Command{
		Use: key, Short: short, Args: console.Arguments(0, 0),
		Example: "  keyquorum operator rotate " + key,
		Long: short + ".\n\n" + long + "\n\n" +
			"The command waits until all members have followed, or until only those are missing that " +
			"do not answer (exit code 1). What it has begun goes on without it. Run again while a " +
			"change is under way, it begins no other, and shows where that one stands.",
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		in := map[string]any{}
		for _, name := range []string{"forget", "drop"} {
			if f := c.Flags().Lookup(name); f != nil {
				in[name] = f.Value.String() == "true"
			}
		}
		api, err := k.Client()
		if err != nil {
			return err
		}
		r, err := administer[rotation](c.Context(), api, http.MethodPut, in, "rotate", key)
		if err == nil {
			r, err = awaitRotation(c, api, key, r)
		}
		if err != nil {
			return err
		}
		if err := format.Print(c, r, r.table()); err != nil {
			return err
		}
		if !r.Done {
			return console.Exit(1, errors.New(r.missing()))
		}
		if in["drop"] == true && *format == "table" {
			console.Tell(c, c.OutOrStdout(), "\nOlder terms were dropped. The term that was the newest "+
				"until now stays: what is sealed under it is sealed anew in the background (keyquorum "+
				"operator key-status).")
		}
		return nil
	}
	return c
}

// rotatePoll is how often a command asks how far a change is, and rotatePatience how long it waits
// for somebody who is away before it says so and ends.
const (
	rotatePoll     = time.Second
	rotatePatience = 10 * time.Second
)

// awaitRotation tells on standard error what is waited for, and returns when nothing is, or when
// only who is away is.
func awaitRotation(c *cobra.Command, api *Client, key string, r rotation) (rotation, error) {
	told, moved := "", time.Now()
	for !r.Done {
		if text := r.progress(); text != told {
			console.Tell(c, c.ErrOrStderr(), "%s", text)
			told, moved = text, time.Now()
		}
		if r.onlyAbsent() && time.Since(moved) > rotatePatience {
			return r, nil
		}
		if err := sleep(c.Context(), rotatePoll); err != nil {
			return r, err
		}
		next, err := administer[rotation](c.Context(), api, http.MethodGet, nil, "rotate", key)
		var refused *Refusal
		switch {
		case err == nil:
			r = next
		case errors.As(err, &refused) &&
			refused.Status == http.StatusServiceUnavailable: // a change of leader, perhaps
		default:
			return r, err
		}
	}
	return r, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r rotation) onlyAbsent() bool {
	return len(r.Waiting) > 0 &&
		!slices.ContainsFunc(r.Waiting, func(l laggard) bool { return l.Answers })
}

func (r rotation) progress() string {
	if len(r.Waiting) == 0 {
		return r.Step
	}
	return r.Step + "; waiting for " + r.names()
}

func (r rotation) missing() string {
	return "not complete: " + r.progress() +
		". It goes on by itself when they are back; a member that never comes back is removed " +
		"with `keyquorum operator raft remove-peer`"
}

func (r rotation) names() string {
	var names []string
	for _, l := range r.Waiting {
		name := l.NodeID
		if l.Label != "" {
			name = l.Label + " (" + l.NodeID + ")"
		}
		if !l.Answers {
			name += ", which does not answer"
		}
		names = append(names, name)
	}
	return strings.Join(names, "; ")
}

func (r rotation) table() console.Table {
	return console.Pairs("Newest key", r.ID, "Since", console.TimeOrNot(r.Since),
		"Older keys still good", r.Older, "Complete", r.Done, "Missing", r.names())
}
