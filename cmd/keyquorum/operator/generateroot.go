package operator

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

const generateRootPath = "/v1/sys/generate-root/"

// rootGeneration is where the making of a root token stands, in the JSON shape that scripts around
// `bao operator generate-root` parse.
type rootGeneration struct {
	Nonce       string `json:"nonce"`
	Started     bool   `json:"started"`
	Progress    int    `json:"progress"`
	Required    int    `json:"required"`
	Complete    bool   `json:"complete"`
	Encoded     string `json:"encoded_token"`
	Fingerprint string `json:"pgp_fingerprint"` // "": the token is masked with the password
	OTP         string `json:"otp"`
	OTPLength   int    `json:"otp_length"`
}

func generateRootCommand(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "generate-root", Short: "Make another root token, with the unseal shares",
		Long: "Make another root token, with the unseal shares. One begins it with --init and gets a " +
			"one-time password. Then holders of shares give them, one call each; a share is asked for " +
			"and not shown, or read from standard input. The last call shows the token, masked with " +
			"that password: only who has both has the token. --decode takes the password off.\n\n" +
			"All calls go to one node, and need a root token that is still good. The node forgets " +
			"what it has not completed after an hour, and when it is sealed or stopped. Older root " +
			"tokens stay good.\n\n" +
			"Where no token is left, root or the node's user calls the node at its break-glass socket " +
			"(break_glass in its configuration), on the node's machine. It wants the shares alone.",
		Example: "  keyquorum operator generate-root --init\n" +
			"  keyquorum operator generate-root\n" +
			"  keyquorum operator generate-root --decode\n" +
			"  keyquorum operator generate-root --init --address " +
			"unix:///run/keyquorum/break-glass.sock",
		Args: console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	s := stageFlags(c, "to make a root token")
	decode := c.Flags().Bool("decode", false,
		"ask for the masked token and the password, and print the token; asks no node")
	c.MarkFlagsMutuallyExclusive("init", "status", "cancel", "decode")
	c.RunE = func(c *cobra.Command, _ []string) error {
		if *decode {
			return decodeToken(c)
		}
		api, err := k.Client()
		switch {
		case err != nil:
			return err
		case s.cancel:
			return cancelRootGeneration(c, api)
		case s.begin:
			return beginRootGeneration(c, api, format)
		}
		return goOnWithRootGeneration(c, api, s, format)
	}
	return c
}

func cancelRootGeneration(c *cobra.Command, api *Client) error {
	err := api.Call(c.Context(), http.MethodDelete, generateRootPath+"attempt", nil, nil)
	if err == nil {
		fmt.Fprintln(c.OutOrStdout(), "No root token is being made at this node any more.")
	}
	return err
}

func beginRootGeneration(c *cobra.Command, api *Client, format *console.Format) error {
	var r rootGeneration
	in := map[string]string{}
	if err := api.Call(c.Context(), http.MethodPut, generateRootPath+"attempt", in, &r); err != nil {
		return err
	}
	return r.begun(c, format)
}

// goOnWithRootGeneration shows where it stands, or gives it a share.
func goOnWithRootGeneration(
	c *cobra.Command, api *Client, s *stages, format *console.Format,
) error {
	var r rootGeneration
	err := api.Call(c.Context(), http.MethodGet, generateRootPath+"attempt", nil, &r)
	switch {
	case err != nil:
		return err
	case s.status:
		return format.Print(c, r, r.table())
	case !r.Started:
		return noneUnderWay("making of a root token", "keyquorum operator generate-root")
	}
	asked := request{generateRootPath + "update", r.Nonce, "Unseal share", r.makes()}
	if err := s.given(c, api, asked, &r); err != nil {
		return err
	}
	return r.taken(c, format)
}

// makes says what a holder gives his share for.
func (r rootGeneration) makes() string {
	if r.Fingerprint != "" {
		return "A root token is being made, for whoever has the OpenPGP key " + r.Fingerprint + "."
	}
	return "A root token is being made, for whoever has the one-time password that was shown."
}

func (r rootGeneration) table() console.Table {
	if !r.Started {
		return console.Pairs("Under way", "no", "Shares that are needed", r.Required)
	}
	return console.Pairs("Under way", "yes", "Nonce", r.Nonce, "Stands at",
		fmt.Sprintf("%d of %d shares were given", r.Progress, r.Required))
}

func (r rootGeneration) begun(c *cobra.Command, format *console.Format) error {
	w := c.OutOrStdout()
	if *format != "table" {
		return format.Print(c, r, console.Table{})
	}
	fmt.Fprintf(w, "One-Time Password: %s\n\n", r.OTP)
	console.Tell(c, w, "It is not shown again, and takes the mask off the token that is to be made. "+
		"The nonce is %s.", r.Nonce)
	console.Tell(c, w, "Next, keyquorum operator generate-root takes %d of the unseal shares, one by "+
		"one, at this same node.", r.Required)
	return nil
}

func (r rootGeneration) taken(c *cobra.Command, format *console.Format) error {
	w := c.OutOrStdout()
	switch {
	case *format != "table":
		return format.Print(c, r, console.Table{})
	case !r.Complete:
		console.Tell(c, w, "Share %d of %d was taken.", r.Progress, r.Required)
		return nil
	}
	fmt.Fprintf(w, "Encoded Token: %s\n\n", r.Encoded)
	console.Tell(c, w, "Whoever has the one-time password gets the token from it, with keyquorum "+
		"operator generate-root --decode.")
	return nil
}

// decodeToken takes the one-time password off a token.
func decodeToken(c *cobra.Command) error {
	encoded, err := console.Ask(os.Stdin, c.ErrOrStderr(), "Encoded token")
	if err != nil {
		return err
	}
	otp, err := console.Ask(os.Stdin, c.ErrOrStderr(), "One-time password")
	if err != nil {
		return err
	}
	otp = strings.TrimSpace(otp)
	encoded = strings.TrimRight(strings.TrimSpace(encoded), "=")
	token, err := base64.RawStdEncoding.DecodeString(encoded)
	if err != nil || len(token) != len(otp) {
		return errors.New("this token was not masked with this password: one of them is not whole")
	}
	subtle.XORBytes(token, token, []byte(otp))
	if !strings.HasPrefix(string(token), "kq.") {
		return errors.New("this token was not masked with this password: take the one that was shown " +
			"when the making of this token was begun")
	}
	fmt.Fprintln(c.OutOrStdout(), string(token))
	return nil
}
