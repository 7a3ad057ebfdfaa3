package mover

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

var illegal = regexp.MustCompile(`[^0-9A-Za-z-]+`)

// legalName is a name that a vault takes, of parts that have others: whatever is no letter, digit
// or hyphen becomes a hyphen. It is empty where nothing is left.
func legalName(parts ...string) string {
	return strings.Trim(illegal.ReplaceAllString(strings.Join(parts, "/"), "-"), "-")
}

// checkNames finds the names that no vault takes, and those that two things would have. Vaults look
// names up without regard to case.
func checkNames(things []*thing) {
	first := map[string]*thing{}
	for _, t := range things {
		if t.obstacle != nil {
			continue
		}
		if n := len(t.name); n == 0 || n > maxName {
			t.obstacle = &obstacle{fmt.Sprintf("its name would have %d characters, of 1 to %d", n, maxName),
				adviceNames}
			continue
		}
		key := string(t.kind) + "/" + strings.ToLower(t.name)
		other := first[key]
		if other == nil {
			first[key] = t
			continue
		}
		t.obstacle = &obstacle{"its name would be that of " + shown(other.from), adviceNames}
		if other.obstacle == nil {
			other.obstacle = &obstacle{"its name would be that of " + shown(t.from), adviceNames}
		}
	}
}

// shown is a text of a source's as a terminal may be given it.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}

// count is a number of things: "1 tag", "2 tags".
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
