package conformance_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// oldestNode is what the packages of Microsoft's ask for.
const oldestNode = 20

// buildNode lays a folder of testdata into dir, with the packages that its lock file pins.
func buildNode(name, dir string) error {
	if err := lookForNode(); err != nil {
		return err
	}
	if _, err := exec.LookPath("npm"); err != nil {
		return absence("npm is not on this machine")
	}
	there := filepath.Join(dir, name)
	if err := os.CopyFS(there, os.DirFS(filepath.Join("testdata", name))); err != nil {
		return err
	}
	return fetchAll("the npm registry", there,
		"npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
}

func lookForNode() error {
	out, err := exec.Command("node", "--print", "process.versions.node").Output()
	if err != nil {
		return absence("Node.js is not on this machine")
	}
	major, _, _ := strings.Cut(string(out), ".")
	if n, err := strconv.Atoi(major); err != nil || n < oldestNode {
		said := "Node.js is older than %d, which the packages ask for"
		return absence(fmt.Sprintf(said, oldestNode))
	}
	return nil
}

// nodeSuite has a test for each file: a process of Node's own test runner, which tells the
// file's tests as subtests.
func nodeSuite(name string) (suite, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return suite{}, err
	}
	reporter, err := filepath.Abs(nodeReporter)
	if err != nil {
		return suite{}, err
	}
	s := suite{name: name, dir: built(name)}
	s.run = func(test string) []string {
		return []string{node, "--test-reporter=" + reporter, test + nodeTests}
	}
	if s.tests, err = files(s.dir, nodeTests); err != nil {
		return s, err
	}
	pins, err := nodePins(s.dir)
	s.title = "JavaScript: " + strings.Join(pins, ", ")
	return s, err
}

const nodeTests = ".test.mjs"

var nodeReporter = filepath.Join("testdata", "javascript", "reporter.mjs")

// files are the names of a folder's files that end so, without the end.
func files(dir, end string) (names []string, err error) {
	all, err := filepath.Glob(filepath.Join(dir, "*"+end))
	for _, file := range all {
		names = append(names, strings.TrimSuffix(filepath.Base(file), end))
	}
	return names, err
}

// nodePins are the packages that a folder asks for, with their versions.
func nodePins(dir string) (pins []string, err error) {
	text, err := os.ReadFile(filepath.Join(dir, "package.json"))
	if err != nil {
		return nil, err
	}
	var asks struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &asks); err != nil {
		return nil, err
	}
	for _, name := range slices.Sorted(maps.Keys(asks.Dependencies)) {
		pins = append(pins, name+" "+asks.Dependencies[name])
	}
	return pins, nil
}
