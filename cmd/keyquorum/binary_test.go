package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/dev"
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
	for _, name := range []string{"./cmd/keyquorum", "./examples/azure-app"} {
		cmd := exec.Command("go", "build", "-o", dir, name)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOEXPERIMENT=runtimesecret")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building %s: %v\n%s", name, err, out)
			return 1
		}
	}
	return m.Run()
}

// keyquorum is a call of the built program, in a folder and with nothing of our environment that
// would configure it.
func keyquorum(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, filepath.Join(built, "keyquorum"), args...)
	cmd.Args[0] = "keyquorum" // as whoever has it in their PATH
	cmd.Dir = dir
	cmd.Env = cleanEnvironment()
	return cmd
}

func cleanEnvironment() (env []string) {
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "KEYQUORUM_") && !strings.HasPrefix(v, "BAO_") &&
			!strings.HasPrefix(v, "VAULT_") {
			env = append(env, v)
		}
	}
	return env
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
func ended(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
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
