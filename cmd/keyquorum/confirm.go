package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// yesFlag lets a command that can't be undone be given without a question.
func yesFlag(c *cobra.Command) *bool {
	return c.Flags().Bool("yes", false, "don't ask, on a terminal either")
}

// confirm asks whoever sits at a terminal before what can't be undone. Scripts are not asked: there
// is nobody to answer.
func confirm(c *cobra.Command, yes bool, what string) error {
	if f, ok := c.InOrStdin().(*os.File); yes || !ok || !isTerminal(f) {
		return nil
	}
	fmt.Fprintf(c.ErrOrStderr(), "%s Type yes to go on: ", what)
	answer, err := bufio.NewReader(c.InOrStdin()).ReadString('\n')
	if err != nil || strings.TrimSpace(answer) != "yes" {
		return errors.New("nothing was done")
	}
	return nil
}
