package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"keyquorum/cmd/keyquorum/console"
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
		err := console.Confirm(c, row.yes, "It will be gone.")
		if (err == nil) != row.done || strings.Contains(asked.String(), "Type yes to go on") == row.yes {
			t.Errorf("%+v: %v, %q", row, err, asked.String())
		}
	}
	script, _, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	c := &cobra.Command{}
	c.SetIn(script)
	if err := console.Confirm(c, false, "It will be gone."); err != nil {
		t.Errorf("a script is asked: %v", err)
	}
	for _, args := range [][]string{{"vault", "purge"}, {"operator", "raft", "remove-peer"}} {
		found, _, err := newRoot().Find(args)
		if err != nil || found.Flags().Lookup("yes") == nil {
			t.Errorf("%v does not ask: %v", args, err)
		}
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
