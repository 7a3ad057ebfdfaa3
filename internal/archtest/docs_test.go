package archtest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A page is one Markdown file of the repository, by its path from the root.
type page struct {
	path, text string
}

// pages are all Markdown files that people read. Those in testdata are read by tests.
func pages(t *testing.T) (all []page) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); d.IsDir() && path != root &&
			(strings.HasPrefix(name, ".") || name == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		relative, err := filepath.Rel(root, path)
		all = append(all, page{relative, read(t, relative)})
		return err
	})
	if err != nil || len(all) == 0 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	return all
}

var (
	fenced  = regexp.MustCompile("(?ms)^```.*?^```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	anchor  = regexp.MustCompile(`<a id="([^"]+)"></a>`)
	target  = regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N}_\- ]`)
)

// prose is the page without its code.
func (p page) prose() string { return fenced.ReplaceAllString(p.text, "") }

// anchors are what a link to a part of the page may name: its headings, as GitHub and most viewers
// spell them, and what it names by itself.
func (p page) anchors() map[string]bool {
	found, seen := map[string]bool{}, map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(p.prose(), -1) {
		words := target.ReplaceAllString(anchor.ReplaceAllString(match[1], ""), "$1")
		slug := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(words), ""), " ", "-")
		if n := seen[slug]; n > 0 {
			found[slug+"-"+strconv.Itoa(n)] = true
		}
		seen[slug]++
		found[slug] = true
	}
	for _, match := range anchor.FindAllStringSubmatch(p.text, -1) {
		found[match[1]] = true
	}
	return found
}

// links are the targets of a page's links inside the repository, as they are written.
func (p page) links() (targets []string) {
	for _, match := range link.FindAllStringSubmatch(code.ReplaceAllString(p.prose(), "code"), -1) {
		if !strings.Contains(match[1], "://") {
			targets = append(targets, match[1])
		}
	}
	return targets
}

// TestLinksOfPagesLeadSomewhere follows every relative link of every page, to the part that it
// names.
func TestLinksOfPagesLeadSomewhere(t *testing.T) {
	all, followed := pages(t), 0
	byPath := map[string]page{}
	for _, p := range all {
		byPath[p.path] = p
	}
	for _, p := range all {
		for _, written := range p.links() {
			followed++
			file, part, _ := strings.Cut(written, "#")
			path := p.path
			if file != "" {
				path = filepath.Join(filepath.Dir(p.path), file)
			}
			if _, err := os.Stat(filepath.Join(root, path)); err != nil {
				t.Errorf("%s links to %s, which is not there", p.path, written)
			} else if part != "" && !byPath[path].anchors()[part] {
				t.Errorf("%s links to %s, but %s has no such part", p.path, written, path)
			}
		}
	}
	if followed == 0 {
		t.Error("no page links to another: nothing was followed")
	}
}

// TestEveryPageIsInTheContents keeps docs/README.md the place from which each page is found.
func TestEveryPageIsInTheContents(t *testing.T) {
	contents := page{"docs/README.md", read(t, "docs/README.md")}
	listed := map[string]bool{}
	for _, written := range contents.links() {
		file, _, _ := strings.Cut(written, "#")
		listed[filepath.Join("docs", file)] = true
	}
	files, err := os.ReadDir(filepath.Join(root, "docs"))
	if err != nil {
		t.Fatal(err)
	}
	wanted := []string{"SECURITY.md"}
	for _, f := range files {
		if f.Name() != "README.md" {
			wanted = append(wanted, filepath.Join("docs", f.Name()))
		}
	}
	for _, p := range pages(t) {
		if filepath.Base(p.path) == "DESIGN.md" {
			wanted = append(wanted, p.path)
		}
	}
	for _, path := range wanted {
		if !listed[path] {
			t.Errorf("docs/README.md does not link to %s: add a line that says what a reader finds there",
				path)
		}
	}
	if !strings.Contains(read(t, "README.md"), "(docs/README.md)") {
		t.Error("README.md does not link to docs/README.md")
	}
}

// TestEveryFormatPageIsListed keeps docs/formats.md the one place to begin.
func TestEveryFormatPageIsListed(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(root, "docs", "formats-*.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := read(t, "docs/formats.md")
	for _, file := range files {
		if name := filepath.Base(file); !strings.Contains(list, "("+name+")") {
			t.Errorf("docs/formats.md does not list %s: add a line that says what it draws", name)
		}
	}
}

// TestPagesSayThingsOnce finds a section that an edit has pasted twice.
func TestPagesSayThingsOnce(t *testing.T) {
	for _, p := range pages(t) {
		if p.path == "CHANGELOG.md" { // each version has its own "Added"
			continue
		}
		seen := map[string]bool{}
		for _, match := range heading.FindAllStringSubmatch(p.prose(), -1) {
			if seen[match[1]] {
				t.Errorf("%s has the heading %q twice", p.path, match[1])
			}
			seen[match[1]] = true
		}
	}
}

// TestPagesOfATaskAreShort holds those that somebody reads with work to do to a length that is read
// to the end.
func TestPagesOfATaskAreShort(t *testing.T) {
	const most = 150 // lines
	task := regexp.MustCompile(`^(docs/(apps-|from-|security-officer|README)|SECURITY).*`)
	found := 0
	for _, p := range pages(t) {
		if !task.MatchString(p.path) {
			continue
		}
		found++
		if n := strings.Count(p.text, "\n"); n >= most {
			t.Errorf("%s has %d lines: below %d, or two pages", p.path, n, most)
		}
	}
	if found < 9 {
		t.Errorf("%d pages of a task were found", found)
	}
}
