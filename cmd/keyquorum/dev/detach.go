package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/console"
)

// detach starts the same command in a session of its own, and returns when that is ready: then it
// has printed the environment and closed its output. One that fails says why on our standard error.
func detach(c *cobra.Command) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	child := exec.Command(self, detachedArgs(c.Flags())...)
	child.Stderr = os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	printed, err := child.StdoutPipe()
	if err != nil {
		return err
	}
	if err := child.Start(); err != nil {
		return err
	}
	stop := passOn(child.Process)
	environment, err := io.ReadAll(printed)
	stop()
	if err != nil {
		return err
	}
	if len(environment) == 0 {
		return ended(child)
	}
	_, err = c.OutOrStdout().Write(environment)
	return err
}

// ended is how a child ended that was never ready. What there was to say it has said.
func ended(child *exec.Cmd) error {
	var exit *exec.ExitError
	switch err := child.Wait(); {
	case err == nil:
		return console.Exit(1, errors.New("the dev cluster was stopped before it was ready"))
	case errors.As(err, &exit):
		return console.Exit(max(exit.ExitCode(), 1), nil)
	default:
		return err
	}
}

// passOn ends the child when we are told to end while it is not ready yet.
func passOn(child *os.Process) (stop func()) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, endings()...)
	go func() {
		for range signals {
			_ = child.Signal(syscall.SIGTERM)
		}
	}()
	return func() { signal.Stop(signals); close(signals) }
}

// detachedArgs are ours, but for the flags that say who prints.
func detachedArgs(f *pflag.FlagSet) []string {
	args := []string{"dev", "--detached"}
	if !f.Changed("print") {
		args = append(args, "--print=export")
	}
	f.Visit(func(flag *pflag.Flag) {
		values := []string{flag.Value.String()}
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			values = list.GetSlice()
		}
		for _, value := range values {
			if flag.Name != "detach" {
				args = append(args, "--"+flag.Name+"="+value)
			}
		}
	})
	return args
}

// letGo gives standard output and error of a detached process to its log.
func letGo(log *os.File) error {
	return errors.Join(unix.Dup3(int(log.Fd()), 1, 0), unix.Dup3(int(log.Fd()), 2, 0))
}

func stopCommand(dir *string) *cobra.Command {
	return &cobra.Command{
		Use: "stop", Short: "Stop the running dev cluster, and wait until it has ended",
		Args: console.Arguments(0, 0),
		RunE: func(c *cobra.Command, _ []string) error {
			folder, err := chosenFolder(*dir)
			if err != nil {
				return err
			}
			pid, err := folder.owner()
			if err != nil {
				return err
			}
			return endProcess(pid)
		},
	}
}

// endProcess asks a dev cluster to end in order, and returns when its process has.
func endProcess(pid int) error {
	process, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil // it was about to end
	}
	if err != nil {
		return fmt.Errorf("process %d of the dev cluster: %w", pid, err)
	}
	defer unix.Close(process)
	err = unix.PidfdSendSignal(process, unix.SIGTERM, nil, 0)
	if err != nil && !errors.Is(err, unix.ESRCH) {
		return fmt.Errorf("process %d of the dev cluster: %w", pid, err)
	}
	over := time.Now().Add(2 * StopTimeout)
	for {
		wait := []unix.PollFd{{Fd: int32(process), Events: unix.POLLIN}}
		n, err := unix.Poll(wait, int(time.Until(over).Milliseconds()))
		switch {
		case err != nil && !errors.Is(err, unix.EINTR):
			return err
		case n > 0:
			return nil
		case time.Now().After(over):
			return errors.New("the dev cluster did not end in time")
		}
	}
}

// pause is false when ctx has ended.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
