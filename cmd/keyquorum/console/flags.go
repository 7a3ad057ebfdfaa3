package console

import (
	"regexp"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Files has a shell complete names of files.
func Files(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

func folders(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveFilterDirs
}

// ofFile is how the explanation of a flag begins that takes a file or a folder.
var ofFile = regexp.MustCompile(`^((?:PEM|JSON|data) )?(file|folder)\b`)

// explainFlags has a shell complete the values of flags, those of a choice, and files and folders
// where the explanation begins with one. Nothing else is taken for a file. Explanations become one
// line each: it is help that breaks them.
func explainFlags(c *cobra.Command) {
	explain := func(f *pflag.Flag) {
		f.Usage = strings.Join(strings.Fields(f.Usage), " ")
		values := valuesOf(f)
		if _, has := c.GetFlagCompletionFunc(f.Name); has || values == nil {
			return
		}
		if err := c.RegisterFlagCompletionFunc(f.Name, values); err != nil {
			panic(err) // the flag is there
		}
	}
	c.LocalFlags().VisitAll(explain)
	for _, child := range c.Commands() {
		explainFlags(child)
	}
}

// valuesOf is what completes the values of a flag; nil where nothing is known.
func valuesOf(f *pflag.Flag) cobra.CompletionFunc {
	if of, chosen := f.Value.(*choice); chosen {
		return cobra.FixedCompletions(of.of, cobra.ShellCompDirectiveNoFileComp)
	}
	begins := ofFile.FindStringSubmatch(f.Usage)
	if begins == nil || f.Value.Type() == "bool" {
		return nil
	}
	f.Usage = ofFile.ReplaceAllString(f.Usage, "${1}`${2}`") // what stands after the flag's name
	if begins[2] == "folder" {
		return folders
	}
	return Files
}
