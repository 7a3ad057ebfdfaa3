package fsm

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxPath is the longest path, in bytes.
const maxPath = 512

// unfit are the characters that no path has, first and last of each range: controls, and what ends
// a line or turns its direction, so that a path in a log is read as it is written.
//
// They are listed here, and no table of Go's is asked: its tables follow Unicode from release to
// release, and two nodes built by different ones would disagree about a transaction.
var unfit = [...][2]rune{
	{0x0000, 0x001f}, {0x007f, 0x009f},
	{0x200e, 0x200f}, {0x2028, 0x202e}, {0x2066, 0x2069},
}

// validPath accepts a record's path: names joined by single slashes, in UTF-8.
func validPath(path string) error {
	switch {
	case path == "":
		return errors.New("a path is empty")
	case len(path) > maxPath:
		return errors.New("a path is too long")
	case path[0] == '/' || path[len(path)-1] == '/' || strings.Contains(path, "//"):
		return fmt.Errorf("path %q has an empty name", path)
	case !utf8.ValidString(path):
		return fmt.Errorf("path %q is not UTF-8", path)
	}
	for _, r := range path {
		for _, span := range unfit {
			if span[0] <= r && r <= span[1] {
				return fmt.Errorf("path %q has the character %U, which no path has", path, r)
			}
		}
	}
	return nil
}
