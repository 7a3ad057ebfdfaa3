package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func devExec(dir *string) *cobra.Command {
	c := &cobra.Command{
		Use: "exec -- COMMAND [ARGUMENT…]", Short: "Run a command with the environment and the host names of the dev cluster",
		Long: "Run a command with the environment of the dev cluster and, where the machine does not resolve its names, with a\n" +
			"hosts file of its own: in a user and mount namespace, which needs no privilege and changes nothing for others.",
		Args: arguments(1, anyNumber),
	}
	number := c.Flags().Int("node", 1, "node whose environment it gets")
	c.RunE = func(c *cobra.Command, args []string) error {
		folder, err := openDevFolder(*dir)
		if err != nil {
			return err
		}
		state, err := folder.state()
		if err != nil {
			return err
		}
		if state.App == nil {
			return fmt.Errorf("there is no dev cluster in %s yet; start one with: keyquorum dev", folder)
		}
		if *number < 1 || *number > devNodes {
			return fmt.Errorf("--node %d: they are 1 to %d", *number, devNodes)
		}
		for _, v := range folder.environment(state, devAddresses(state.Port)[*number-1]) {
			if err := os.Setenv(v.name, v.value); err != nil {
				return err
			}
		}
		if err := os.Setenv("NO_PROXY", strings.TrimPrefix(os.Getenv("NO_PROXY")+",.localhost,127.0.0.1", ",")); err != nil {
			return err
		}
		return folder.execute(args)
	}
	return c
}

// execute runs a command to its end, whose exit code becomes ours.
func (f devFolder) execute(args []string) error {
	plain := onOurTerminal(exec.Command(args[0], args[1:]...))
	if len(unresolved(devNames())) > 0 {
		inside, err := f.insideNamespace(args)
		if err == nil {
			return await(inside)
		}
		fmt.Fprintln(os.Stderr, noNamespace(err))
	}
	if err := plain.Start(); err != nil {
		return err
	}
	return await(plain)
}

// noNamespace is what is said where a command has to run with the names as they are.
func noNamespace(err error) string {
	return fmt.Sprintf("keyquorum: this system gives no private hosts file (%v); if names fail to resolve, add this line to /etc/hosts:\n    %s",
		err, hostsLine(devNames()))
}

// writeHosts copies the machine's hosts file and adds our names to it.
func (f devFolder) writeHosts() (string, error) {
	b, err := os.ReadFile("/etc/hosts")
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	file := f.path("hosts")
	content := strings.TrimSpace(string(b)) + "\n" + hostsLine(devNames()) + "\n"
	return file, os.WriteFile(file, []byte(content), 0o644)
}

// onOurTerminal gives a command our own input and output.
func onOurTerminal(cmd *exec.Cmd) *exec.Cmd {
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	return cmd
}

// await waits until a started command ends. A Ctrl-C reaches it from the terminal; a SIGTERM is passed on.
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
				return exitError{code: max(exit.ExitCode(), 1)}
			}
			return err
		}
	}
}
