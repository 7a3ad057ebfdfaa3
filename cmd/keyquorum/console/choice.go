package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A choice is a flag that has one of a few values.
type choice struct {
	value *string
	of    []string
}

// Choice is a flag of a few values, of which value holds the default.
func Choice(value *string, of ...string) pflag.Value { return &choice{value, of} }

// ChoiceFlag gives a command a flag that has one of a few values, the first where nothing is said.
// A shell completes them.
func ChoiceFlag(c *cobra.Command, value *string, name, usage string, of ...string) {
	*value = of[0]
	c.Flags().Var(Choice(value, of...), name, usage)
	if err := c.RegisterFlagCompletionFunc(name,
		cobra.FixedCompletions(of, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is there
	}
}

func (c *choice) String() string { return *c.value }
func (c *choice) Type() string   { return strings.Join(c.of, "|") }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		last := len(c.of) - 1
		return fmt.Errorf("it is %s or %s", strings.Join(c.of[:last], ", "), c.of[last])
	}
	*c.value = s
	return nil
}
