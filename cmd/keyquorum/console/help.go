package console

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// helpColumns is how wide help is at most: a terminal's usual width.
const helpColumns = 80

// Explain gives a root command, and all that it holds, help within a terminal's width, and
// completion. All commands have been added before.
func Explain(root *cobra.Command) {
	root.CompletionOptions.DisableDefaultCmd = true // ours says more
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	explainFlags(root)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) {
		fmt.Fprintln(c.OutOrStdout(), help(c))
	})
	root.SetHelpCommand(helpCommand(root))
}

// helpCommand is `help COMMAND`, which says so where there is no such command.
func helpCommand(root *cobra.Command) *cobra.Command {
	c := &cobra.Command{
		Use: "help [COMMAND]", Short: "Explain a command", Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			about, rest, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(rest) > 0 && about.HasSubCommands() {
				return noCommand(about, rest[0])
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string,
		cobra.ShellCompDirective) {
		about, rest, err := root.Find(args)
		if err != nil || len(rest) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var names []string
		for _, child := range about.Commands() {
			if child.IsAvailableCommand() && strings.HasPrefix(child.Name(), begun) {
				names = append(names, cobra.CompletionWithDesc(child.Name(), child.Short))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

// help is what is shown of a command: what it does, how it is called, and what it holds.
func help(c *cobra.Command) string {
	describe(c.Flags(), "help", "explain this command")
	describe(c.Flags(), "version", "say which build this is")
	var b strings.Builder
	b.WriteString(flowing(strings.TrimSpace(cmp.Or(c.Long, c.Short))))
	section(&b, "Usage:", "  "+usage(c))
	section(&b, "Examples:", commandLines(asCalled(c, c.Example)))
	for _, g := range c.Groups() {
		section(&b, g.Title, children(c, g.ID))
	}
	title := "Commands:"
	if len(c.Groups()) > 0 {
		title = "More commands:"
	}
	section(&b, title, children(c, ""))
	section(&b, "Flags:", c.LocalFlags().FlagUsages())
	section(&b, "Global flags:", c.InheritedFlags().FlagUsages())
	section(&b, "Environment:", environment(c))
	if c.HasAvailableSubCommands() {
		section(&b, "", c.CommandPath()+" COMMAND --help explains a command.")
	}
	return wrapped(asCalled(c, b.String()), helpColumns)
}

// inEnvironment is where a command keeps what its environment tells it.
const inEnvironment = "environment"

// Environment adds to the help of a command, and of all below it, what it takes from its
// environment and from no flag.
func Environment(c *cobra.Command, names, what string) {
	if c.Annotations == nil {
		c.Annotations = map[string]string{}
	}
	c.Annotations[inEnvironment] += names + "\t" + what + "\n"
}

// environment lists what a command takes from its environment.
func environment(c *cobra.Command) string {
	text := ""
	for ; c != nil; c = c.Parent() {
		text = c.Annotations[inEnvironment] + text
	}
	longest := 0
	for line := range strings.Lines(text) {
		longest = max(longest, strings.Index(line, "\t"))
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		names, what, _ := strings.Cut(line, "\t")
		fmt.Fprintf(&b, "  %-*s   %s", longest, names, what)
	}
	return b.String()
}

// describe says what one of cobra's own flags does.
func describe(f *pflag.FlagSet, name, does string) {
	if flag := f.Lookup(name); flag != nil && flag.Value.Type() == "bool" {
		flag.Usage = does
	}
}

// section adds a part of the help, if there is anything in it.
func section(b *strings.Builder, title, text string) {
	if text = strings.TrimRight(text, " \n"); text == "" {
		return
	}
	b.WriteString("\n\n")
	if title != "" {
		b.WriteString(title + "\n")
	}
	b.WriteString(text)
}

// usage is how a command is called. One that only holds others takes no flags of its own.
func usage(c *cobra.Command) string {
	if onlyHolds(c) {
		return c.CommandPath() + " COMMAND"
	}
	return c.UseLine()
}

// children lists the commands of a group that a command holds.
func children(c *cobra.Command, group string) string {
	var b strings.Builder
	for _, child := range c.Commands() {
		if child.GroupID == group && child.IsAvailableCommand() {
			fmt.Fprintf(&b, "  %-*s  %s\n", child.NamePadding(), child.Name(), child.Short)
		}
	}
	return b.String()
}

// commandLines breaks command lines that are too long so that a shell takes them all the same.
func commandLines(text string) string {
	const goesOn, indent = ` \`, "      "
	var out strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		for len(line) > helpColumns {
			fits := line[:helpColumns-len(goesOn)+1]
			at := strings.LastIndex(fits, " --") // rather than between a flag and its value
			if at <= len(indent) {
				at = strings.LastIndex(fits, " ")
			}
			if at <= len(indent) {
				break // one long word
			}
			out.WriteString(line[:at] + goesOn + "\n")
			line = indent + line[at+1:]
		}
		out.WriteString(line + "\n")
	}
	return out.String()
}
