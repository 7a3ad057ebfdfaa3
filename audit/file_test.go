package audit_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/audit"
)

// What happens to the file of a log in use, and what is said of it.
var losses = []struct {
	name   string
	happen func(path string) error
	atOnce bool // the next line finds it, not only the next look
	says   string
}{
	{"deleted", os.Remove, true, "was deleted"},
	{"cut", func(path string) error { return os.Truncate(path, 10) }, true, "was cut"},
	{"renamed", func(path string) error { return os.Rename(path, path+".1") }, false,
		"was renamed or replaced"},
	{"replaced", func(path string) error {
		if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
			return err
		}
		return os.Rename(path+".new", path)
	}, true, "was deleted"},
	{"replaced, and kept under another name", func(path string) error {
		if err := os.Link(path, path+".kept"); err != nil {
			return err
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		return os.WriteFile(path, nil, 0o600)
	}, false, "was renamed or replaced"},
}

// A lost file is noticed within a second, by whoever asks and whoever writes, until it is opened
// anew.
func TestLostFileTakesNoLines(t *testing.T) {
	for _, loss := range losses {
		t.Run(loss.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			synctest.Test(t, func(t *testing.T) {
				l := mustOpen(t, path)
				mustWrite(t, l, "r1")
				if err := loss.happen(path); err != nil {
					t.Fatal(err)
				}
				if err := l.Write(entry("r2")); (err != nil) != loss.atOnce {
					t.Errorf("at once: %v", err)
				}
				time.Sleep(time.Second)
				says(t, "the trouble", l.Trouble(), path, loss.says, "SIGHUP")
				says(t, "a write", l.Write(entry("r3")), path, loss.says)
				if err := l.Reopen(); err != nil {
					t.Fatal(err)
				}
				mustWrite(t, l, "r4")
				time.Sleep(time.Minute)
				if err := l.Trouble(); err != nil {
					t.Errorf("opened anew: %v", err)
				}
				mustClose(t, l)
				b, err := os.ReadFile(path)
				if whole, _ := ids(t, string(b)); err != nil || len(whole) == 0 || whole[len(whole)-1] != "r4" {
					t.Errorf("the file holds %v, %v", whole, err)
				}
			})
		})
	}
}

// Nobody need write for it to be noticed.
func TestLostFileIsNoticedWhileIdle(t *testing.T) {
	for _, loss := range losses {
		t.Run(loss.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			synctest.Test(t, func(t *testing.T) {
				l := mustOpen(t, path)
				mustWrite(t, l, "r1")
				time.Sleep(time.Minute)
				if err := l.Trouble(); err != nil {
					t.Fatal(err)
				}
				if err := loss.happen(path); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				says(t, "the trouble", l.Trouble(), path, loss.says)
				mustClose(t, l)
			})
		})
	}
}

// A rotation renames the file and sends the signal: no line is refused in between, and none is
// lost.
func TestRotationRefusesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "audit.log")
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, path)
		for range 100 {
			mustWrite(t, l, "before")
			if err := os.Rename(path, path+".1"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(300 * time.Millisecond)
			mustWrite(t, l, "between")
			if err := l.Reopen(); err != nil {
				t.Fatal(err)
			}
			mustWrite(t, l, "after")
			b, err := os.ReadFile(path + ".1")
			whole, _ := ids(t, string(b))
			if err != nil || len(whole) < 2 || whole[len(whole)-1] != "between" {
				t.Fatalf("the renamed file holds %v, %v", whole, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
		mustClose(t, l)
	})
}

// A pipe keeps nothing that could be synced or cut, and takes lines for as long as it is there.
func TestPipeTakesLines(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		l := mustOpen(t, path)
		for range 10 {
			mustWrite(t, l, "r")
			time.Sleep(time.Second)
		}
		if err := l.Trouble(); err != nil {
			t.Error(err)
		}
		mustClose(t, l)
	})
}

func mustOpen(t *testing.T, path string) *audit.Log {
	t.Helper()
	l, err := audit.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func says(t *testing.T, who string, err error, words ...string) {
	t.Helper()
	for _, w := range words {
		if err == nil || !strings.Contains(err.Error(), w) {
			t.Errorf("%s says %v, and not %q", who, err, w)
		}
	}
}
