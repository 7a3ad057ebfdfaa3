package operator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

// Command is the group operator. snapshot makes the group of commands on files of snapshots, which
// stands below raft; others make commands of the group itself that talk to a node too.
func Command(snapshot func(*Connection) *cobra.Command,
	others ...func(*Connection) *cobra.Command) *cobra.Command {
	c := console.Group("operator", "Initialise, unseal, seal and inspect a node")
	k := ConnectionFlags(c)
	c.AddCommand(operatorInit(k), operatorUnseal(k), operatorSeal(k), operatorStatus(k),
		operatorStepDown(k), rotateCommand(k), rekeyCommand(k), generateRootCommand(k),
		keyStatusCommand(k), raftCommand(k, snapshot(k)))
	for _, other := range others {
		c.AddCommand(other(k))
	}
	return c
}

// InitResult has the JSON shape that scripts around `bao operator init -format=json` parse. We have
// no recovery keys.
type InitResult struct {
	KeysB64           []string `json:"unseal_keys_b64"`
	KeysHex           []string `json:"unseal_keys_hex"`
	Shares            int      `json:"unseal_shares"`
	Threshold         int      `json:"unseal_threshold"`
	RecoveryB64       []string `json:"recovery_keys_b64"`
	RecoveryHex       []string `json:"recovery_keys_hex"`
	RecoveryShares    int      `json:"recovery_keys_shares"`
	RecoveryThreshold int      `json:"recovery_keys_threshold"`
	RootToken         string   `json:"root_token"`
}

func operatorInit(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "init",
		Short: "Make a new cluster of this node, and show its shares and root token once",
		Args:  console.Arguments(0, 0),
		Example: "  keyquorum operator init\n" +
			"  keyquorum operator init --key-shares 7 --key-threshold 4"}
	format := console.FormatFlag(c)
	shares := c.Flags().Int("key-shares", 5, "number of unseal shares")
	threshold := c.Flags().Int("key-threshold", 3, "number of shares that unseal a node")
	onlyStatus := c.Flags().Bool("status", false,
		"only say whether the node is initialised (exit code 2: it is not)")
	c.RunE = func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		if *onlyStatus {
			return printInitStatus(c, api, format)
		}
		r, err := Initialise(c.Context(), api, *shares, *threshold)
		if err != nil {
			return err
		}
		if *format == "table" {
			printInit(c, r)
			return nil
		}
		return format.Print(c, r, console.Table{})
	}
	return c
}

func Initialise(ctx context.Context, api *Client, shares, threshold int) (InitResult, error) {
	in := map[string]int{"secret_shares": shares, "secret_threshold": threshold}
	var out struct {
		Keys       []string `json:"keys"`
		KeysBase64 []string `json:"keys_base64"`
		RootToken  string   `json:"root_token"`
	}
	if err := api.Call(ctx, http.MethodPut, "/v1/sys/init", in, &out); err != nil {
		return InitResult{}, inFlags(err)
	}
	return InitResult{
		KeysB64: out.KeysBase64, KeysHex: out.Keys, Shares: shares, Threshold: threshold,
		RootToken:   out.RootToken,
		RecoveryB64: []string{}, RecoveryHex: []string{},
	}, nil
}

// inFlags says a refusal in the words of whoever typed the command: members of a request are the
// API's.
func inFlags(err error) error {
	var refused *Refusal
	if !errors.As(err, &refused) {
		return err
	}
	words := strings.NewReplacer(
		"secret_shares", "--key-shares", "secret_threshold", "--key-threshold")
	said := Refusal{Status: refused.Status}
	for _, m := range refused.Messages {
		said.Messages = append(said.Messages, words.Replace(m))
	}
	if slices.Equal(said.Messages, refused.Messages) {
		return err // with what is to be done
	}
	return console.Exit(2, &said)
}

func printInit(c *cobra.Command, r InitResult) {
	w := c.OutOrStdout()
	for i, share := range r.KeysB64 {
		fmt.Fprintf(w, "Unseal Key %d: %s\n", i+1, share)
	}
	fmt.Fprintf(w, "\nInitial Root Token: %s\n\n", r.RootToken)
	console.Tell(c, w, "Any %d of these %d shares unseal a node. Nothing can show them again: give "+
		"each to another person, now.", r.Threshold, r.Shares)
	console.Tell(c, w, "Next, keyquorum operator unseal takes %d of them, one by one.", r.Threshold)
}

