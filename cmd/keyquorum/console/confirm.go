package console

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// YesFlag lets a command that can't be undone be given without a question.
func YesFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("yes", false, "don't ask, on a terminal either")
}

// Confirm asks whoever sits at a terminal before what can't be undone. Scripts are not asked: there
// is nobody to answer.
func Confirm(c *cobra.Command, yes bool, what string) error {
	if yes || !IsTerminal(c.InOrStdin()) {
		return nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s Type yes to go on: ", what)
	answer, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}
