package console

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// A watcher looks, whenever something is written, whether a terminal shows what is typed.
type watcher struct {
	t        *testing.T
	terminal *os.File
	echoed   []bool
}

func (w *watcher) Write(b []byte) (int, error) {
	settings, err := unix.IoctlGetTermios(int(w.terminal.Fd()), unix.TCGETS)
	if err != nil {
		w.t.Fatal(err)
	}
	w.echoed = append(w.echoed, settings.Lflag&unix.ECHO != 0)
	return len(b), nil
}

// TestNothingIsEchoedOnceThereIsAPrompt, and all is again when the line has been read: somebody may
// paste at once.
func TestNothingIsEchoedOnceThereIsAPrompt(t *testing.T) {
	ours, theirs := terminal(t)
	if _, err := ours.WriteString("a secret\n"); err != nil {
		t.Fatal(err)
	}
	w := &watcher{t: t, terminal: theirs}
	line, err := Ask(theirs, w, "Value")
	if err != nil || line != "a secret" {
		t.Errorf("it reads %q, %v", line, err)
	}
	if len(w.echoed) != 2 || w.echoed[0] || !w.echoed[1] {
		t.Errorf("the terminal echoes at the prompt, and at the end of the line: %v", w.echoed)
	}
}
