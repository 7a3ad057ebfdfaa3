package console

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// A line that is written anew is one line of the terminal: else only its end would be cleared. One
// that takes text alone, and a pipe, get nothing to clear.
func TestLinesThatAreWrittenAnew(t *testing.T) {
	_, theirs := terminal(t)
	for kind, want := range map[string]string{"xterm": "\r\x1b[K", "dumb": ""} {
		t.Setenv("TERM", kind)
		if got := Fresh(theirs); got != want {
			t.Errorf("on %s a line is cleared with %q", kind, got)
		}
	}
	if got := Fresh(&bytes.Buffer{}); got != "" {
		t.Errorf("in a pipe a line is cleared with %q", got)
	}
	long := "waiting for https://" + strings.Repeat("ä", 200) + " (12 s)"
	got := shortened(long, 79)
	if n := utf8.RuneCountInString(got); n > 79 || !strings.HasSuffix(got, "(12 s)") ||
		!strings.HasPrefix(got, "waiting for https://") {
		t.Errorf("%d columns: %q", n, got)
	}
}

// In a pipe progress is a line each time, for whoever reads a log.
func TestProgressInAPipe(t *testing.T) {
	ours, theirs, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	done := Progress(theirs, time.Millisecond, func() string { return "working" })
	line := make([]byte, len("working\n"))
	if _, err := ours.Read(line); err != nil || string(line) != "working\n" {
		t.Errorf("%q, %v", line, err)
	}
	done()
	theirs.Close()
}
