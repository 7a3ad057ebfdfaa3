package main

import (
	"io"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

const completionHelp = `Print what makes a shell complete commands, flags, and the names of vaults and objects. Names are
asked for when Tab is pressed: objects as the application of the environment or of keyquorum login,
vaults with the operators' token where there is one. What cannot be asked for is not offered.

  bash   source <(keyquorum completion bash)
  zsh    source <(keyquorum completion zsh)
  fish   keyquorum completion fish | source`

func completionCommand() *cobra.Command {
	c := console.Group("completion", "Print what makes bash, zsh or fish complete commands and names")
	c.Long = completionHelp
	shells := []struct {
		name  string
		print func(root *cobra.Command, w io.Writer) error
	}{
		{"bash", func(root *cobra.Command, w io.Writer) error { return root.GenBashCompletionV2(w, true) }},
		{"zsh", func(root *cobra.Command, w io.Writer) error { return root.GenZshCompletion(w) }},
		{"fish", func(root *cobra.Command, w io.Writer) error { return root.GenFishCompletion(w, true) }},
	}
	for _, shell := range shells {
		c.AddCommand(&cobra.Command{
			Use: shell.name, Short: "For " + shell.name, Args: console.Arguments(0, 0),
			RunE: func(c *cobra.Command, _ []string) error { return shell.print(c.Root(), c.OutOrStdout()) },
		})
	}
	return c
}
