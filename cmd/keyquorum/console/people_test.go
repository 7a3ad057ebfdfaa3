package console

import (
	"bytes"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/cobra"
)

// Whoever sits at a terminal hears what is waited for. A program that reads what a command prints,
// from a pipe or as JSON, gets nothing else.
func TestPeopleHearWhatIsWaitedFor(t *testing.T) {
	t.Setenv("TERM", "xterm")
	_, theirs := terminal(t)
	pipe := new(bytes.Buffer)
	for name, row := range map[string]struct {
		out, err io.Writer
		args     []string
		want     io.Writer
	}{
		"a terminal":         {theirs, theirs, nil, theirs},
		"a table":            {theirs, theirs, []string{"--format=table"}, theirs},
		"JSON":               {theirs, theirs, []string{"--format=json"}, nil},
		"output into a pipe": {pipe, theirs, nil, nil},
		"errors into a pipe": {theirs, pipe, nil, nil},
		"both into a pipe":   {pipe, pipe, nil, nil},
	} {
		var heard io.Writer
		root := &cobra.Command{Use: "program"}
		Hearing(root)
		child := &cobra.Command{Use: "child", Run: func(c *cobra.Command, _ []string) {
			heard = People(c.Context())
		}}
		FormatFlag(child)
		root.AddCommand(child)
		root.SetOut(row.out)
		root.SetErr(row.err)
		root.SetArgs(append([]string{"child"}, row.args...))
		if err := root.Execute(); err != nil {
			t.Fatal(err)
		}
		if heard != row.want {
			t.Errorf("%s: people are at %v, want %v", name, heard, row.want)
		}
	}
	if People(t.Context()) != nil {
		t.Error("there are people where no command runs")
	}
}

// A terminal has one last line: of what waits for a part of what is waited for, nothing is told
// there. When that has ended it is free again.
func TestOneTellsOnTheLastLine(t *testing.T) {
	t.Setenv("TERM", "xterm")
	_, theirs := terminal(t)
	synctest.Test(t, func(t *testing.T) {
		told := 0
		tell := func() string { told++; return "waiting" }
		outer := Progress(theirs, time.Hour, func() string { return "waiting for all" })
		inner := Progress(theirs, time.Second, tell)
		time.Sleep(5 * time.Second)
		inner()
		outer()
		if told > 0 {
			t.Errorf("two tell on one line, one of them %d times", told)
		}
		next := Progress(theirs, time.Second, tell)
		time.Sleep(1500 * time.Millisecond)
		next()
		if told != 1 {
			t.Errorf("when the line is free it is told %d times", told)
		}
	})
}
