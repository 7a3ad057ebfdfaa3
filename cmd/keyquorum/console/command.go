package console

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Group is a command that only holds others. Called with a word that none of them has, it says so.
func Group(use, short string, children ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short}
	Holding(c)
	c.AddCommand(children...)
	return c
}

// holding marks commands that only hold others.
const holding = "holding"

// Holding makes a command one that only holds others.
func Holding(c *cobra.Command) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[holding] = "yes"
	c.Args, c.RunE = cobra.ArbitraryArgs, showWhatItHolds
	// A flag that the group lacks may be one of the command that was meant, so the command is what
	// is wrong.
	c.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		if onlyHolds(c) && c.Flags().NArg() > 0 {
			return noCommand(c, c.Flags().Arg(0))
		}
		return fmt.Errorf("%w; see %s --help", wrongFlag(c, err), c.CommandPath())
	})
}

func onlyHolds(c *cobra.Command) bool { return c.Annotations[holding] != "" }

// showWhatItHolds shows what others a command holds, or says that there is none of that name.
func showWhatItHolds(c *cobra.Command, args []string) error {
	if len(args) == 0 {
		return c.Help()
	}
	return noCommand(c, args[0])
}

// noCommand names those that there are, and the one that was meant, if it is clear which that is.
func noCommand(c *cobra.Command, name string) error {
	meant, names := "", []string(nil)
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	like := commandLike(names, name)
	if below := pathsBelow(c, name); like == "" && len(below) == 1 {
		like = below[0]
	}
	if like != "" {
		meant = " (did you mean " + like + "?)"
	}
	return fmt.Errorf("%s has no command %q%s; it has %s",
		c.CommandPath(), name, meant, strings.Join(names, ", "))
}

// pathsBelow are the commands of a name that a command's own hold, as they are typed after it.
func pathsBelow(c *cobra.Command, name string) (paths []string) {
	for _, child := range c.Commands() {
		for _, below := range child.Commands() {
			if below.Name() == name && below.IsAvailableCommand() {
				paths = append(paths, child.Name()+" "+name)
			}
		}
		for _, path := range pathsBelow(child, name) {
			paths = append(paths, child.Name()+" "+path)
		}
	}
	return paths
}

// elsewhere is what commands of ours are called by other programs.
var elsewhere = map[string]string{
	"get": "show", "read": "show", "cat": "show", "describe": "show", "ls": "list",
	"put": "set", "write": "set", "add": "create", "new": "create",
	"rm": "delete", "remove": "delete", "destroy": "purge", "undelete": "recover",
}

// commandLike is what is called otherwise elsewhere, or the one name that is nearly what was typed.
func commandLike(names []string, typed string) string {
	if ours := elsewhere[typed]; slices.Contains(names, ours) {
		return ours
	}
	return Nearest(names, typed, max(1, len(typed)/3))
}

const Any = 1 << 20

// Arguments refuses a wrong number of them with the line that says which are wanted. A word that
// follows a command that holds others was meant to be one of these.
func Arguments(least, most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) > most && c.HasAvailableSubCommands() {
			return noCommand(c, args[0])
		}
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
	case most == Any:
		return "at least " + plural(least, "argument")
	case least == 0:
		return "at most " + plural(most, "argument")
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// DoubleDashes lets flags be written with one dash, as the bao and vault commands take them:
// -format=json. Only names that a command of ours has are touched, and nothing after a bare "--".
func DoubleDashes(root *cobra.Command, args []string) []string {
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
