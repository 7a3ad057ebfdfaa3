package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A decision is one record of docs/decisions.md: the lines below its heading.
type decision struct {
	number, title string
	lines         []string
}

var (
	record     = regexp.MustCompile(`(?m)^### <a id="d(\d+)"></a>(\d+)\. (.+)$`)
	named      = regexp.MustCompile("`([^`]+)`")
	testName   = regexp.MustCompile(`^Test[A-Z]\w*$`)
	referredTo = regexp.MustCompile(`\b[Dd]ecision (\d+)\b`)
	invariant  = regexp.MustCompile(`\bI(\d+)\b`)
)

func decisions(t *testing.T) (all []decision) {
	t.Helper()
	text, _, _ := strings.Cut(read(t, "docs/decisions.md"), "\n## Invariants")
	for _, at := range record.FindAllStringSubmatchIndex(text, -1) {
		d := decision{number: text[at[4]:at[5]], title: text[at[6]:at[7]]}
		if anchor := text[at[2]:at[3]]; anchor != d.number {
			t.Errorf("decision %s has the anchor d%s", d.number, anchor)
		}
		body, _, _ := strings.Cut(text[at[1]:], "\n#")
		d.lines = strings.Split(strings.TrimSpace(body), "\n")
		all = append(all, d)
	}
	if len(all) < 45 {
		t.Fatalf("docs/decisions.md has %d records that can be read; write them as the others are",
			len(all))
	}
	return all
}

// TestDecisionsAreShortRecords keeps the page one that can be scanned: it says of each decision
// what, why and where it holds, in a few lines, and the table of contents has its title.
func TestDecisionsAreShortRecords(t *testing.T) {
	contents, seen := read(t, "docs/decisions.md"), map[string]bool{}
	for _, d := range decisions(t) {
		if seen[d.number] {
			t.Errorf("decision %s is there twice", d.number)
		}
		seen[d.number] = true
		body := strings.Join(d.lines, "\n")
		for _, part := range []string{"- **Decided:** ", "- **Because:** ", "- **Holds in:** "} {
			if strings.Count(body, part) != 1 {
				t.Errorf("decision %s does not say once %q", d.number, part)
			}
		}
		if len(d.lines) > 8 {
			t.Errorf("decision %s has %d lines, of 8: let the DESIGN.md of its room argue", d.number,
				len(d.lines))
		}
		if !strings.Contains(contents, "["+d.number+". "+d.title+"](#d"+d.number+")") {
			t.Errorf("the table of contents does not have decision %s under its title", d.number)
		}
	}
}

// TestDecisionsHoldWhereTheySay finds a file or a test that has another name by now.
func TestDecisionsHoldWhereTheySay(t *testing.T) {
	tests := testsOfTheModule(t)
	for _, d := range decisions(t) {
		_, where, _ := strings.Cut(strings.Join(d.lines, " "), "- **Holds in:** ")
		for _, match := range named.FindAllStringSubmatch(where, -1) {
			if testName.MatchString(match[1]) {
				if !tests[match[1]] {
					t.Errorf("decision %s is to hold in %s, and there is no such test", d.number, match[1])
				}
			} else if _, err := os.Stat(filepath.Join(root, match[1])); err != nil {
				t.Errorf("decision %s is to hold in %s, which is not there", d.number, match[1])
			}
		}
	}
}

// TestReferencesToDecisionsFindThem looks at what code and pages say of decisions and invariants.
func TestReferencesToDecisionsFindThem(t *testing.T) {
	numbers := map[string]bool{}
	for _, d := range decisions(t) {
		numbers[d.number] = true
	}
	anchors := page{"docs/decisions.md", read(t, "docs/decisions.md")}.anchors()
	found := 0
	everyFile(t, func(path, text string) {
		for _, match := range referredTo.FindAllStringSubmatch(text, -1) {
			found++
			if !numbers[match[1]] {
				t.Errorf("%s names decision %s, which docs/decisions.md does not have", path, match[1])
			}
		}
		if filepath.Ext(path) != ".md" {
			return
		}
		for _, match := range invariant.FindAllStringSubmatch(fenced.ReplaceAllString(text, ""), -1) {
			if !anchors["i"+match[1]] {
				t.Errorf("%s names the invariant I%s, which docs/decisions.md does not have", path, match[1])
			}
		}
	})
	if found < 20 {
		t.Errorf("only %d references to decisions were found", found)
	}
}

// testsOfTheModule are the names of all test functions.
func testsOfTheModule(t *testing.T) map[string]bool {
	names := map[string]bool{}
	definition := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	everyFile(t, func(path, text string) {
		if strings.HasSuffix(path, "_test.go") {
			for _, match := range definition.FindAllStringSubmatch(text, -1) {
				names[match[1]] = true
			}
		}
	})
	return names
}

// everyFile calls f with each Go and Markdown file of the repository, by its path from the root.
func everyFile(t *testing.T, f func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if path != root && strings.HasPrefix(d.Name(), ".") {
				return filepath.SkipDir
			}
			return nil
		}
		if e := filepath.Ext(path); e == ".go" || e == ".md" {
			relative, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			f(relative, read(t, relative))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
