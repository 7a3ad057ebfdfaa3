package terminal

import (
	"fmt"
	"strings"
	"testing"
)

// A screen is what stands on a terminal after all that came: lines, of which none is longer than
// the terminal is wide.
type screen struct {
	lines [][]rune
	row   int
	at    int      // column
	wrong []string // what a terminal cannot show well
}

// draw does what a terminal does with the few things that the program may send.
func draw(sent string) *screen {
	s := &screen{lines: [][]rune{nil}}
	for rest := []rune(sent); len(rest) > 0; {
		if rest[0] == '\x1b' {
			rest = s.escape(rest)
			continue
		}
		s.put(rest[0])
		rest = rest[1:]
	}
	return s
}

func (s *screen) put(r rune) {
	switch r {
	case '\r':
		s.at = 0
	case '\n':
		s.row, s.lines = s.row+1, append(s.lines, nil)
	default:
		line := s.lines[s.row]
		for len(line) <= s.at {
			line = append(line, ' ')
		}
		line[s.at] = r
		s.lines[s.row] = line
		if s.at++; s.at == columns+1 {
			s.wrong = append(s.wrong, fmt.Sprintf("a line is wrapped: %s", string(line)))
		}
	}
}

// escape does one: bold and not, and a line cleared from here.
func (s *screen) escape(rest []rune) []rune {
	for _, known := range []string{"\x1b[1m", "\x1b[0m", "\x1b[K"} {
		if !strings.HasPrefix(string(rest[:min(len(rest), 4)]), known) {
			continue
		}
		if known == "\x1b[K" {
			s.lines[s.row] = s.lines[s.row][:min(s.at, len(s.lines[s.row]))]
		}
		return rest[len(known):]
	}
	s.wrong = append(s.wrong,
		fmt.Sprintf("an escape that is not known: %q", string(rest[:min(len(rest), 8)])))
	return rest[1:]
}

func (s *screen) String() string {
	var lines []string
	for _, line := range s.lines {
		lines = append(lines, strings.TrimRight(string(line), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// has says whether a text stands in one line.
func (s *screen) has(text string) bool { return strings.Contains(s.String(), text) }

// words are all that is on the screen, without its lines.
func (s *screen) words() string { return strings.Join(strings.Fields(s.String()), " ") }

// A screen finds what is wrong.
func TestScreen(t *testing.T) {
	for _, row := range []struct {
		sent, shows string
		wrong       int
	}{
		{"one\r\ntwo", "one\ntwo", 0},
		{"\x1b[1mName\x1b[0m\r\n", "Name", 0},
		{"waiting\r\x1b[Kdone\r\n", "done", 0},
		{"waiting\rdone\r\n", "doneing", 0},
		{strings.Repeat("x", columns) + "\r\n", strings.Repeat("x", columns), 0},
		{strings.Repeat("x", columns+5), strings.Repeat("x", columns+5), 1},
		{"\x1b[31mred", "[31mred", 1},
	} {
		s := draw(row.sent)
		if s.String() != row.shows || len(s.wrong) != row.wrong {
			t.Errorf("%q shows %q, and wrong are %q", row.sent, s, s.wrong)
		}
	}
}
