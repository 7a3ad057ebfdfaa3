package raftfix

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table of mends names every file that mends something, and tests that there are.
func TestTableOfMends(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file != "doc.go" && !strings.HasSuffix(file, "_test.go") &&
			!strings.Contains(string(doc), "//	"+file) {
			t.Errorf("no row says what %s mends", file)
		}
	}
	known := testsBelow(t, "../..")
	named := regexp.MustCompile(`\bTest\w+`).FindAllString(string(doc), -1)
	for _, test := range named {
		if !known[test] {
			t.Errorf("the table names %s, which is no test", test)
		}
	}
	if rows := strings.Count(string(doc), "delete   w"); rows == 0 || len(named) < rows {
		t.Errorf("%d rows name %d tests", rows, len(named))
	}
}

// testsBelow are the tests in all packages below a folder.
func testsBelow(t *testing.T, root string) map[string]bool {
	t.Helper()
	function := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	known := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, match := range function.FindAllStringSubmatch(string(text), -1) {
			known[match[1]] = true
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return known
}
