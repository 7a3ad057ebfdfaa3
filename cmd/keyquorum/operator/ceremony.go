package operator

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// What the ceremonies have in common in which people give shares to an unsealed node (rekey.go,
// generateroot.go): they are begun, looked at, ended, and given one share at a time.

// stages are the flags that say what a command of a ceremony does. Without any it gives a share.
type stages struct {
	begin, status, cancel bool
	nonce                 string
}

// stageFlags names what is begun: "a rekey".
func stageFlags(c *cobra.Command, what string) *stages {
	var s stages
	c.Flags().BoolVar(&s.begin, "init", false, "begin "+what)
	c.Flags().BoolVar(&s.status, "status", false, "only show how far it is")
	c.Flags().BoolVar(&s.cancel, "cancel", false, "end it, and leave all as it is")
	c.Flags().StringVar(&s.nonce, "nonce", "",
		"refuse to take part in any other than the one that was begun under this `NONCE`")
	c.MarkFlagsMutuallyExclusive("init", "status", "cancel")
	return &s
}

// A request for one share says under which nonce it is taken, and for what: the holder reads that
// first, and gives nothing for what he was not told of.
type request struct {
	path, nonce, prompt string
	forWhat             string // a sentence
}

// given sends one share, which is asked for and not shown.
func (s *stages) given(c *cobra.Command, api *Client, r request, out any) error {
	if s.nonce != "" && s.nonce != r.nonce {
		return fmt.Errorf("another one is under way than you were told of: its nonce is %s", r.nonce)
	}
	console.Tell(c, c.ErrOrStderr(), "%s Its nonce is %s.", r.forWhat, r.nonce)
	share, err := console.Ask(os.Stdin, c.ErrOrStderr(), r.prompt)
	if err != nil {
		return err
	}
	in := map[string]string{"key": strings.TrimSpace(share), "nonce": r.nonce}
	return api.Call(c.Context(), http.MethodPut, r.path, in, out)
}

// noneUnderWay says how to begin.
func noneUnderWay(what, command string) error {
	return console.Exit(2, errors.New("no "+what+" is under way at this node: "+command+
		" --init begins one; another node knows nothing of it"))
}

// asNonce is the body of what names a ceremony.
func (s *stages) asNonce() any {
	if s.nonce == "" {
		return nil
	}
	return map[string]string{"nonce": s.nonce}
}
