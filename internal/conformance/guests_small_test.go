package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What make test runs of the guests: nothing that asks a registry, all that could rot unseen.

// TestNodeGuestsParse has Node.js read every file of the JavaScript guests.
func TestNodeGuestsParse(t *testing.T) {
	needNode(t)
	for _, file := range mustGlob(t, "testdata/javascript*/*.mjs") {
		if out, err := exec.Command("node", "--check", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestPythonGuestParses has Python read every module of its guest.
func TestPythonGuestParses(t *testing.T) {
	interpreter := needPython(t)
	for _, file := range mustGlob(t, "testdata/python/*.py") {
		parse := "import ast, sys; ast.parse(open(sys.argv[1], 'rb').read(), sys.argv[1])"
		if out, err := exec.Command(interpreter, "-c", parse, file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", file, err, out)
		}
	}
}

// TestGoGuestsCompile vets the Go guests, where make conformance has brought what they are made of.
func TestGoGuestsCompile(t *testing.T) {
	cmd := exec.Command("go", "vet", "./...")
	cmd.Dir = goGuests
	cmd.Env = append(os.Environ(), "GOPROXY=off", "GOWORK=off", "GOFLAGS=-mod=readonly",
		"CGO_ENABLED=0") // as buildGo does, whose packages lie in Go's cache
	out, err := cmd.CombinedOutput()
	if bytes.Contains(out, []byte("GOPROXY=off")) {
		t.Skip("make conformance has not fetched here what the Go guests are made of")
	}
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// TestNodeGuestsArePinned finds a lock file that pins other versions than are asked for, that
// says from where, or that takes a package unseen.
func TestNodeGuestsArePinned(t *testing.T) {
	for _, file := range mustGlob(t, "testdata/javascript*/package-lock.json") {
		text, err := os.ReadFile(file)
		must(t, err)
		var lock struct {
			Packages map[string]struct{ Version, Resolved, Integrity string }
		}
		must(t, json.Unmarshal(text, &lock))
		for name, p := range lock.Packages {
			if name != "" && (p.Integrity == "" || p.Resolved != "") {
				t.Errorf("%s: %s has no hash, or names a registry", file, name)
			}
		}
		pins, err := nodePins(filepath.Dir(file))
		must(t, err)
		for _, pin := range pins {
			name, version, _ := strings.Cut(pin, " ")
			if locked := lock.Packages["node_modules/"+name].Version; locked != version {
				t.Errorf("%s has %s %s, and %s is asked for", file, name, locked, version)
			}
		}
	}
}

const nodeFixture = `
import assert from 'node:assert/strict'
import { test } from 'node:test'
test('it holds', () => {})
test('it differs', () => assert.equal(1, 2))
test('it waits', { skip: 'not there yet' }, () => {})
`

const pythonFixture = `
import unittest
class Any(unittest.TestCase):
    def test_holds(self): pass
    def test_differs(self): self.assertEqual(1, 2)
    @unittest.skip("not there yet")
    def test_waits(self): pass
`

// TestRunnersSayWhatGoSays has tests of other languages pass, fail and be skipped, and reads it.
func TestRunnersSayWhatGoSays(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "fixture.test.mjs"), []byte(nodeFixture), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "fixture_test.py"), []byte(pythonFixture), 0o600))
	t.Run("node", func(t *testing.T) {
		needNode(t)
		reporter, err := filepath.Abs(nodeReporter)
		must(t, err)
		cmd := exec.Command("node", "--test-reporter="+reporter, "fixture.test.mjs")
		cmd.Dir = dir
		checkFixture(t, testOutcomes("fixture", cmd), "it_holds", "it_differs", "it_waits")
	})
	t.Run("python", func(t *testing.T) {
		interpreter := needPython(t)
		runner, err := filepath.Abs("testdata/python/golike.py")
		must(t, err)
		cmd := exec.Command(interpreter, runner, "fixture_test")
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "PYTHONPATH="+dir, "PYTHONDONTWRITEBYTECODE=1")
		checkFixture(t, testOutcomes("fixture", cmd), "holds", "differs", "waits")
	})
}

