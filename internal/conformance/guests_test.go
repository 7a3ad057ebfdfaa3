package conformance_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

// A guest is a client that nobody here wrote, with programs of ours that use it. Unlike Microsoft's
// suites, which come with what the product itself is built from, it may take what a machine lacks.
type guest struct {
	name  string
	build func(name, dir string) error // outside; what the machine lacks is an absence
	suite func(name string) (suite, error)
}

var guests = []guest{
	{"javascript", buildNode, nodeSuite},
	{"javascript-track1", buildNode, nodeSuite},
	{"python", lookForPython, pythonSuite},
	{"track1", buildGo, track1Suite},
	{"autounseal", buildGo, autoUnsealSuite},
	{"sops", buildSops, sopsSuite},
}

// An absence is what this machine lacks for a guest, which is left out then, and said to be.
type absence string

func (a absence) Error() string { return string(a) }

// buildGuests leaves each guest in dir, or a note there of why it is absent.
func buildGuests(dir string) error {
	for _, g := range guests {
		if err := g.come(dir); err != nil {
			return fmt.Errorf("building the guest %s: %w", g.name, err)
		}
	}
	return nil
}

func (g guest) come(dir string) error {
	err := g.build(g.name, dir)
	var lacking absence
	if !errors.As(err, &lacking) {
		return err
	}
	fmt.Fprintf(os.Stderr, "conformance: %s is left out: %v\n", g.name, err)
	return os.WriteFile(note(dir, g.name), []byte(lacking), 0o644)
}

func note(dir, guest string) string { return filepath.Join(dir, guest+".absent") }

// arrived is the suite of a guest, as come has left it.
func (g guest) arrived() (suite, error) {
	lacking, err := os.ReadFile(note(os.Getenv(programs), g.name))
	if err == nil {
		return suite{
			name: g.name, title: g.name, brief: true,
			tests: []string{"everything"}, absent: string(lacking),
		}, nil
	}
	s, err := g.suite(g.name)
	s.brief = true
	return s, err
}

// ofPins tells a fault of what is pinned, or of what came in its place, from a registry that is not
// there: npm's codes, and the go command's words.
var ofPins = regexp.MustCompile(`EUSAGE|EINTEGRITY|checksum mismatch|SECURITY ERROR|` +
	`updates to go.mod needed|missing go.sum entry|go.mod file indicates`)

// fetchAll runs a command that brings what a guest is made of to this machine. That there is no
// registry is an absence.
func fetchAll(from, dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=readonly")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ofPins.Match(out):
		return fmt.Errorf("%v in %s: %w\n%s", cmd.Args, dir, err, out)
	}
	fmt.Fprintf(os.Stderr, "%v: %v\n%s\n", cmd.Args, err, bytes.TrimSpace(out))
	return absence("what it is made of could not be fetched from " + from)
}
