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
	"syscall"
	"testing"
	"time"
)

// TestNothingLeaks: no value, token or client secret stands in arguments, in an environment that it
// was not meant for, on stderr at its most talkative, in logs, or in files that are left.
func TestNothingLeaks(t *testing.T) {
	t.Parallel()
	h := own(t, "--nodes=1")
	c := h.caller(t)
	processes := watchProcesses(t)
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
	processes.end(t)
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

// TestAWatchFindsWhatIsShown on purpose, in arguments and in an environment.
func TestAWatchFindsWhatIsShown(t *testing.T) {
	t.Parallel()
	needChildren(t)
	shown := func(b []byte) string {
		if bytes.Contains(b, []byte("shown-on-purpose")) {
			return "it"
		}
		return ""
	}
	c := shared(t).caller(t)
	for name, s := range map[string]*started{
		"arguments": c.start(script(`echo ready >>out; exec sleep 60`, "--vault=shown-on-purpose")...),
		"environment": c.house.caller(t).set("TERM", "shown-on-purpose").start(
			script(`echo ready >>out; exec sleep 60`)...),
	} {
		s.await("ready")
		arguments, environment := shown, shown
		if name == "arguments" {
			environment = func([]byte) string { return "" }
		} else {
			arguments = func([]byte) string { return "" }
		}
		w := &watch{arguments: arguments, environment: environment}
		if w.look(); w.found == "" || w.looked == 0 {
			t.Errorf("%s: it is not found among %d command lines", name, w.looked)
		}
		s.ends(syscall.SIGTERM, 143)
	}
}

// A watch looks at the processes that we have started, for as long as it runs.
type watch struct {
	arguments   func([]byte) string // finds what must not be there
	environment func([]byte) string // of the program, not of what it runs
	done        chan struct{}
	ended       sync.WaitGroup
	looked      int    // command lines
	found       string // first
}

// watchProcesses begins one.
func watchProcesses(t *testing.T) *watch {
	t.Helper()
	needChildren(t)
	// Who calls has a client secret in the environment.
	w := &watch{arguments: plainIn, environment: valueIn, done: make(chan struct{})}
	w.ended.Go(func() {
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-w.done:
				return
			case <-tick.C:
				w.look()
			}
		}
	})
	return w
}

func (w *watch) end(t *testing.T) {
	t.Helper()
	close(w.done)
	w.ended.Wait()
	if w.found != "" || w.looked == 0 {
		t.Errorf("among %d command lines: %s", w.looked, w.found)
	}
}

// needChildren skips where the system does not say which processes we have started.
func needChildren(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("/proc/thread-self/children"); err != nil {
		t.Skipf("this system does not list the children of a process: %v", err)
	}
}

// look goes once over our descendants.
func (w *watch) look() {
	for _, pid := range descendants(os.Getpid()) {
		line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		if err != nil || len(line) == 0 {
			continue
		}
		w.looked++
		found := w.arguments(line)
		if exe, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && exe == program {
			environment, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
			found = cmp.Or(found, w.environment(environment))
		}
		if found != "" && w.found == "" {
			w.found = fmt.Sprintf("%s at %q", found, line[:min(len(line), 60)])
		}
	}
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