func checkFixture(t *testing.T, all []outcome, holds, differs, waits string) {
	t.Helper()
	for test, result := range map[string]string{
		"fixture/" + holds: "PASS", "fixture/" + differs: "FAIL", "fixture/" + waits: "SKIP",
		"fixture": "FAIL",
	} {
		at := slices.IndexFunc(all, func(o outcome) bool { return o.test == test })
		switch {
		case at < 0 || all[at].result != result:
			t.Errorf("%s is not told as %s in %q", test, result, all)
		case result == "SKIP" && all[at].reason() != "not there yet":
			t.Errorf("%s is skipped because of %q", test, all[at].reason())
		case test == "fixture/"+differs && !strings.Contains(all[at].said, "1"):
			t.Errorf("%s fails without saying what differs: %q", test, all[at].said)
		}
	}
	if len(all) != 4 {
		t.Errorf("read %q", all)
	}
}

// TestRunnersThatEndEarlyHaveFailed has files end before their last test, as if all were well.
func TestRunnersThatEndEarlyHaveFailed(t *testing.T) {
	needNode(t)
	reporter, err := filepath.Abs(nodeReporter)
	must(t, err)
	for _, text := range []string{
		"process.exit(0)",
		`import { test } from 'node:test'
		test('holds', () => {})
		test('ends', () => new Promise(() => setTimeout(() => process.exit(0), 300)))`,
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "early.test.mjs"), []byte(text), 0o600))
		cmd := exec.Command("node", "--test-reporter="+reporter, "early.test.mjs")
		cmd.Dir = dir
		if all := testOutcomes("early", cmd); len(all) != 1 || all[0].result != "FAIL" {
			t.Errorf("%s: read %q", text, all)
		}
	}
}

// TestAbsentGuestIsSkipped has a machine lack what a guest takes: the page says so for every node.
func TestAbsentGuestIsSkipped(t *testing.T) {
	t.Setenv(programs, t.TempDir())
	lacking := guest{name: "fortran", build: func(string, string) error {
		return fetchAll("the registry", ".", "sh", "-c", "echo npm error code ENOTFOUND; exit 1")
	}}
	must(t, lacking.come(os.Getenv(programs)))
	s, err := lacking.arrived()
	must(t, err)
	r := newReport([]section{s.section()})
	for _, kind := range kinds {
		t.Run(kind, func(t *testing.T) { (*bed)(nil).runSuite(t, node{kind: kind}, s, r) })
	}
	want := "| fortran | 1 | 1 skip | 1 skip | 1 skip | " +
		"what it is made of could not be fetched from the registry |"
	if page := r.Summary(); !r.complete() || !strings.Contains(page, want) {
		t.Errorf("the page does not say %q:\n%s", want, page)
	}
}

// TestOtherBytesAreNoAbsence has a registry answer with what is not pinned: that fails the run.
func TestOtherBytesAreNoAbsence(t *testing.T) {
	for _, said := range []string{"npm error code EINTEGRITY", "verifying module: checksum mismatch"} {
		var lacking absence
		err := fetchAll("the registry", ".", "sh", "-c", "echo '"+said+"'; exit 1")
		if err == nil || errors.As(err, &lacking) {
			t.Errorf("%q is taken for an absence: %v", said, err)
		}
	}
}

func needNode(t *testing.T) {
	t.Helper()
	if err := lookForNode(); err != nil {
		t.Skip(err)
	}
}

func needPython(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("Python is not on this machine")
	}
	return path
}

func mustGlob(t *testing.T, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(pattern)
	must(t, err)
	if len(found) == 0 {
		t.Fatalf("nothing is at %s", pattern)
	}
	return found
}
