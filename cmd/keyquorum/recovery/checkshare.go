package recovery

import (
	"errors"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/node"
)

// checkedShare is the command's JSON.
type checkedShare struct {
	Good       bool   `json:"good"`
	Number     int    `json:"number"`
	Shares     int    `json:"shares"`
	Threshold  int    `json:"threshold"`
	Generation uint64 `json:"generation"`
}

// CheckShareCommand is the command check-share. The share is held against the seal's lock here, and
// goes to no node.
func CheckShareCommand(k *operator.Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "check-share", Short: "Say whether an unseal share is good, and give it to nobody",
		Long: "Say whether an unseal share is one of those that unseal the cluster now. The command " +
			"asks a node, sealed or not, for the hashes of the shares, which are no secret, and " +
			"compares here: the share is not sent, and nothing is unsealed. It is asked for and not " +
			"shown, or read from standard input.\n\nExit codes: 0 it is good; 1 it is not; 2 no node " +
			"was reached.",
		Example: "  keyquorum operator check-share",
		Args:    console.Arguments(0, 0),
	}
	format := console.FormatFlag(c)
	c.RunE = func(c *cobra.Command, _ []string) error {
		if err := node.Harden(); err != nil { // the share will be in this process
			return err
		}
		api, err := k.Client()
		if err != nil {
			return err
		}
		var out struct {
			Lock []byte `json:"lock"`
		}
		err = api.Call(c.Context(), http.MethodGet, "/v1/keyquorum/seal-lock", nil, &out)
		if err != nil {
			return err
		}
		checked, err := askToCheck(c, out.Lock)
		if err != nil {
			return console.Exit(1, err)
		}
		return format.Print(c, checked, console.Pairs("Good", checked.Good,
			"Share", checked.Number, "Unseal shares", checked.Shares,
			"Needed to unseal", checked.Threshold, "Generation", checked.Generation))
	}
	return c
}

func askToCheck(c *cobra.Command, lock []byte) (checkedShare, error) {
	text, err := console.Ask(os.Stdin, c.ErrOrStderr(), "Unseal share")
	if err != nil {
		return checkedShare{}, err
	}
	share, ok := node.DecodeShare([]byte(strings.TrimSpace(text)))
	if !ok {
		return checkedShare{}, errNoShare
	}
	defer clear(share)
	s, err := node.CheckShare(lock, share)
	switch {
	case node.IsBadShare(err):
		return checkedShare{}, errors.New("not good: " + node.ShareFault(err))
	case err != nil:
		return checkedShare{}, err
	}
	return checkedShare{true, s.Number, s.Shares, s.Threshold, s.Generation}, nil
}
