package objects

import (
	"context"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

// A verb is one thing that is done with objects of a kind.
type verb struct {
	use     string // what follows the kind: a first argument NAME is a reference to an object
	short   string
	more    string // of the help, beyond short
	example string
	flags   []func(*pflag.FlagSet, *input)
	do      func(*call) (console.Answer, error)
	deleted bool // NAME is that of a deleted object
}

// input is what the flags say; each verb has those that it binds.
type input struct {
	argument   string // where a flag gave it
	version    string
	file       string
	out        string
	value      string
	encoding   string
	as         string
	algorithm  string
	attributes attributeFlags
	key        keyFlags
	crypto     cryptoFlags
	policy     policyFlags
}

// A call is a verb that is being done.
type call struct {
	ctx    context.Context
	cmd    *cobra.Command
	in     *input
	output *console.Output
	kind   reference.Kind
	vault  *session.Vault
	shelf  shelf
	ref    reference.Reference
	args   []string // beside NAME
}

func (c *call) people() io.Writer { return c.cmd.ErrOrStderr() }

// changed says whether a flag was given.
func (c *call) changed(flag string) bool { return c.cmd.Flags().Changed(flag) }

// ask does calls of the SDK: whoever waits for long is told, who interrupts it hears what that means
// for a change, and what goes wrong is explained.
func ask[T any](c *call, do func(context.Context) (T, error)) (T, error) {
	if !c.output.Quiet() {
		defer console.Waiting(c.people(), "waiting for "+c.vault.URL)()
	}
	ctx, stop := interruptible(c.ctx)
	defer stop()
	answer, err := do(ctx)
	return answer, c.vault.Explain(err, c.kind, c.ref.Name)
}

// interruptible ends with Ctrl-C or SIGTERM, unless we were started to ignore Ctrl-C, as a shell's
// background jobs are.
func interruptible(ctx context.Context) (context.Context, context.CancelFunc) {
	if signal.Ignored(os.Interrupt) {
		return signal.NotifyContext(ctx, syscall.SIGTERM)
	}
	return signal.NotifyContext(ctx, os.Interrupt, syscall.SIGTERM)
}

// SecretCommand is `keyquorum secret`.
func SecretCommand(vaults session.VaultNames) *cobra.Command {
	verbs := append(secretVerbs(), commonVerbs(reference.Secrets)...)
	return command(reference.Secrets, "Set, show and manage secrets", verbs, vaults)
}

// KeyCommand is `keyquorum key`.
func KeyCommand(vaults session.VaultNames) *cobra.Command {
	verbs := append(keyVerbs(), commonVerbs(reference.Keys)...)
	return command(reference.Keys, "Make, use and manage keys", verbs, vaults)
}

const aboutObjects = `It calls the vault as any program with an Azure SDK does, as the application of
Azure's environment variables (AZURE_AUTHORITY_HOST, AZURE_TENANT_ID,
AZURE_CLIENT_ID, AZURE_CLIENT_SECRET) or of keyquorum login. So it works with
vaults of Azure itself too. NAME is the name of a %[1]s, its id
(https://host/%[1]ss/name/version), or akv://vault/name[/version].

Exit codes: 0 done; 1 wrong usage or a local failure; 2 refused by the vault, no
node was reached, or nobody knows whether it was done%[2]s.`

func command(kind reference.Kind, short string, verbs []verb, vaults session.VaultNames) *cobra.Command {
	c := console.Group(kind.Word(), short)
	verifies := ""
	if kind == reference.Keys {
		verifies = "; 3 a signature that does not verify"
	}
	c.Long = short + ".\n\n" + strings.NewReplacer("%[1]s", kind.Word(), "%[2]s", verifies).
		Replace(aboutObjects)
	settings, output := session.Flags(c), console.OutputFlags(c)
	for _, v := range verbs {
		c.AddCommand(v.command(kind, settings, output))
	}
	session.CompleteVaults(c, vaults)
	describe(c, kind)
	return c
}

// command is the verb as it is typed.
func (v verb) command(
	kind reference.Kind, settings *session.Settings, output *console.Output,
) *cobra.Command {
	wanted := strings.Fields(v.use)[1:]
	c := &cobra.Command{
		Use: v.use, Short: v.short, Example: v.example, Args: cobra.ArbitraryArgs,
	}
	if v.more != "" {
		c.Long = v.short + ".\n\n" + v.more
	}
	in := &input{}
	for _, bind := range v.flags {
		bind(c.Flags(), in)
	}
	for _, argument := range wanted {
		bindArgument(c.Flags(), in, argument)
	}
	understandsAzure(c)
	c.RunE = func(c *cobra.Command, args []string) error {
		args, err := in.arguments(c, args, wanted)
		if err != nil {
			return err
		}
		own, err := v.open(c, kind, settings, args)
		if err != nil {
			return err
		}
		own.in, own.output = in, output
		answer, err := v.do(own)
		if err != nil {
			return err
		}
		if err := output.Print(c.OutOrStdout(), answer); err != nil {
			return err
		}
		return answer.After
	}
	c.ValidArgsFunction = v.completeNames(kind, settings)
	return c
}

func (v verb) takesName() bool { return strings.Contains(v.use+" ", " NAME ") }

// open finds what the arguments name.
func (v verb) open(
	c *cobra.Command, kind reference.Kind, settings *session.Settings, args []string,
) (*call, error) {
	own := &call{ctx: c.Context(), cmd: c, kind: kind, args: args}
	if v.takesName() {
		var err error
		if own.ref, err = reference.Parse(kind, args[0]); err != nil {
			return nil, err
		}
		own.args = args[1:]
	}
	s, err := settings.Open()
	if err != nil {
		return nil, err
	}
	if own.vault, err = s.Vault(own.ref.Vault); err != nil {
		return nil, err
	}
	own.shelf, err = shelfOf(own.vault, kind)
	return own, err
}
