package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"keyquorum/internal/overlay"
)

// A mutant is a seeded bug.
type mutant struct {
	name  string
	bug   string // what is wrong with the product then
	edits []overlay.Edit
	test  string // that must find it: "package TestName"
}

// everyMutant is all of them: of the product, and of the core of the lease protocol.
func everyMutant() []mutant {
	return slices.Concat(mutants, signedMutants, recoveryMutants, ceremonyMutants,
		autopilotMutants, callerMutants, scheduledMutants, joiningMutants, keyringMutants,
		wrapperMutants, movingMutants, breakGlassMutants, leaseMutants)
}

// A finding is what became of the test.
type finding struct {
	found bool
	says  string // the first line of its complaint
}

func (f finding) String() string {
	if f.found {
		return "found"
	}
	return "NOT FOUND"
}

// hunt runs the mutant's test with its bug in, in the test's own process and in every program that
// the test builds.
func (m mutant) hunt(ctx context.Context) (finding, error) {
	dir, err := os.MkdirTemp("", "keyquorum-mutant-")
	if err != nil {
		return finding{}, err
	}
	defer os.RemoveAll(dir)
	where, test, _ := strings.Cut(m.test, " ")
	args := []string{"test", "-count=1", "-vet=off", "-timeout=15m", "-run=^" + test + "$"}
	env := append(os.Environ(), "GOGC=400")
	if m.edits != nil {
		env = append(env, "KEYQUORUM_HISTORIES=150")
		path, err := overlay.Write(dir, m.edits)
		if err != nil {
			return finding{}, err
		}
		everywhere := filepath.Join(dir, "edits.json")
		if err := overlay.Save(everywhere, m.edits); err != nil {
			return finding{}, err
		}
		args = append(args, "-overlay="+path)
		env = append(env, overlay.Everywhere+"="+everywhere)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, where)...)
	cmd.Env = env
	out, err := cmd.CombinedOutput()
	return judge(string(out), err)
}

// judge tells a test that failed from one that could not be built, or does not exist.
func judge(out string, err error) (finding, error) {
	exit := new(exec.ExitError)
	switch {
	case strings.Contains(out, "no tests to run"):
		return finding{}, fmt.Errorf("no such test: %s", out)
	case err == nil:
		return finding{}, nil
	case !errors.As(err, &exit):
		return finding{}, err
	case strings.Contains(out, "[build failed]") || strings.Contains(out, "[setup failed]") ||
		!strings.Contains(out, "FAIL"):
		return finding{}, fmt.Errorf("the test does not build:\n%s", out)
	}
	return finding{found: true, says: complaint(out)}, nil
}

var complaintLine = regexp.MustCompile(`(?m)^\s+\w+_test\.go:\d+: (.*)$|^(panic: .*)$`)

// complaint is the first line in which a test says what it found.
func complaint(out string) string {
	found := complaintLine.FindStringSubmatch(out)
	if found == nil {
		return ""
	}
	says := found[1] + found[2]
	return says[:min(len(says), 120)]
}
