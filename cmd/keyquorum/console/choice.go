package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// A choice is a flag that has one of a few values.
type choice struct {
	value *string
	of    []string
}

func (c *choice) String() string { return *c.value }
func (c *choice) Type() string   { return strings.Join(c.of, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		return fmt.Errorf(
			"it is %s or %s",
			strings.Join(c.of[:len(c.of)-1], ", "),
			c.of[len(c.of)-1],
		)
	}
	*c.value = s
	return nil
}

// ChoiceFlag gives a command a flag that has one of a few values, the first where nothing is said.
// A shell completes them.
func ChoiceFlag(c *cobra.Command, value *string, name, usage string, of ...string) {
	*value = of[0]
	c.Flags().Var(&choice{value, of}, name, usage)
	if err := c.RegisterFlagCompletionFunc(name,
		cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is there
	}
}
