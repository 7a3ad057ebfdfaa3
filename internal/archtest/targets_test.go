package archtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// smallRuns says of each of make's targets what make test has of it, so that nothing rots which is
// run now and then: the test that is a small run of it, by package, or why there is none.
var smallRuns = map[string]struct{ pkg, test, none string }{
	"help":       {pkg: "internal/archtest", test: "TestHelpFits"},
	"targets":    {pkg: "internal/archtest", test: "TestHelpFits"},
	"build":      {pkg: "testcluster", test: "TestProgramsThatNobodyUsesAreRemoved"},
	"run":        {pkg: "cmd/keyquorum", test: "TestTour"},
	"packages":   {pkg: "internal/packaging", test: "TestDebHoldsANode"},
	"hsm":        {pkg: "cmd/keyquorum-pkcs11", test: "TestKeyOfAToken"},
	"test":       {none: "it is the run itself"},
	"racetests":  {none: "part of test"},
	"plaintests": {none: "part of test"},
	"vectors":    {pkg: "httpapi", test: "TestVectors"},
	"timing":     {pkg: "vault", test: "TestFailuresTakeAlike"},
	"failover":   {pkg: "testcluster", test: "TestKillTheLeader"},
	"succession": {pkg: "cluster", test: "TestFailover"},
	"chaos":      {pkg: "testcluster", test: "TestChaos"},
	"histories":  {pkg: "testcluster", test: "TestHistories"},
	"kills":      {pkg: "testcluster", test: "TestKills"},
	"cuts":       {pkg: "testcluster", test: "TestPowerCuts"},
	"leaks":      {pkg: "testcluster", test: "TestNothingLeaks"},
	"thief":      {pkg: "testcluster", test: "TestThiefSignsNothing"},
	"races":      {pkg: "testcluster", test: "TestRevocationHoldsEverywhere"},
	"geo":        {pkg: "testcluster", test: "TestGeo"},
	"upgrade":    {pkg: "testcluster/rolling", test: "TestRollingRestart"},
	"siege":      {pkg: "testcluster", test: "TestSiege"},
	"deep":       {pkg: "storage", test: "TestPowerCutAtEveryWrite"},
	"alerts": {none: "Prometheus takes a minute to compile; that metrics and runbooks are there is " +
		"tested in internal/archtest"},
	"model": {pkg: "internal/leasemodel", test: "TestWholeProtocol"},
	// Microsoft's suites take minutes, and fetch what they need; the parts of the run that need no
	// cluster are tested in internal/conformance.
	"conformance": {pkg: "internal/conformance/commands", test: "TestCommands"},
	"mutants":     {pkg: "internal/mutants", test: "TestLeaseBugsAreFound"},
	"bench":       {pkg: "internal/bench", test: "TestSmallRuns"},
	"load":        {pkg: "internal/bench", test: "TestSmallRuns"},
	"gobench":     {none: "plaintests has each benchmark run once"},
	"fuzz":        {none: "go test runs every target on its seeds"},
	"lint":        {none: "the linter need not be installed; go vet is part of test"},
	"clean":       {none: "it removes a folder"},
}

var targetLine = regexp.MustCompile(`(?m)^([a-z]+):`)

func makefile(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(root + "/Makefile")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A new target has a small run in make test, or says here why it has none.
func TestEveryTargetHasASmallRun(t *testing.T) {
	var targets []string
	for _, m := range targetLine.FindAllStringSubmatch(makefile(t), -1) {
		targets = append(targets, m[1])
	}
	for _, target := range targets {
		run, known := smallRuns[target]
		switch {
		case !known:
			t.Errorf("make %s has no small run in make test: add one, and name it here", target)
		case run.none == "" && !hasTest(t, run.pkg, run.test):
			t.Errorf("make %s: there is no %s in %s", target, run.test, run.pkg)
		}
	}
	for target := range smallRuns {
		if !slices.Contains(targets, target) {
			t.Errorf("there is no make %s any more", target)
		}
	}
}

func hasTest(t *testing.T, pkg, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(files, func(file string) bool {
		b, err := os.ReadFile(file)
		return err == nil && strings.Contains(string(b), "func "+test+"(t *testing.T)")
	})
}

// Each package that has benchmarks runs them once in plaintests.
func TestEveryBenchmarkIsRunOnce(t *testing.T) {
	_, list, _ := strings.Cut(makefile(t), "\nBENCHED := ")
	list, _, _ = strings.Cut(list, "\n")
	benched := strings.Fields(list)
	eachTestFile(t, func(dir, text string) {
		if strings.Contains(text, "\nfunc Benchmark") && !slices.Contains(benched, dir) {
			t.Errorf("%s has benchmarks, and the Makefile's BENCHED does not name it", dir)
		}
	})
}

// eachTestFile shows every file of tests, and its package as go test is given it.
func eachTestFile(t *testing.T, show func(dir, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		b, err := os.ReadFile(path)
		dir, _ := filepath.Rel(root, filepath.Dir(path))
		show("./"+dir, string(b))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

var heavyCall = regexp.MustCompile(`\bheavy\.Test\(`)

// What is left to the run without the race detector is in that run: make finds a heavy test by the
// line before its mark.
func TestHeavyTestsAreRun(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	run := printed(t, "-n", "plaintests")
	eachTestFile(t, func(dir, text string) {
		for _, at := range heavyCall.FindAllStringIndex(text, -1) {
			before := strings.Split(strings.TrimSpace(text[:at[0]]), "\n")
			head := before[len(before)-1]
			name, _, _ := strings.Cut(strings.TrimPrefix(head, "func "), "(")
			word := regexp.MustCompile(`[(|]` + regexp.QuoteMeta(name) + `[|)].* ` + dir + `/`)
			if !strings.HasPrefix(head, "func Test") || !word.MatchString(run) {
				t.Errorf("%s: %s is not in make plaintests: its mark must be a test's first line",
					dir, name)
			}
		}
	})
}

// Plain make fits a terminal of 24 rows and 80 columns, names every target, and says with which of
// them all are explained; what that prints is no wider.
func TestHelpFits(t *testing.T) {
	if _, err := exec.LookPath("make"); err != nil {
		t.Skip("there is no make")
	}
	short, long := printed(t, "help"), printed(t, "targets")
	if n := strings.Count(short, "\n"); n > 23 { // the prompt has the last row
		t.Errorf("make prints %d lines", n)
	}
	for line := range strings.Lines(short + long) {
		if utf8.RuneCountInString(line) > 80+1 { // its newline
			t.Errorf("make prints more than 80 columns: %s", line)
		}
	}
	for target := range smallRuns {
		word := regexp.MustCompile(`\b` + target + `\b`)
		inside := target == "racetests" || target == "plaintests" || target == "help"
		if !inside && (!word.MatchString(short) || !strings.Contains(long, "make "+target+"\n    ")) {
			t.Errorf("make %s is not listed, or not explained", target)
		}
	}
}

func printed(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("make", append([]string{"-C", root, "--no-print-directory"}, args...)...)
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { // of the make that runs this test
		return strings.HasPrefix(v, "MAKEFLAGS=") || strings.HasPrefix(v, "MFLAGS=") ||
			strings.HasPrefix(v, "MAKELEVEL=")
	})
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
