// Package program builds keyquorum as a user would, and runs it, for tests that know the program by
// its command line alone.
package program

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// What the program is built from is what those tests depend on: without that go test would answer
	// from its cache. Package main, which nobody can import, is read (readMain).
	_ "keyquorum/cmd/keyquorum/debug"
	_ "keyquorum/cmd/keyquorum/dev"
	_ "keyquorum/cmd/keyquorum/doctor"
	_ "keyquorum/cmd/keyquorum/mover"
	_ "keyquorum/cmd/keyquorum/objects"
	_ "keyquorum/cmd/keyquorum/operator"
	_ "keyquorum/cmd/keyquorum/proving"
	_ "keyquorum/cmd/keyquorum/recovery"
	_ "keyquorum/cmd/keyquorum/runner"
	_ "keyquorum/httpapi"
	_ "keyquorum/node/schedule/s3"
)

// Build builds keyquorum, and other packages of the module ("./examples/azure-app"), into a folder.
// The error has what the compiler said.
func Build(dir string, others ...string) error {
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	if err := readMain(root); err != nil {
		return err
	}
	for _, name := range append([]string{"./cmd/keyquorum"}, others...) {
		build := exec.Command("go", "build", "-o", dir+"/", name)
		build.Dir = root
		build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOEXPERIMENT=runtimesecret")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
	}
	return nil
}

func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			err = errors.New("program: these tests run outside of the module")
		}
	}
	return "", err
}

// readMain reads the files of package main: go test notes what tests read.
func readMain(root string) error {
	files, err := filepath.Glob(filepath.Join(root, "cmd/keyquorum/*.go"))
	for _, file := range files {
		if err == nil {
			_, err = os.ReadFile(file)
		}
	}
	return err
}

// Environment is ours without anything that would configure the program, or find it a keyring.
func Environment() (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		prefix, _, _ := strings.Cut(name, "_")
		switch prefix {
		case "KEYQUORUM", "BAO", "VAULT", "AZURE", "FROM", "XDG", "DBUS", "SSL":
		default:
			env = append(env, v)
		}
	}
	return env
}

// Run runs a call to its end. A call that does not begin fails the test.
func Run(t *testing.T, cmd *exec.Cmd) (code int, stdout, stderr string) {
	t.Helper()
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), said.String()
}
