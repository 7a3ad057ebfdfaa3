package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// foundFile has a line for each bug, in the order of the list: its name, and the revision of the
// source in which its test last found it. make mutants ARGS=-record writes it.
const foundFile = "internal/mutants/found.txt"

// unrecorded stands for a revision in the line of a bug that has not been found since the file is
// written.
const unrecorded = "unrecorded"

// revision names the source that is tested. The error says that it has no name: it is changed.
func revision() (string, error) {
	changed, err := exec.Command("git", "status", "--porcelain", "--", ".", ":!"+foundFile).Output()
	if err != nil {
		return "", fmt.Errorf("git status: %w", err)
	}
	if len(changed) > 0 {
		return "", errors.New("commit first: what is recorded is found in a revision")
	}
	name, err := exec.Command("git", "rev-parse", "--short=12", "HEAD").Output()
	if err != nil {
		return "", fmt.Errorf("git rev-parse: %w", err)
	}
	return strings.TrimSpace(string(name)), nil
}

// record notes that a bug was found in a revision.
func record(name, revision string) error {
	b, err := os.ReadFile(foundFile)
	if err != nil {
		return err
	}
	return os.WriteFile(foundFile, []byte(recorded(string(b), name, revision)), 0o644)
}

// recorded is the file with another revision for a bug, a line for each bug that is new, and none
// for what is no bug of the list any more.
func recorded(file, name, revision string) string {
	last := map[string]string{}
	for line := range strings.Lines(file) {
		if bug, found, ok := strings.Cut(strings.TrimSpace(line), " "); ok {
			last[bug] = found
		}
	}
	last[name] = revision
	var b strings.Builder
	for _, m := range everyMutant() {
		found := last[m.name]
		if found == "" {
			found = unrecorded
		}
		fmt.Fprintf(&b, "%s %s\n", m.name, found)
	}
	return b.String()
}
