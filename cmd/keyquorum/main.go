// Command keyquorum is the one binary: server, dev cluster, operator and administration commands.
//
// It assembles and never decides: a command reads flags, calls node and httpapi (server) or a node's HTTP API (all
// others), and prints. Exit codes are those that scripts for bao and vault rely on: 0 done, 1 wrong usage or a local
// failure, 2 refused by the server; `operator status` gives 2 for a sealed node.
package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func main() { os.Exit(run(os.Args[1:])) }

// exitError ends the program with a code; a nil err prints nothing.
type exitError struct {
	code int
	err  error
}

func (e exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit %d", e.code)
	}
	return e.err.Error()
}

func (e exitError) Unwrap() error { return e.err }

func run(args []string) int {
	root := newRoot()
	root.SetArgs(doubleDashes(root, args))
	err := root.Execute()
	if err == nil {
		return 0
	}
	code, silent := 1, false
	var exit exitError
	if errors.As(err, &exit) {
		code, silent = exit.code, exit.err == nil
	}
	if !silent {
		fmt.Fprintln(os.Stderr, "keyquorum: "+oneLine(err.Error()))
	}
	return code
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "keyquorum",
		Short:         "A key vault you own: Azure Key Vault for applications, Vault for operators",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version,
		Args:          cobra.ArbitraryArgs,
		RunE:          onlyHolds,
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	wrapHelp(root)
	root.CompletionOptions.DisableDefaultCmd = true
	root.AddCommand(serverCommand(), devCommand(), operatorCommand(), statusCommand(), planCommand(), vaultCommand(), appCommand(), grantCommand(),
		proveCommand(), openapiCommand(), versionCommand())
	return root
}

// group is a command that only holds others. Called with a word that none of them has, it says so.
func group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Args: cobra.ArbitraryArgs, RunE: onlyHolds}
	// A flag that the group lacks may be one of the command that was meant, so the command is what
	// is wrong.
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if c.HasSubCommands() && c.Flags().NArg() > 0 {
			return noCommand(c, c.Flags().Arg(0))
		}
		return fmt.Errorf("%w; see %s --help", err, c.CommandPath())
	})
	c.AddCommand(children...)
	return c
}

// onlyHolds shows what others a command holds, or says that there is none of that name.
func onlyHolds(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	return noCommand(c, args[0])
}

// noCommand names those that there are, and the one that was meant, if it is clear which that is. A
// short word is like too many others.
func noCommand(c *cobra.Command, name string) error {
	if c.SuggestionsMinimumDistance = 2; len(name) < 5 {
		c.SuggestionsMinimumDistance = 1
	}
	meant := ""
	if like := c.SuggestionsFor(name); len(like) == 1 {
		meant = " (did you mean " + like[0] + "?)"
	}
	var names []string
	for _, child := range c.Commands() {
		names = append(names, child.Name())
	}
	return fmt.Errorf("%s has no command %q%s; it has %s",
		c.CommandPath(), name, meant, strings.Join(names, ", "))
}

const anyNumber = 1 << 20

// arguments refuses a wrong number of them with the line that says which are wanted.
func arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < least || len(args) > most {
			return fmt.Errorf("%s takes %s, and was given %d; usage: %s",
				c.CommandPath(), howMany(least, most), len(args), c.UseLine())
		}
		return nil
	}
}

func howMany(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least == most && most == 1:
		return "1 argument"
	case least == most:
		return fmt.Sprintf("%d arguments", most)
	case most == anyNumber:
		return fmt.Sprintf("%d arguments or more", least)
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// doubleDashes lets flags be written with one dash, as the bao and vault commands take them: -format=json.
// Only names that a command of ours has are touched, and nothing after a bare "--".
func doubleDashes(root *cobra.Command, args []string) []string {
	known := map[string]bool{"help": true, "version": true}
	collectFlags(root, known)
	args = slices.Clone(args)
	for i, arg := range args {
		if arg == "--" {
			break
		}
		name, _, _ := strings.Cut(strings.TrimPrefix(arg, "-"), "=")
		if strings.HasPrefix(arg, "-") && len(name) > 1 && known[name] {
			args[i] = "-" + arg
		}
	}
	return args
}

func collectFlags(c *cobra.Command, into map[string]bool) {
	note := func(f *pflag.Flag) { into[f.Name] = true }
	c.Flags().VisitAll(note)
	c.PersistentFlags().VisitAll(note)
	for _, child := range c.Commands() {
		collectFlags(child, into)
	}
}

// oneLine keeps an error on the one line that a log or a script reads.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}