func printInitStatus(c *cobra.Command, api *Client, format *console.Format) error {
	var out struct {
		Initialized bool `json:"initialized"`
	}
	if err := api.Call(c.Context(), http.MethodGet, "/v1/sys/init", nil, &out); err != nil {
		return console.Exit(1, err)
	}
	if err := format.Print(c, out, console.Pairs("Initialized", out.Initialized)); err != nil {
		return err
	}
	if !out.Initialized {
		return console.Exit(2, nil)
	}
	return nil
}

func operatorUnseal(k *Connection) *cobra.Command {
	c := &cobra.Command{
		Use: "unseal [SHARE]", Short: "Give one unseal share to a node",
		Long: "Give one unseal share to a node. Without SHARE, or with -, it is asked for and not " +
			"shown, or read from standard input, so that it stays out of the shell's history. " +
			"A wrong share is refused on its own, and those given before it stay. On a command line " +
			"all users of the machine can see a share.\n\n" +
			"With --cluster the node has all sealed members take the share, each over the cluster " +
			"port and encrypted for it alone, and the command shows what became of it at each. Exit " +
			"code 1: it is good, and has not reached all.",
		Example: "  keyquorum operator unseal\n" +
			"  keyquorum operator unseal --cluster",
		Args: console.Arguments(0, 1),
	}
	format := console.FormatFlag(c)
	reset := c.Flags().Bool("reset", false,
		"forget the shares given so far; SHARE shows who asks, and isn't kept")
	everywhere := c.Flags().Bool("cluster", false, "give it to all sealed nodes of the cluster")
	c.MarkFlagsMutuallyExclusive("cluster", "reset")
	c.RunE = func(c *cobra.Command, args []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		share, err := shareFrom(c, args)
		if err != nil {
			return err
		}
		if *everywhere {
			return unsealCluster(c, api, format, share)
		}
		in := map[string]any{"key": share, "reset": *reset}
		var status map[string]any
		if err := api.Call(c.Context(), http.MethodPut, "/v1/sys/unseal", in, &status); err != nil {
			return err
		}
		if err := printStatus(c, api, format, status); err != nil || *format != "table" {
			return err
		}
		switch {
		case status["sealed"] == false:
			console.Tell(c, c.OutOrStdout(), "\nUnsealed: this node needs no more shares.")
		case status["given_already"] == true:
			console.Tell(c, c.OutOrStdout(), "\nThis share was given already: give another one.")
		}
		return nil
	}
	return c
}

// shareFrom is the share that was given, or asked for.
func shareFrom(c *cobra.Command, args []string) (string, error) {
	if len(args) == 1 && args[0] != "-" {
		return args[0], nil
	}
	share, err := console.Ask(os.Stdin, c.ErrOrStderr(), "Unseal share")
	return strings.TrimSpace(share), err
}

func operatorSeal(k *Connection) *cobra.Command {
	c := &cobra.Command{Use: "seal", Short: "Make a node drop every key it holds",
		Long: "Make a node drop every key it holds. It stays sealed until it is given its unseal " +
			"shares, also after a restart, whatever wrappers there are.",
		Args: console.Arguments(0, 0),
		RunE: putting(k, "/v1/sys/seal", "Sealed: the node holds no key any more.")}
	c.AddCommand(wrappersCommand(k))
	return c
}

func operatorStepDown(k *Connection) *cobra.Command {
	return &cobra.Command{Use: "step-down", Short: "Make the leader hand leadership to another node",
		Args: console.Arguments(0, 0),
		RunE: putting(k, "/v1/sys/step-down", "The leader has stepped down.")}
}

// putting is a command that sends a PUT without a body and says that it was done.
func putting(k *Connection, path, done string) func(*cobra.Command, []string) error {
	return func(c *cobra.Command, _ []string) error {
		api, err := k.Client()
		if err != nil {
			return err
		}
		if err := api.Call(c.Context(), http.MethodPut, path, nil, nil); err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), done)
		return nil
	}
}
