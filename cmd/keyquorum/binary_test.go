package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/internal/program"
)

// built is the folder that holds keyquorum and azure-app as a user would have built them.
var built string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keyquorum-test")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	built = dir
	if err := program.Build(dir, "./examples/azure-app"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// keyquorum is a call of the built program, in a folder and with nothing of our environment that
// would configure it.
func keyquorum(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(built, "keyquorum"), args...)
	cmd.Args[0] = "keyquorum" // as whoever has it in their PATH
	cmd.Dir = dir
	cmd.Env = program.Environment()
	return cmd
}

// outcome is how a call of the program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

func call(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return ended(t, keyquorum(ctx, dir, args...))
}

// ended runs a call to its end.
func ended(t *testing.T, cmd *exec.Cmd) (o outcome) {
	t.Helper()
	o.code, o.stdout, o.stderr = program.Run(t, cmd)
	return o
}

// complaint is the one line in which the program says what is wrong.
func (o outcome) complaint() string {
	var lines []string
	for line := range strings.Lines(o.stderr) {
		if said, ok := strings.CutPrefix(line, "keyquorum: "); ok {
			lines = append(lines, strings.TrimSpace(said))
		}
	}
	if len(lines) != 1 {
		return ""
	}
	return lines[0]
}

// freeBase finds a port from which a dev cluster has all nine ports that it uses.
func freeBase(t *testing.T) int {
	t.Helper()
	for base := 20000 + os.Getpid()%200*50; base < 32000; base += 50 {
		if allFree(base) {
			return base
		}
	}
	t.Fatal("no free ports")
	return 0
}

func allFree(base int) bool {
	for _, a := range dev.Addresses(base) {
		for offset := range 3 {
			l, err := net.Listen("tcp", a.Local(offset))
			if err != nil {
				return false
			}
			l.Close()
		}
	}
	return true
}
