package objects

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
)

// Whoever knows `az keyvault` types its names. They are understood, and help shows only ours.

// azureNames are names of flags of the Azure CLI, and ours.
var azureNames = map[string]string{
	"vault-name": "vault", "tags": "tag", "type": "kty", "pem-file": "file",
	"description": "content-type", "output": "format",
}

// understandsAzure has a command take the names of the Azure CLI too. Where it has no --tag, az's
// is the tag of AES-GCM.
func understandsAzure(c *cobra.Command) {
	hasTags, hasForms := c.Flags().Lookup("tag") != nil, c.Flags().Lookup("as") != nil
	c.Flags().SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		switch {
		case name == "tag" && !hasTags:
			name = "auth-tag"
		case name == "encoding" && hasForms:
			name = "as"
		case azureNames[name] != "":
			name = azureNames[name]
		}
		return pflag.NormalizedName(name)
	})
}

// argumentFlags are how the Azure CLI gives what is an argument here.
var argumentFlags = map[string][]string{"NAME": {"name", "id"}, "COUNT": {"count"}}

// bindArgument adds them to a command that has such an argument.
func bindArgument(f *pflag.FlagSet, in *input, argument string) {
	for _, name := range argumentFlags[argument] {
		short := ""
		if name == "name" {
			short = "n"
		}
		f.StringVarP(&in.argument, name, short, "", "")
		_ = f.MarkHidden(name)
	}
}

// arguments are those of a verb that has one argument or none, wherever it was given.
func (in *input) arguments(c *cobra.Command, given, wanted []string) ([]string, error) {
	if in.argument != "" {
		if len(given) == 0 {
			return []string{in.argument}, nil
		}
		return nil, fmt.Errorf("%s: an argument is given besides --name or --id%s", c.CommandPath(),
			spaced(c))
	}
	err := console.Arguments(len(wanted), len(wanted))(c, given)
	if err != nil && len(given) > len(wanted) {
		err = errors.New(err.Error() + spaced(c))
	}
	return given, err
}

// spaced is what to say of flags that were given, and to which the Azure CLI gives values with
// spaces between.
func spaced(c *cobra.Command) string {
	var ways []string
	for _, flag := range []struct{ name, way string }{
		{"tag", "--tag a=b --tag c=d"}, {"ops", "--ops sign,verify"},
		{"enabled", "--enabled=false"}, {"disabled", "--disabled=true"},
	} {
		given := c.Flags().Lookup(flag.name)
		if given != nil && given.Changed && given.Name == flag.name {
			ways = append(ways, flag.way)
		}
	}
	if ways == nil {
		return ""
	}
	return "; write " + strings.Join(ways, ", ")
}

// bindDisabled and bindProtection say in the Azure CLI's way what --enabled and --hsm say.
func bindDisabled(f *pflag.FlagSet, in *input) {
	f.BoolVar(&in.attributes.disabled, "disabled", false, "")
	_ = f.MarkHidden("disabled")
}

func bindProtection(f *pflag.FlagSet, in *input) {
	f.StringVarP(&in.key.protection, "protection", "p", "software", "")
	_ = f.MarkHidden("protection")
}

// protected says whether a key is to be one of type …-HSM.
func (k keyFlags) protected() (bool, error) {
	switch k.protection {
	case "software":
		return k.hsm, nil
	case "hsm":
		return true, nil
	}
	return false, fmt.Errorf("--protection %q: it is software or hsm", k.protection)
}
