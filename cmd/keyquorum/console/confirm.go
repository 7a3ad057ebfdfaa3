package console

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Asking has a command ask whoever sits at a terminal before it does what can't be undone, which
// what says. Scripts are not asked, since there is nobody to answer, nor who gives --yes.
func Asking(c *cobra.Command, what func(args []string) string) *cobra.Command {
	yes, do := c.Flags().Bool("yes", false, "don't ask, on a terminal either"), c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if err := confirm(c, *yes, what(args)); err != nil {
			return err
		}
		return do(c, args)
	}
	return c
}

func confirm(c *cobra.Command, yes bool, what string) error {
	if yes || !IsTerminal(c.InOrStdin()) {
		return nil
	}
	Tell(c, c.ErrOrStderr(), "%s", what)
	fmt.Fprint(c.ErrOrStderr(), "Type yes to go on: ")
	answer, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was done: the answer was not yes")
	}
	return nil
}
