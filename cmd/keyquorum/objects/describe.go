package objects

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
)

// examples are those of verbs that have none of their own, without keyquorum and the kind.
var examples = map[string]string{
	"list":            "list --vault demo",
	"list-versions":   "list-versions %s --vault demo",
	"list-deleted":    "list-deleted --vault demo",
	"set-attributes":  "set-attributes %s --vault demo --expires 90d --tag owner=billing",
	"delete":          "delete %s --vault demo",
	"recover":         "recover %s --vault demo",
	"purge":           "purge %s --vault demo",
	"backup":          "backup %s --vault demo --file %[1]s.backup",
	"restore":         "restore --vault demo --file %s.backup",
	"rotate":          "rotate %s --vault demo",
	"rotation-policy": "rotation-policy %s --vault demo --rotate-after P90D",
	"random":          "random 32 --vault demo --out random",
	"import":          "import %s --vault demo --file private.pem",
}

// describe adds to the commands of a kind what whoever types them wants: examples, the values that
// flags have, and a question before what is for good.
func describe(c *cobra.Command, kind reference.Kind) {
	name := map[reference.Kind]string{reference.Secrets: "hello", reference.Keys: "signer"}[kind]
	for _, child := range c.Commands() {
		if example, ok := examples[child.Name()]; ok && child.Example == "" {
			if strings.Contains(example, "%") {
				example = fmt.Sprintf(example, name)
			}
			child.Example = "  keyquorum " + c.Name() + " " + example
		}
		completeValues(child)
		if child.Name() == "purge" {
			console.Asking(child, func(args []string) string {
				return fmt.Sprintf("The deleted %s %s and all its versions will be gone for ever.",
					kind.Word(), strings.Join(args, " "))
			})
		}
	}
}

// valuesOf flags are what a vault knows.
var valuesOf = map[string][]string{
	"as":       {"pem", "jwk", "raw"},
	"curve":    {"P-256", "P-384", "P-521", "P-256K"},
	"encoding": {"utf-8", "base64"},
	"kty":      {"RSA", "EC", "oct", "RSA-HSM", "EC-HSM", "oct-HSM"},
}

// enciphering are the algorithms that encrypt and wrap.
var enciphering = []string{"RSA-OAEP-256", "RSA-OAEP", "A128GCM", "A192GCM", "A256GCM", "A128KW",
	"A192KW", "A256KW", "A128CBCPAD", "A192CBCPAD", "A256CBCPAD"}

// completeValues has a shell complete the values of flags.
func completeValues(c *cobra.Command) {
	for name, values := range valuesOf {
		if f := c.Flags().Lookup(name); f != nil && f.Name == name { // and isn't another in az's words
			offer(c, name, values)
		}
	}
	switch c.Name() {
	case "sign", "verify":
		offer(c, "algorithm", slices.Sorted(maps.Keys(hashes)))
	case "encrypt", "decrypt", "wrap", "unwrap":
		offer(c, "algorithm", enciphering)
	}
}

func offer(c *cobra.Command, flag string, values []string) {
	err := c.RegisterFlagCompletionFunc(flag,
		cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp))
	if err != nil {
		panic(err) // the flag is there
	}
}
