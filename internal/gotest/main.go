// Command gotest runs go test with the arguments that it is given, and shows what go test keeps to
// itself: a package's line when the package ends and not when all before it in the list have, what
// is still running, and at the end each test that was skipped or has failed, with its reason.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	code, err := run(ctx, os.Stdout, os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
	}
	os.Exit(code)
}

// silence is how long nothing may be said while tests run.
const silence = 30 * time.Second

// run returns the exit code of go test. ctx interrupts it.
func run(ctx context.Context, out io.Writer, args []string) (code int, err error) {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return 1, err
	}
	if err := cmd.Start(); err != nil {
		return 1, err
	}
	r := newReport(out, time.Now())
	r.follow(lines(stdout))
	err = cmd.Wait()
	r.end(time.Now())
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil // a signal has none
	}
	if err != nil {
		return 1, err
	}
	return 0, nil
}

// lines reads on a goroutine of its own, which ends with from.
func lines(from io.Reader) <-chan []byte {
	all := make(chan []byte)
	go func() {
		defer close(all)
		for r := bufio.NewReader(from); ; {
			line, err := r.ReadBytes('\n')
			if len(line) > 0 {
				all <- line
			}
			if err != nil {
				return
			}
		}
	}()
	return all
}

// follow takes all lines, and says what is running after each silence.
func (r *report) follow(all <-chan []byte) {
	quiet := time.NewTimer(silence)
	defer quiet.Stop()
	for {
		select {
		case line, more := <-all:
			if !more {
				return
			}
			if r.take(line, time.Now()) {
				quiet.Reset(silence)
			}
		case now := <-quiet.C:
			r.progress(now)
			quiet.Reset(silence)
		}
	}
}
