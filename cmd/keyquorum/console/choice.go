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

// Files has a shell complete names of files.
func Files(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// Complete has a shell complete the values of flags: those of a choice, and names of files where
// help says FILE, and of folders where it says FOLDER. Nothing else is taken for a file.
func Complete(root *cobra.Command) {
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	completeFlags(root)
}

func completeFlags(c *cobra.Command) {
	complete := func(f *pflag.Flag) {
		name, _ := pflag.UnquoteUsage(f)
		var err error
		switch of, chosen := f.Value.(*choice); {
		case chosen:
			err = c.RegisterFlagCompletionFunc(f.Name,
				cobra.FixedCompletions(of.of, cobra.ShellCompDirectiveNoFileComp))
		case name == "FILE":
			err = c.RegisterFlagCompletionFunc(f.Name, Files)
		case name == "FOLDER":
			err = c.RegisterFlagCompletionFunc(f.Name, folders)
		}
		if err != nil {
			panic(err) // a flag that has a completion already
		}
	}
	c.Flags().VisitAll(complete)
	c.PersistentFlags().VisitAll(complete)
	for _, child := range c.Commands() {
		completeFlags(child)
	}
}
