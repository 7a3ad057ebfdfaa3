package conformance_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"keyquorum/testcluster"
)

// A suite is Microsoft's tests of one client, as the module that our go.mod names carries them.
type suite struct {
	name, version string   // of the module
	dir           string   // of its source, where its tests expect to run
	program       string   // its test binary
	tests         []string // at the top, as it lists them
}

// modules are where the suites live.
const modules = "github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/"

var suiteNames = []string{"azkeys", "azsecrets"}

// lives is the program of life_test.go, among the examples and in the folder.
const lives = "azure-life"

// build leaves the suites and the example in dir, and the program in Go's cache: there it is linked again without asking anybody.
func build(dir string) error {
	if _, err := testcluster.Binary(); err != nil {
		return err
	}
	if err := run(root, "go", "build", "-o", filepath.Join(dir, lives), "./examples/"+lives); err != nil {
		return err
	}
	for _, name := range suiteNames {
		m, err := fetch(name)
		if err != nil {
			return err
		}
		if err := run(m.Dir, "go", "test", "-c", "-o", filepath.Join(dir, name), "."); err != nil {
			return err
		}
	}
	return nil
}

const root = "../.."

// A module is as the go command describes it.
type module struct{ Version, Dir string }

// fetch finds a module of Microsoft's, in Go's cache once it is there. It is a main module of its own there: its tests are built
// with the versions that its go.mod names, verified by its go.sum, and none of them needs to stand in ours.
func fetch(name string) (m module, err error) {
	cmd := exec.Command("go", "mod", "download", "-json", modules+name)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("fetching %s: %w", name, err)
	}
	return m, json.Unmarshal(out, &m)
}

// newSuite is a suite that was built.
func newSuite(name string) (s suite, err error) {
	m, err := fetch(name)
	if err != nil {
		return s, err
	}
	s = suite{name: name, version: m.Version, dir: m.Dir, program: built(name)}
	list := exec.Command(s.program, "-test.list", "^Test")
	list.Dir, list.Env = s.dir, []string{"AZURE_RECORD_MODE=live", "PROXY_CERT=" + os.DevNull}
	out, err := list.Output()
	if err != nil {
		return s, fmt.Errorf("listing the tests of %s: %w", name, err)
	}
	s.tests = strings.Fields(string(out))
	return s, nil
}

// built is where a program is that was built before.
func built(name string) string { return filepath.Join(os.Getenv(programs), name) }

// run calls a go command for a program that asks nothing of the machine's C library: it resolves names by the hosts file alone.
func run(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly")
	if out, err := cmd.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%v in %s: %w", cmd.Args, dir, err), errors.New(string(out)))
	}
	return nil
}
