package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestLinksOfPagesLeadSomewhere follows every relative link of the README and of docs/.
func TestLinksOfPagesLeadSomewhere(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	followed := 0
	for _, page := range append(pages, filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile(`\]\(([^)]+)\)`).FindAllStringSubmatch(string(text), -1) {
			target, _, _ := strings.Cut(match[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			followed++
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", filepath.Base(page), target)
			}
		}
	}
	if followed == 0 {
		t.Error("no page links to another: nothing was followed")
	}
}

// TestEveryFormatPageIsListed keeps docs/formats.md the one place to begin.
func TestEveryFormatPageIsListed(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "formats-*.md"))
	if err != nil {
		t.Fatal(err)
	}
	list := read(t, "docs/formats.md")
	for _, page := range pages {
		if name := filepath.Base(page); !strings.Contains(list, "("+name+")") {
			t.Errorf("docs/formats.md does not list %s: add a line that says what it draws", name)
		}
	}
}

// TestPagesSayThingsOnce finds a section that an edit has pasted twice.
func TestPagesSayThingsOnce(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, heading := range regexp.MustCompile(`(?m)^## .*$`).FindAllString(string(text), -1) {
			if seen[heading] {
				t.Errorf("%s has %q twice", filepath.Base(page), heading)
			}
			seen[heading] = true
		}
	}
}
