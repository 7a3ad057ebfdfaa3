package recovery

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/node"
)

// askShares asks for unseal shares until there are enough. At a terminal a wrong one is asked for
// again; in a pipe it ends the command.
func askShares(c *cobra.Command, s *node.LockedState) error {
	for s.Progress() < s.Threshold {
		text, err := console.Ask(os.Stdin, c.ErrOrStderr(),
			fmt.Sprintf("Unseal share %d of %d", s.Progress()+1, s.Threshold))
		if err != nil {
			return err
		}
		if err := give(s, text); err != nil {
			if !console.IsTerminal(os.Stdin) {
				return err
			}
			console.Tell(c, c.ErrOrStderr(), "%s", err)
		}
	}
	return nil
}

func give(s *node.LockedState, text string) error {
	share, ok := node.DecodeShare([]byte(strings.TrimSpace(text)))
	if !ok {
		return errors.New("an unseal share is 66 hex digits, or 44 characters of base64")
	}
	defer clear(share)
	_, err := s.Share(share)
	return err
}
