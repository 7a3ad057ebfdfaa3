package settings

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/configuration.md")

const page = "../../../docs/configuration.md"

// TestPageHasAllNames compares the tables of docs/configuration.md with what is read.
func TestPageHasAllNames(t *testing.T) {
	b, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	was, is := string(b), string(b)
	for part, rows := range map[string]string{
		"names": namesRows(), "already": alreadyRows(), "instead": insteadRows(),
	} {
		table := regexp.MustCompile(`(?s)(<!-- ` + part + ` -->\n\|[^\n]*\n\|[^\n]*\n).*?(<!-- end -->)`)
		if !table.MatchString(is) {
			t.Fatalf("%s has no part %q", page, part)
		}
		is = table.ReplaceAllStringFunc(is, func(all string) string {
			m := table.FindStringSubmatch(all)
			return m[1] + rows + m[2]
		})
	}
	if *update {
		if err := os.WriteFile(page, []byte(is), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if was != is {
		t.Errorf("the tables of %s are not those of the program; -update writes them", page)
	}
}

func namesRows() (rows string) {
	ours := map[string]string{}
	for path, is := range translations {
		ours[path] = is.name
	}
	for path, is := range lists {
		if inside, _ := cutLast(path); inside != "" && inside != ownStanza {
			ours[path] = is.name
		}
	}
	for _, path := range slices.Sorted(maps.Keys(ours)) {
		rows += fmt.Sprintf("| `%s` | `%s` |\n", inPage(path), ours[path])
	}
	return rows
}

func alreadyRows() (rows string) {
	for _, path := range slices.Sorted(maps.Keys(already)) {
		rows += fmt.Sprintf("| `%s` | `%s` |\n", inPage(path), already[path])
	}
	return rows
}

func insteadRows() (rows string) {
	for _, stanza := range slices.Sorted(maps.Keys(instead)) {
		for _, key := range slices.Sorted(maps.Keys(instead[stanza])) {
			path := strings.TrimPrefix(stanza+"."+key, ".")
			rows += fmt.Sprintf("| `%s` | %s |\n", strings.ReplaceAll(inPage(path), "*", "anything else"),
				instead[stanza][key])
		}
	}
	return rows
}

// inPage is a path as the page has it: listener "tcp": address.
func inPage(path string) string {
	inside, key := cutLast(path)
	if inside == "" {
		return key
	}
	return strings.ReplaceAll(asWritten(inside), " in ", " of ") + ": " + key
}

// TestNamesAreOneThing: a name has one meaning, and a stanza that sentences are about is there.
func TestNamesAreOneThing(t *testing.T) {
	for stanza, keys := range instead {
		if stanza != "" && !stanzas[stanza] {
			t.Errorf("sentences are about %s, which is no stanza", stanza)
		}
		for key := range keys {
			path := strings.TrimPrefix(stanza+"."+key, ".")
			inList := slices.Contains(lists[stanza].keys, key)
			if _, taken := translations[path]; taken || stanzas[path] || inList {
				t.Errorf("%s is refused, and taken", path)
			}
		}
	}
	for path := range already {
		if whyNot(path) == "" {
			t.Errorf("%s with another value is refused without a word", path)
		}
	}
}
