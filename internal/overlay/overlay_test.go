package overlay_test

import (
	"os/exec"
	"strings"
	"testing"

	"keyquorum/internal/overlay"
)

// hello runs a program of this module that prints what package and file under edit say.
func hello(t *testing.T, edits ...overlay.Edit) (string, error) {
	t.Helper()
	path, err := overlay.Write(t.TempDir(), edits)
	if err != nil {
		return "", err
	}
	out, err := exec.CommandContext(t.Context(), "go", "vet", "-overlay", path,
		"./testdata/hello").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err = exec.CommandContext(t.Context(), "go", "run", "-overlay", path,
		"./testdata/hello").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

const (
	program = "keyquorum/internal/overlay/testdata/hello/"
	module  = "go.etcd.io/bbolt/"
)

func TestEditsOfOurSourceAndOfAModule(t *testing.T) {
	got, err := hello(t,
		overlay.Edit{File: program + "main.go", Old: `"hello"`, New: `"hello", "edited"`},
		overlay.Edit{File: program + "main.go", Old: `"edited"`,
			New: `word, bbolt.Word`}, // an edit of an edit
		overlay.Edit{File: program + "more.go", New: "package main\n\nconst word = \"more\"\n"},
		overlay.Edit{File: module + "word.go", New: "package bbolt\n\nconst Word = \"words\"\n"},
		overlay.Edit{File: module + "word.go", Old: "words", New: "module"},
	)
	if err != nil || got != "hello more module true" {
		t.Errorf("the program says %q (%v)", got, err)
	}
}

func TestWithoutEditsNothingIsChanged(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", "./testdata/hello").CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "hello true" {
		t.Errorf("the program says %q (%v)", out, err)
	}
}

func TestEditThatNoLongerFitsIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		edit overlay.Edit
		says []string
	}{
		"gone": {overlay.Edit{File: program + "main.go", Old: "bye", New: "x"},
			[]string{"hello/main.go", `"bye"`, "0 times"}},
		"ambiguous": {overlay.Edit{File: program + "main.go", Old: "bbolt", New: "x"},
			[]string{"hello/main.go", `"bbolt"`, "2 times"}},
		"no file": {overlay.Edit{File: program + "other.go", Old: "a", New: "b"},
			[]string{"hello/other.go", "no such file"}},
		"is there": {overlay.Edit{File: program + "main.go", New: "package main"},
			[]string{"hello/main.go", "there already"}},
		"no package": {overlay.Edit{File: "keyquorum/nothing/main.go", Old: "a", New: "b"},
			[]string{"keyquorum/nothing"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := overlay.Write(t.TempDir(), []overlay.Edit{c.edit})
			for _, part := range c.says {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error is %v, want %q in it", err, part)
				}
			}
		})
	}
}
