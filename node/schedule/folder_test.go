package schedule_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"keyquorum/node/schedule"
)

const cluster = "00112233445566778899aabbccddeeff"

func named(hour int) schedule.Name {
	return schedule.Name{Cluster: cluster, Due: time.Date(2026, 1, 2, hour, 0, 0, 0, time.UTC)}
}

// text is a snapshot to a store, which does not know what it keeps.
func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func reads(want string) func(io.Reader) error {
	return func(r io.Reader) error {
		got, err := io.ReadAll(r)
		if err == nil && string(got) != want {
			err = errors.New("it is another")
		}
		return err
	}
}

func put(d schedule.Folder, name schedule.Name, content string) error {
	_, err := d.Put(context.Background(), name, text(content), reads(content))
	return err
}

func wholes(t *testing.T, d schedule.Folder) (names []schedule.Name, files int) {
	t.Helper()
	kept, err := d.List(t.Context())
	must(t, err)
	for _, k := range kept {
		names = append(names, k.Name)
	}
	entries, err := os.ReadDir(string(d))
	must(t, err)
	return names, len(entries)
}

// writerOf tells a process of the test that it is a node which will be killed while it writes.
const writerOf = "SCHEDULE_TEST_WRITES_INTO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(writerOf); dir != "" {
		_, _ = schedule.Folder(dir).Put(context.Background(), named(2), func(w io.Writer) error {
			_, err := w.Write(bytes.Repeat([]byte("x"), 1<<20))
			os.Stdout.WriteString("half\n")
			_, _ = io.Copy(io.Discard, os.Stdin) // until it is killed
			return err
		}, reads(""))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// What a writer leaves that is killed counts as nothing, and goes when the next snapshot is kept.
// While it writes, nobody takes its file away.
func TestKilledWriter(t *testing.T) {
	d := schedule.Folder(t.TempDir())
	must(t, put(d, named(1), "good"))
	writer := exec.CommandContext(t.Context(), os.Args[0])
	writer.Env = append(os.Environ(), writerOf+"="+string(d))
	in, err := writer.StdinPipe()
	must(t, err)
	defer in.Close()
	out, err := writer.StdoutPipe()
	must(t, err)
	must(t, writer.Start())
	if _, err := io.ReadFull(out, make([]byte, len("half\n"))); err != nil {
		t.Fatal(err)
	}

	must(t, put(d, named(3), "good too"))
	if names, files := wholes(t, d); len(names) != 2 || files != 3 {
		t.Errorf("while another writes there are %v in %d files", names, files)
	}
	must(t, writer.Process.Kill())
	_ = writer.Wait()
	if names, files := wholes(t, d); len(names) != 2 || files != 3 {
		t.Errorf("after it was killed there are %v in %d files", names, files)
	}
	must(t, put(d, named(4), "good again"))
	if names, files := wholes(t, d); len(names) != 3 || files != 3 {
		t.Errorf("after the next one there are %v in %d files", names, files)
	}
	var got bytes.Buffer
	must(t, d.Get(t.Context(), named(1), &got))
	if got.String() != "good" {
		t.Errorf("the first one is %q", got.String())
	}
}

// No snapshot counts that reads back otherwise, that was given up, or whose name is taken; and none
// takes the place of another.
func TestOnlyWholesAreKept(t *testing.T) {
	d := schedule.Folder(t.TempDir())
	must(t, put(d, named(1), "first"))
	if err := put(d, named(1), "second"); !errors.Is(err, schedule.ErrThere) {
		t.Errorf("a second one of that name: %v", err)
	}
	if _, err := d.Put(t.Context(), named(2), text("a"), reads("b")); err == nil {
		t.Error("what reads back otherwise is kept")
	}
	over, cancel := context.WithCancel(t.Context())
	write := func(w io.Writer) error { cancel(); return text("a")(w) }
	if _, err := d.Put(over, named(3), write, reads("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("one that was given up: %v", err)
	}
	names, files := wholes(t, d)
	if len(names) != 1 || files != 1 {
		t.Errorf("there are %v in %d files", names, files)
	}
	var got bytes.Buffer
	must(t, d.Get(t.Context(), named(1), &got))
	if got.String() != "first" {
		t.Errorf("the first one is %q", got.String())
	}
	info, err := os.Stat(d.Path(named(1)))
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("it has mode %v", info.Mode())
	}
	must(t, d.Remove(t.Context(), named(1)))
	must(t, d.Remove(t.Context(), named(1)))
	gone := schedule.Folder(filepath.Join(string(d), "none"))
	if err := put(gone, named(1), "a"); err == nil {
		t.Error("a folder was made that was not there")
	}
}

// later is what a name has of a history, behind its time.
func later(history string) string {
	return "keyquorum-" + cluster + "-20260102T010000Z" + history + ".snap"
}

// A name says of which history a snapshot is, in one way.
func TestNamesTellHistories(t *testing.T) {
	for history, want := range map[string]schedule.History{
		"":                   {},
		"-r2":                {Restores: 2},
		"-g1-0a1b2c3d":       {Generation: 1, Recovered: "0a1b2c3d"},
		"-g12-00000000-r345": {Generation: 12, Recovered: "00000000", Restores: 345},
	} {
		name := named(1)
		name.History = want
		if got, ours := schedule.ParseName(later(history)); !ours || got != name ||
			name.String() != later(history) {
			t.Errorf("%q is %+v, and %+v is %v", history, got, want, name)
		}
	}
	for _, history := range []string{"-g0-0a1b2c3d", "-g1", "-g1-0a1b2c3", "-g1-0A1B2C3D", "-r0", "-r01",
		"-r1-g1-0a1b2c3d", "-g1-0a1b2c3d-r1-r1", "-", "-r", "-r+1", "-r99999999999999999999"} {
		if got, ours := schedule.ParseName(later(history)); ours {
			t.Errorf("%q is taken for %+v", history, got)
		}
	}
}

// A name is what a schedule writes, and nothing else is one.
func FuzzParseName(f *testing.F) {
	for _, s := range []string{named(1).String(), "keyquorum-.snap", "keyquorum-" + cluster + "-.snap",
		"keyquorum-" + cluster + "-20260102T010000Z.snap.part", "../" + named(1).String(),
		later("-g1-0a1b2c3d-r2"), later("-r1"), later("-g0-0a1b2c3d")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, file string) {
		name, ours := schedule.ParseName(file)
		if ours && (name.String() != file || filepath.Base(file) != file) {
			t.Errorf("%q is taken for %v", file, name)
		}
		if !ours && name != (schedule.Name{}) {
			t.Errorf("%q is no name, and is %v", file, name)
		}
	})
}
