package archtest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A program is a block of code that a page shows.
type program struct {
	page, text string
}

// programs are all blocks of a language, whatever else stands behind its name.
func programs(t *testing.T, language string) (all []program) {
	t.Helper()
	block := regexp.MustCompile("(?ms)^```" + language + "(?: [a-z]+)?\n(.*?)^```$")
	for _, p := range pages(t) {
		for _, match := range block.FindAllStringSubmatch(p.text, -1) {
			all = append(all, program{p.path, match[1]})
		}
	}
	if len(all) == 0 {
		t.Fatalf("no page shows any %s", language)
	}
	return all
}

// runs calls a tool, and returns what it printed when it fails.
func runs(t *testing.T, tool string, args ...string) (output string, err error) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		t.Skipf("there is no %s on this machine", tool)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	b, err := exec.CommandContext(ctx, tool, args...).CombinedOutput()
	return string(b), err
}

// file writes a program into a file of that name, in a folder of its own.
func (p program) file(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(p.text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestGoOfThePagesIsVetted builds and vets each Go program of a page with the modules that go.mod
// names, in the place of an example.
func TestGoOfThePagesIsVetted(t *testing.T) {
	if testing.Short() {
		t.Skip("builds Azure's SDK")
	}
	for _, p := range programs(t, "go") {
		if formatted, err := runs(t, "gofmt", "-l", p.file(t, "main.go")); err != nil || formatted != "" {
			t.Errorf("%s: gofmt has another form of its program: %v %s", p.page, err, formatted)
		}
		place, err := filepath.Abs(filepath.Join(root, "examples", "azure-app", "main.go"))
		if err != nil {
			t.Fatal(err)
		}
		overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{place: p.file(t,
			"main.go")}})
		if err != nil {
			t.Fatal(err)
		}
		edits := program{p.page, string(overlay)}.file(t, "overlay.json")
		if output, err := runs(t, "go", "vet", "-overlay="+edits,
			"keyquorum/examples/azure-app"); err != nil {
			t.Errorf("%s: its program: %v\n%s", p.page, err, output)
		}
	}
}

func TestJavaScriptOfThePagesCanBeRead(t *testing.T) {
	for _, p := range programs(t, "js") {
		if output, err := runs(t, "node", "--check", p.file(t, "page.mjs")); err != nil {
			t.Errorf("%s: its program: %v\n%s", p.page, err, output)
		}
	}
}

func TestPythonOfThePagesCanBeRead(t *testing.T) {
	for _, p := range programs(t, "python") {
		read := "import ast, sys; ast.parse(open(sys.argv[1]).read())"
		if output, err := runs(t, "python3", "-c", read, p.file(t, "page.py")); err != nil {
			t.Errorf("%s: its program: %v\n%s", p.page, err, output)
		}
	}
}

// TestJavaOfThePagesCanBeRead has javac parse each program. Azure's libraries need not be there:
// what it says of them comes after parsing, and is passed over.
func TestJavaOfThePagesCanBeRead(t *testing.T) {
	missing := regexp.MustCompile(`error: (package \S+ does not exist|cannot find symbol)`)
	for _, p := range programs(t, "java") {
		output, _ := runs(t, "javac", "-proc:none", "-d", t.TempDir(), p.file(t, "Hello.java"))
		for line := range strings.Lines(output) {
			if strings.Contains(line, "error: ") && !missing.MatchString(line) {
				t.Errorf("%s: its program: %s", p.page, line)
			}
		}
	}
}

// TestShellOfThePagesCanBeRead has a shell parse what pages ask a reader to type. What can be run
// is run by other tests: the README's tour, bring-your-own-key.md and security-officer.md.
func TestShellOfThePagesCanBeRead(t *testing.T) {
	for i, p := range programs(t, "sh") {
		if output, err := runs(t, "sh", "-n", p.file(t, fmt.Sprintf("block%d.sh", i))); err != nil {
			t.Errorf("%s: %v\n%s\n%s", p.page, err, p.text, output)
		}
	}
}
