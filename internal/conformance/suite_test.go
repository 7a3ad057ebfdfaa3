package conformance_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

// A suite is a program, or some, whose tests are run one by one through a node.
type suite struct {
	name  string
	title string // of its section
	brief bool   // the table of operations names the suite alone
	dir   string // where its tests expect to run
	tests []string
	run   func(test string) []string // the command line of a test, which prints what Go's tests do
	// absent says what the machine lacks, so that the suite has but one test, which is skipped.
	absent string
}

// goSuite is one whose tests are a test binary of Go's, which lists them.
func goSuite(name, title, program, dir string) (suite, error) {
	s := suite{name: name, title: title, dir: dir}
	s.run = func(test string) []string {
		return []string{program, "-test.run", "^" + test + "$", "-test.v", "-test.timeout", "6m"}
	}
	list := exec.Command(program, "-test.list", "^Test")
	list.Dir, list.Env = dir, []string{"AZURE_RECORD_MODE=live", "PROXY_CERT=" + os.DevNull}
	out, err := list.Output()
	if err != nil {
		return s, fmt.Errorf("listing the tests of %s: %w", name, err)
	}
	s.tests = strings.Fields(string(out))
	return s, nil
}

// newSuite is one of Microsoft's that was built.
func newSuite(name string) (suite, error) {
	m, err := fetch(root, modules+name)
	if err != nil {
		return suite{}, err
	}
	return goSuite(name, name+" "+m.Version+", Microsoft's tests", built(name), m.Dir)
}

// section is what every node must have seen of the suite.
func (s suite) section() section {
	return section{suite: s.name, title: s.title, brief: s.brief, tests: s.tests}
}
