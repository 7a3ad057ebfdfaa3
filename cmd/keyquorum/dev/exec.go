package dev

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"keyquorum/cmd/keyquorum/console"
)

const execHelp = `Run a command with the environment of the dev cluster. Where the machine does
not resolve its names, the command also gets a hosts file of its own, with all
live vaults: in a user and mount namespace, which needs no privilege and changes
nothing for others.

The command runs as the cluster's application (` + defaultApp + `), which may do
everything in its vaults. Where you have set another application's
AZURE_CLIENT_ID or AZURE_CLIENT_SECRET, neither is replaced;
AZURE_AUTHORITY_HOST, AZURE_TENANT_ID and KEYQUORUM_VAULT_URLS stay as you have
set them too. The variables of operators (KEYQUORUM_, BAO_ and VAULT_ADDR,
_CACERT, _TOKEN) are always the dev cluster's, so that nothing meant for it
reaches another.`

func execCommand(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use:   "exec [--node N] -- COMMAND [ARGUMENT…]",
		Short: "Run a command with the environment and the host names of the dev cluster",
		Long:  execHelp, Args: console.Arguments(1, console.Any),
		Example:               "  keyquorum dev exec -- ./my-program --verbose",
		DisableFlagsInUseLine: true, ValidArgsFunction: console.Files,
	}
	number := c.Flags().Int("node", 1, "`number` of the node whose environment it gets")
	c.RunE = func(c *cobra.Command, args []string) error {
		folder, err := chosenFolder(*dir)
		if err != nil {
			return err
		}
		state, err := folder.State()
		if err != nil {
			return err
		}
		if state.App == nil {
			return fmt.Errorf("there is no dev cluster in %s yet; start one with: %s dev, or say with "+
				"--dir where it is", folder, console.CalledAs())
		}
		if *number < 1 || *number > state.nodes() {
			return fmt.Errorf("--node %d: %s", *number, state.numbers())
		}
		if err := folder.adopt(state, *number); err != nil {
			return err
		}
		return folder.execute(state.Layout, folder.liveNames(c.Context(), state), args)
	}
	return c
}

// adopt makes the environment of a node ours, and says what of the caller's it has left alone.
func (f Folder) adopt(s State, number int) error {
	kept := f.callersOwn(s)
	if len(kept) > 0 {
		fmt.Fprintf(os.Stderr, "keyquorum: as you have set them, not as the dev cluster has them: %s\n",
			strings.Join(kept, ", "))
	}
	for _, v := range f.environment(s, s.addresses()[number-1]) {
		if slices.Contains(kept, v.name) {
			continue
		}
		if err := os.Setenv(v.name, v.value); err != nil {
			return err
		}
	}
	return os.Setenv("NO_PROXY",
		strings.TrimPrefix(os.Getenv("NO_PROXY")+",.localhost,127.0.0.1,."+s.suffix()+","+s.login(), ","))
}

// ofApplications are the variables that a caller may set for an application of their own. Those of
// one line belong together: with the caller's secret goes the caller's client id.
var ofApplications = [][]string{
	{"AZURE_AUTHORITY_HOST"},
	{"AZURE_TENANT_ID"},
	{"AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"},
	{"KEYQUORUM_VAULT_URLS"},
}

// callersOwn are the variables that hold what no node's environment file has given them.
func (f Folder) callersOwn(s State) (kept []string) {
	ours := make(map[variable]bool)
	for _, a := range s.addresses() {
		for _, v := range f.environment(s, a) {
			ours[v] = true
		}
	}
	theirs := func(name string) bool {
		value := os.Getenv(name)
		return value != "" && !ours[variable{name, value}]
	}
	for _, together := range ofApplications {
		if slices.ContainsFunc(together, theirs) {
			kept = append(kept, together...)
		}
	}
	return kept
}

// execute runs a command to its end, whose exit code becomes ours. It can resolve names.
func (f Folder) execute(l Layout, names, args []string) error {
	plain := onOurTerminal(exec.Command(args[0], args[1:]...))
	if len(l.unresolved(names)) > 0 {
		inside, err := f.insideNamespace(l.hostsLine(names), args)
		if err == nil {
			return await(inside)
		}
		fmt.Fprintln(os.Stderr, noNamespace(err, l.hostsLine(names)))
	}
	if err := plain.Start(); err != nil {
		return err
	}
	return await(plain)
}

// noNamespace is what is said where a command has to run with the names as they are.
func noNamespace(err error, line string) string {
	return fmt.Sprintf("keyquorum: this system gives no private hosts file (%v);\n"+
		"if names fail to resolve, add this line to /etc/hosts:\n    %s", err, line)
}

// writeHosts copies the machine's hosts file and adds our names to it, in its last line.
func (f Folder) writeHosts(line string) (string, error) {
	b, err := os.ReadFile("/etc/hosts")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	file := f.Path("hosts")
	content := strings.TrimSpace(string(b)) + "\n" + line + "\n"
	return file, os.WriteFile(file, []byte(content), 0o644)
}

// onOurTerminal gives a command our own input and output.
func onOurTerminal(cmd *exec.Cmd) *exec.Cmd {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// await waits until a started command ends. A Ctrl-C reaches it from the terminal; a SIGTERM is
// passed on.
func await(cmd *exec.Cmd) error {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(signals)
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGTERM {
				_ = cmd.Process.Signal(s)
			}
		case err := <-ended:
			var exit *exec.ExitError
			if errors.As(err, &exit) {
				return console.Exit(max(exit.ExitCode(), 1), nil)
			}
			return err
		}
	}
}
