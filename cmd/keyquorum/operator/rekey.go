package operator

import (
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

const rekeyPath = "/v1/sys/rekey/"

// rekey is where a rekey stands, in the JSON shape that scripts around `bao operator rekey` parse.
type rekey struct {
	Nonce             string   `json:"nonce"`
	Started           bool     `json:"started"`
	Threshold         int      `json:"t"`
	Shares            int      `json:"n"`
	Progress          int      `json:"progress"`
	Required          int      `json:"required"`
	Complete          bool     `json:"complete"`
	Verify            bool     `json:"verification_required"`
	VerificationNonce string   `json:"verification_nonce,omitempty"`
	Keys              []string `json:"keys,omitempty"`
	KeysBase64        []string `json:"keys_base64,omitempty"`
}

func rekeyCommand(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "rekey", Short: "Change the unseal shares, while all nodes serve",
		Long: "Change the unseal shares, while all nodes serve. One begins it with --init. Then " +
			"holders of the shares there are give them, one call each; a share is asked for and not " +
			"shown, or read from standard input. With the last one that is needed, new shares are " +
			"made and shown, once.\n\n" +
			"The old shares stay in force until as many of the new ones were given back as open, by " +
			"the same command: so nobody loses the cluster by losing what was shown. With " +
			"--verify=false the new shares are in force at once.\n\n" +
			"All calls go to one node. It forgets a rekey that it has not completed after an hour, and " +
			"when it is sealed or stopped; nothing has changed then. Nodes that are unsealed need no " +
			"share; those that are sealed take the new ones only. The keyring is changed " +
			"afterwards, by itself.",
		Example: "  keyquorum operator rekey --init --key-shares 5 --key-threshold 3\n" +
			"  keyquorum operator rekey\n" +
			"  keyquorum operator rekey --status",
		Args: console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	s := stageFlags(c, "a rekey")
	shares := c.Flags().Int("key-shares", 5, "number of new shares, with --init")
	threshold := c.Flags().Int("key-threshold", 3, "number of them that unseal a node, with --init")
	verify := c.Flags().Bool("verify", true, "with --init: have the new shares given back first")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		var r rekey
		ctx := c.Context()
		switch {
		case s.cancel:
			if err := api.Call(ctx, http.MethodDelete, rekeyPath+"init", s.asNonce(), nil); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "No rekey is under way at this node any more.")
			return nil
		case s.begin:
			in := map[string]any{"secret_shares": *shares, "secret_threshold": *threshold,
				"require_verification": *verify}
			if err := api.Call(ctx, http.MethodPut, rekeyPath+"init", in, &r); err != nil {
				return inFlags(err)
			}
			return r.begun(c, format)
		}
		if err := api.Call(ctx, http.MethodGet, rekeyPath+"init", nil, &r); err != nil {
			return err
		}
		switch {
		case s.status:
			return format.Print(c, r, r.table())
		case !r.Started:
			return noneUnderWay("rekey", "keyquorum operator rekey")
		case r.VerificationNonce != "":
			if s.nonce == r.Nonce { // what people were told at first
				s.nonce = r.VerificationNonce
			}
			return giveNewShare(c, api, s, format)
		}
		if err := s.given(ctx, api, rekeyPath+"update", r.Nonce, "Unseal share", c, &r); err != nil {
			return err
		}
		return r.taken(c, format)
	}
	return c
}

func (r rekey) table() console.Table {
	if !r.Started {
		return console.Pairs("Under way", "no", "Shares that unseal a node", r.Required)
	}
	stage := fmt.Sprintf("%d of %d shares were given", r.Progress, r.Required)
	if r.VerificationNonce != "" {
		stage = "the new shares were shown, and are to be given back"
	}
	return console.Pairs("Under way", "yes", "Nonce", r.Nonce, "Stands at", stage,
		"New shares", r.Shares, "Of which unseal", r.Threshold)
}

func (r rekey) begun(c *cobra.Command, format *console.Format) error {
	if *format != "table" {
		return format.Print(c, r, console.Table{})
	}
	console.Tell(c, c.OutOrStdout(), "The rekey has begun, under the nonce %s.", r.Nonce)
	console.Tell(c, c.OutOrStdout(), "Next, keyquorum operator rekey takes %d of the unseal shares "+
		"there are now, one by one, at this same node.", r.Required)
	return nil
}

// taken says what came of one of the shares there are.
func (r rekey) taken(c *cobra.Command, format *console.Format) error {
	w := c.OutOrStdout()
	switch {
	case *format != "table":
		return format.Print(c, r, console.Table{})
	case !r.Complete:
		console.Tell(c, w, "Share %d of %d was taken.", r.Progress, r.Required)
		return nil
	}
	for i, share := range r.KeysBase64 {
		fmt.Fprintf(w, "New Unseal Key %d: %s\n", i+1, share)
	}
	fmt.Fprintln(w)
	show := "Nothing can show these %d shares again: give each to another person, now. "
	if r.VerificationNonce == "" {
		console.Tell(c, w, show+"Any %d of them unseal a node. The older shares do no more.", r.Shares,
			r.Threshold)
		return nil
	}
	console.Tell(c, w, show+"They are not in force yet.", r.Shares)
	console.Tell(c, w, "Next, keyquorum operator rekey takes %d of them back, one by one, at this "+
		"same node. Then they unseal, and the older shares do no more.", r.Threshold)
	return nil
}

// newShareTaken is what came of a new share that was given back.
type newShareTaken struct {
	Nonce     string `json:"nonce"`
	Started   bool   `json:"started"`
	Threshold int    `json:"t"`
	Shares    int    `json:"n"`
	Progress  int    `json:"progress"`
	Complete  bool   `json:"complete"`
}

func giveNewShare(c *cobra.Command, api *Client, s *stages, format *console.Format) error {
	var v newShareTaken
	err := api.Call(c.Context(), http.MethodGet, rekeyPath+"verify", nil, &v)
	if err != nil {
		return err
	}
	err = s.given(c.Context(), api, rekeyPath+"verify", v.Nonce, "New unseal share", c, &v)
	switch {
	case err != nil:
		return err
	case *format != "table":
		return format.Print(c, v, console.Table{})
	case !v.Complete:
		console.Tell(c, c.OutOrStdout(), "New share %d of %d was taken.", v.Progress, v.Threshold)
	default:
		console.Tell(c, c.OutOrStdout(), "The new shares are in force: any %d of these %d unseal a "+
			"node. The older shares do no more.", v.Threshold, v.Shares)
	}
	return nil
}
