package console

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"
)

// Whoever sits at a terminal is asked before what can't be undone, and has to say yes; a script is
// not, nor who says --yes.
func TestConfirm(t *testing.T) {
	for _, row := range []struct {
		answer string
		yes    bool
		done   bool
	}{
		{"yes\n", false, true}, {"y\n", false, false}, {"\n", false, false}, {"", true, true},
	} {
		ours, theirs := terminal(t)
		if _, err := ours.WriteString(row.answer); err != nil {
			t.Fatal(err)
		}
		var asked bytes.Buffer
		c := &cobra.Command{}
		c.SetIn(theirs)
		c.SetErr(&asked)
		done := false
		c.RunE = func(*cobra.Command, []string) error { done = true; return nil }
		Asking(c, func([]string) string { return "It will be gone." })
		c.SetArgs([]string{fmt.Sprintf("--yes=%v", row.yes)})
		c.SilenceUsage, c.SilenceErrors = true, true
		err := c.Execute()
		if (err == nil) != row.done || done != row.done ||
			strings.Contains(asked.String(), "Type yes to go on") == row.yes {
			t.Errorf("%+v: %v, %q", row, err, asked.String())
		}
	}
	script, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &cobra.Command{}
	c.SetIn(script)
	if err := confirm(c, false, "It will be gone."); err != nil {
		t.Errorf("a script is asked: %v", err)
	}
}

// terminal is one, from both its sides.
func terminal(t *testing.T) (ours, theirs *os.File) {
	t.Helper()
	ours, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no terminals here: %v", err)
	}
	t.Cleanup(func() { ours.Close() })
	number, err := unix.IoctlGetInt(int(ours.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(ours.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	theirs, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { theirs.Close() })
	return ours, theirs
}
