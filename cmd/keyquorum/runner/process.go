package runner

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

	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/console"
)

const (
	// endPatience is how long a command may take to end before it is killed, where it is to be
	// started again.
	endPatience = 10 * time.Second
	// pipePatience is how long, after a command has ended, what it has started may go on to print.
	pipePatience = 2 * time.Second
)

// running is a command and everything that may happen to it.
type running struct {
	args        []string
	settings    *settings
	signal      syscall.Signal // of --watch-signal; 0: start again
	people      io.Writer
	masks       *masks
	resolver    *resolver
	environment environment
	short       string // variables of which it was said that they are not masked
}

// passedOn are the signals that the command gets as we get them. One that we were started to
// ignore, as under nohup, is not passed on: the command ignores it as well.
var passedOn = []os.Signal{
	syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2,
}

// untilEnd runs the command, again where a secret has changed, until it ends by itself.
func (r *running) untilEnd(ctx context.Context, variables []variable) error {
	signals := make(chan os.Signal, 8)
	for _, s := range passedOn {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	defer signal.Stop(signals)
	changes := r.watch(ctx, variables)
	for {
		p, err := r.start()
		if err != nil {
			return notStarted(err)
		}
		again, err := r.attend(p, signals, changes)
		if !again {
			return err
		}
	}
}

// A process is a command that was started.
type process struct {
	cmd   *exec.Cmd
	ended chan error // what Wait said
}

func (r *running) start() (*process, error) {
	cmd := exec.Command(r.args[0], r.args[1:]...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = r.environment.lines, os.Stdin, os.Stdout, os.Stderr
	var maskers []*masker
	if !r.settings.noMasking {
		maskers = []*masker{{to: os.Stdout, masks: r.masks}, {to: os.Stderr, masks: r.masks}}
		cmd.Stdout, cmd.Stderr = maskers[0], maskers[1]
		cmd.WaitDelay = pipePatience
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	go func() {
		err := cmd.Wait()
		for _, m := range maskers {
			err = errors.Join(err, m.Close())
		}
		p.ended <- err
	}()
	return p, nil
}

// attend waits for the end of the command. It is true where the command was ended to be started
// again.
func (r *running) attend(
	p *process,
	signals <-chan os.Signal,
	changes <-chan environment,
) (again bool, err error) {
	for {
		select {
		case s := <-signals:
			if !fromTerminal(s) {
				_ = p.cmd.Process.Signal(s)
			}
		case <-p.ended:
			return false, outcome(p.cmd.ProcessState)
		case r.environment = <-changes:
			if r.signal != 0 {
				_ = p.cmd.Process.Signal(r.signal)
				continue
			}
			fmt.Fprintln(
				r.people,
				"keyquorum: a secret has a new version; starting the command again",
			)
			p.end()
			return true, nil
		}
	}
}

// end has the command end, and kills it where it does not.
func (p *process) end() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.ended:
	case <-time.After(endPatience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}

// fromTerminal says whether the command has a signal already: a terminal sends those of its keys to
// all processes in the foreground.
func fromTerminal(s os.Signal) bool {
	if s != syscall.SIGINT && s != syscall.SIGQUIT {
		return false
	}
	group, err := unix.IoctlGetInt(int(os.Stdin.Fd()), unix.TIOCGPGRP)
	return err == nil && group == syscall.Getpgrp()
}

// outcome is how the command ended, as shells say it.
func outcome(state *os.ProcessState) error {
	status, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case ok && status.Signaled():
		return console.Exit(128+int(status.Signal()), nil)
	case state.ExitCode() != 0:
		return console.Exit(state.ExitCode(), nil)
	}
	return nil
}
