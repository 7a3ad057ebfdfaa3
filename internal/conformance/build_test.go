package conformance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"keyquorum/testcluster"
)

// modules are where the suites live.
const modules = "github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/"

var suiteNames = []string{"azkeys", "azsecrets"}

// lives is the program of life_test.go, among the examples and in the folder.
const lives = "azure-life"

// build leaves the suites, the guests and the example in dir, and the program in Go's cache:
// there it is linked again without asking anybody.
func build(dir string) error {
	if _, err := testcluster.Binary(); err != nil {
		return err
	}
	if err := run(root, "go", "build", "-o", filepath.Join(dir, lives),
		"./examples/"+lives); err != nil {
		return err
	}
	for _, name := range suiteNames {
		m, err := fetch(root, modules+name)
		if err != nil {
			return err
		}
		if err := run(m.Dir, "go", "test", "-c", "-o", filepath.Join(dir, name), "."); err != nil {
			return err
		}
	}
	return buildGuests(dir)
}

const root = "../.."

// A module is as the go command describes it.
type module struct{ Version, Dir string }

// fetch finds a module that the go.mod in a folder names, in Go's cache once it is there. It
// can be a main module of its own there: its tests are built with the versions that its go.mod
// names, verified by its go.sum, and none of them needs to stand in ours.
func fetch(dir, path string) (m module, err error) {
	cmd := exec.Command("go", "mod", "download", "-json", path)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("fetching %s: %w", path, err)
	}
	return m, json.Unmarshal(out, &m)
}

// built is where a program is that was built before.
func built(name string) string { return filepath.Join(os.Getenv(programs), name) }

// run calls a go command for a program that asks nothing of the machine's C library: it resolves
// names by the hosts file alone.
func run(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%v in %s: %w", cmd.Args, dir, err), errors.New(string(out)))
	}
	return nil
}
