package frontdoor

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestNothingLeaks: no value, token or client secret stands in arguments, in an environment that it
// was not meant for, on stderr at its most talkative, in logs, or in files that are left.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	h := own(t, "--nodes=1")
	c := h.caller(t)
	watch := watchArguments(t)
	value, key := "leak-"+private()+"\n", newKey(t, "P-256")
	keyFile := string(key.pkcs8PEM(t))
	keepOut(strings.Split(keyFile, "\n")[1]) // its first line of base64
	talkative := c.set("AZURE_SDK_GO_LOGGING", "all")
	calls := []struct{ input, args string }{
		{value, "secret set leaks"}, {"", "secret show leaks -q"},
		{"", "secret show leaks --field=value"},
		{"", "secret list"}, {"", "secret backup leaks --file=saved"}, {"", "secret delete leaks"},
		{"", "secret purge leaks"}, {"", "secret restore --file=saved"},
		{value, "secret set leaks ignored"},
		{value, "secret set leaks --expires=soon"}, {value, "secret set no_name"},
		{keyFile, "key import leaks --file=-"}, {keyFile, "key import leaks"},
		{keyFile[:100], "key import leaks --file=-"}, {"{" + keyFile, "key import leaks --file=-"},
		{"text", "key sign leaks"}, {"", "key create leaks-oct --kty=oct-HSM"},
		{value, "key encrypt leaks-oct --algorithm=A256GCM"}, {value, "key encrypt leaks --algorithm=X"},
		{value, "run --env=S=akv://demo/leaks -- sleep 0.1"},
		{value, "run --env=S=akv://demo/leaks --env=T=akv://demo/never -- true"},
	}
	for _, call := range calls {
		for _, by := range []*caller{c, talkative} {
			by.given(call.input, strings.Fields(call.args)...) // looks at stderr
		}
	}
	if o := talkative.call("secret", "list"); strings.Count(o.stderr, "\n") < 20 {
		t.Errorf("the SDK was asked to talk, and says %q", o.stderr)
	}
	by := c.login(h.urls()[0])
	by.set("AZURE_SDK_GO_LOGGING", "all").call("secret", "list")
	by.ok("logout")
	watch.end()
	for _, folder := range []string{c.home, c.temporary} {
		if left := filesIn(t, folder); len(left) > 0 {
			t.Errorf("it leaves %v", left)
		}
	}
	if err := lookThrough(c.dir, func(string) bool { return false }); err != nil {
		t.Error(err)
	}
	if left := filesIn(t, c.dir); !slices.Equal(left, []string{"saved"}) {
		t.Errorf("it leaves %v", left)
	}
	if used, err := os.ReadFile(filepath.Join(h.folder, "node1", "audit.log")); err != nil ||
		!bytes.Contains(used, []byte("secrets/set")) {
		t.Errorf("the usage log, which is looked through at the end, knows no call (%v)", err)
	}
}

// filesIn are the names of all files below a folder.
func filesIn(t *testing.T, folder string) (names []string) {
	t.Helper()
	err := filepath.Walk(folder, func(path string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			names = append(names, filepath.Base(path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestAWatchedArgumentIsFound: what looks for leaks sees one.
func TestAWatchedArgumentIsFound(t *testing.T) {
	t.Parallel()
	needChildren(t)
	c := shared(t).caller(t)
	shown := "shown-on-purpose"
	watch := &argumentWatch{done: make(chan struct{})}
	watch.begin(func(b []byte) string {
		if bytes.Contains(b, []byte(shown)) {
			return shown
		}
		return ""
	})
	c.call("secret", "set", "watched-argument", "--value", shown)
	watch.stop()
	if watch.looked == 0 || watch.found == "" {
		t.Errorf("in %d looks it was not seen", watch.looked)
	}
}

// An argumentWatch looks at the command lines of what we have started for as long as it runs.
type argumentWatch struct {
	t      *testing.T
	done   chan struct{}
	all    sync.WaitGroup
	looked int    // command lines
	found  string // first
}

func watchArguments(t *testing.T) *argumentWatch {
	t.Helper()
	needChildren(t)
	w := &argumentWatch{t: t, done: make(chan struct{})}
	w.begin(plainIn)
	return w
}

// needChildren skips where the system does not say which processes we have started.
func needChildren(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/thread-self/children"); err != nil {
		t.Skipf("this system does not list the children of a process: %v", err)
	}
}

func (w *argumentWatch) begin(look func([]byte) string) {
	w.all.Go(func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-tick.C:
				w.look(look)
			}
		}
	})
}

func (w *argumentWatch) stop() {
	close(w.done)
	w.all.Wait()
}

func (w *argumentWatch) end() {
	w.t.Helper()
	w.stop()
	if w.found != "" || w.looked == 0 {
		w.t.Errorf("among %d command lines is %s", w.looked, w.found)
	}
}

// look goes once over our descendants.
func (w *argumentWatch) look(find func([]byte) string) {
	for _, pid := range descendants(os.Getpid()) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(line) == 0 {
			continue
		}
		w.looked++
		if found := cmp.Or(find(line), inEnvironment(pid)); found != "" && w.found == "" {
			w.found = fmt.Sprintf("%s of %q", found, line[:min(len(line), 60)])
		}
	}
}

// inEnvironment is a value in the environment of a process of the program: run gives it to its
// command alone.
func inEnvironment(pid int) string {
	exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err != nil || exe != program {
		return ""
	}
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return valueIn(text)
}

// descendants are the processes below one; those that end meanwhile may lack.
func descendants(of int) (all []int) {
	for parents, i := []int{of}, 0; i < len(parents); i++ {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parents[i]))
		for _, file := range files {
			text, _ := os.ReadFile(file)
			for _, word := range strings.Fields(string(text)) {
				if pid, err := strconv.Atoi(word); err == nil {
					parents, all = append(parents, pid), append(all, pid)
				}
			}
		}
	}
	return all
}
