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
	Nonce     string `json:"nonce"`
	Started   bool   `json:"started"`
	Progress  int    `json:"progress"`
	Required  int    `json:"required"`
	Complete  bool   `json:"complete"`
	Encoded   string `json:"encoded_token"`
	OTP       string `json:"otp"`
	OTPLength int    `json:"otp_length"`
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
			"tokens stay good.",
		Example: "  keyquorum operator generate-root --init\n" +
			"  keyquorum operator generate-root\n" +
			"  keyquorum operator generate-root --decode",
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
		if err != nil {
			return err
		}
		var r rootGeneration
		ctx := c.Context()
		switch {
		case s.cancel:
			if err := api.Call(ctx, http.MethodDelete, generateRootPath+"attempt", nil, nil); err != nil {
				return err
			}
			fmt.Fprintln(c.OutOrStdout(), "No root token is being made at this node any more.")
			return nil
		case s.begin:
			in := map[string]string{}
			if err := api.Call(ctx, http.MethodPut, generateRootPath+"attempt", in, &r); err != nil {
				return err
			}
			return r.begun(c, format)
		}
		if err := api.Call(ctx, http.MethodGet, generateRootPath+"attempt", nil, &r); err != nil {
			return err
		}
		switch {
		case s.status:
			return format.Print(c, r, r.table())
		case !r.Started:
			return noneUnderWay("making of a root token", "keyquorum operator generate-root")
		}
		err = s.given(ctx, api, generateRootPath+"update", r.Nonce, "Unseal share", c, &r)
		if err != nil {
			return err
		}
		return r.taken(c, format)
	}
	return c
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
	fmt.Fprintln(c.OutOrStdout(), string(token))
	return nil
}
