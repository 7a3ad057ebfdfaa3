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

// askShares asks for unseal shares until there are enough, and returns those that are good, which
// are the caller's to erase. At a terminal a wrong one is asked for again; in a pipe it ends the
// command.
func askShares(c *cobra.Command, s *node.LockedState) (good shares, err error) {
	if err := node.Harden(); err != nil { // the keys will be in this process
		return nil, err
	}
	for s.Progress() < s.Threshold {
		text, err := console.Ask(os.Stdin, c.ErrOrStderr(),
			fmt.Sprintf("Unseal share %d of %d", s.Progress()+1, s.Threshold))
		if err != nil {
			return good, err
		}
		share, err := give(s, text)
		if err == nil {
			good = append(good, share)
			continue
		}
		if !console.IsTerminal(os.Stdin) {
			return good, err
		}
		console.Tell(c, c.ErrOrStderr(), "%s", err)
	}
	return good, nil
}

var errNoShare = errors.New("an unseal share is 66 hex digits, or 44 characters of base64")

func give(s *node.LockedState, text string) ([]byte, error) {
	share, ok := node.DecodeShare([]byte(strings.TrimSpace(text)))
	if !ok {
		return nil, errNoShare
	}
	_, err := s.Share(share)
	if err != nil {
		clear(share)
	}
	if node.IsBadShare(err) {
		err = errors.New(node.ShareFault(err))
	}
	return share, err
}

// shares are what people have given.
type shares [][]byte

func (s shares) clear() {
	for _, share := range s {
		clear(share)
	}
}
