package operator

import (
	"fmt"
	"net/http"
	"strings"

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
	Fingerprints      []string `json:"pgp_fingerprints"` // null: the new shares are not encrypted
	Keys              []string `json:"keys,omitempty"`
	KeysBase64        []string `json:"keys_base64,omitempty"`
	Dropped           []string `json:"wrappers_dropped,omitempty"` // they don't open the new root key

	Returned int `json:"verification_progress,omitempty"` // new shares that were given back
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
		switch {
		case err != nil:
			return err
		case s.cancel:
			return cancelRekey(c, api, s)
		case s.begin:
			return beginRekey(c, api, format, map[string]any{"secret_shares": *shares,
				"secret_threshold": *threshold, "require_verification": *verify})
		}
		return goOnWithRekey(c, api, s, format)
	}
	return c
}

func cancelRekey(c *cobra.Command, api *Client, s *stages) error {
	err := api.Call(c.Context(), http.MethodDelete, rekeyPath+"init", s.asNonce(), nil)
	if err == nil {
		fmt.Fprintln(c.OutOrStdout(), "No rekey is under way at this node any more.")
	}
	return err
}

func beginRekey(c *cobra.Command, api *Client, format *console.Format, in any) error {
	var r rekey
	if err := api.Call(c.Context(), http.MethodPut, rekeyPath+"init", in, &r); err != nil {
		return inFlags(err)
	}
	return r.begun(c, format)
}

// goOnWithRekey shows where the rekey stands, or gives it the share that it waits for.
func goOnWithRekey(c *cobra.Command, api *Client, s *stages, format *console.Format) error {
	var r rekey
	err := api.Call(c.Context(), http.MethodGet, rekeyPath+"init", nil, &r)
	switch {
	case err != nil:
		return err
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
	asked := request{rekeyPath + "update", r.Nonce, "Unseal share", r.makes()}
	if err := s.given(c, api, asked, &r); err != nil {
		return err
	}
	return r.taken(c, format)
}

// makes says what a holder gives his share for.
func (r rekey) makes() string {
	text := fmt.Sprintf("A rekey is under way: it makes %d new shares, of which %d unseal a node. ",
		r.Shares, r.Threshold)
	if r.Verify {
		text += "They are in force when they were given back."
	} else {
		text += "They are in force at once, seen or not."
	}
	if len(r.Fingerprints) > 0 {
		text += " Each is shown encrypted, for the OpenPGP keys " + strings.Join(r.Fingerprints, ", ") +
			"."
	}
	return text
}

func (r rekey) table() console.Table {
	if !r.Started {
		return console.Pairs("Under way", "no", "Shares that unseal a node", r.Required)
	}
	stage := fmt.Sprintf("%d of %d shares were given", r.Progress, r.Required)
	if r.VerificationNonce != "" {
		stage = fmt.Sprintf("the new shares were shown, and %d of %d were given back", r.Returned,
			r.Threshold)
	}
	verify, encrypted := "no", "for nobody"
	if r.Verify {
		verify = "yes"
	}
	if len(r.Fingerprints) > 0 {
		encrypted = strings.Join(r.Fingerprints, ", ")
	}
	return console.Pairs("Under way", "yes", "Nonce", r.Nonce, "Stands at", stage,
		"New shares", r.Shares, "Of which unseal", r.Threshold, "Given back first", verify,
		"Encrypted", encrypted)
}

func (r rekey) begun(c *cobra.Command, format *console.Format) error {
	if *format != "table" {
		return format.Print(c, r, console.Table{})
	}
	console.Tell(c, c.OutOrStdout(), "The rekey has begun, under the nonce %s.", r.Nonce)
	tellDropped(c, r.Dropped, "will not go")
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
		tellDropped(c, r.Dropped, "did not go")
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

	Dropped []string `json:"wrappers_dropped,omitempty"`
}

func giveNewShare(c *cobra.Command, api *Client, s *stages, format *console.Format) error {
	var v newShareTaken
	err := api.Call(c.Context(), http.MethodGet, rekeyPath+"verify", nil, &v)
	if err != nil {
		return err
	}
	err = s.given(c, api, request{rekeyPath + "verify", v.Nonce, "New unseal share", fmt.Sprintf(
		"A rekey waits for %d of the %d new shares, which are in force then.", v.Threshold, v.Shares)},
		&v)
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
		tellDropped(c, v.Dropped, "did not go")
	}
	return nil
}

// tellDropped names the wrappers that don't open the new root key.
func tellDropped(c *cobra.Command, names []string, what string) {
	if len(names) > 0 {
		console.Tell(c, c.OutOrStdout(), "These seal wrappers %s over to the new root key, as this node "+
			"can't use their keys: %s. A node that can adds them again (keyquorum operator seal wrappers "+
			"add).", what, strings.Join(names, ", "))
	}
}
