package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/internal/program"
)

// runningCluster is a `keyquorum dev` in a folder of its own, laid out as the repository is for a
// reader: bin/ beside it.
type runningCluster struct {
	dir   string
	base  int
	cmd   *exec.Cmd
	lines chan string
}

func newCluster(t *testing.T) *runningCluster {
	c := &runningCluster{dir: t.TempDir(), base: freeBase(t)}
	if err := os.Symlink(built, filepath.Join(c.dir, "bin")); err != nil {
		t.Fatal(err)
	}
	return c
}

// start runs `keyquorum dev` until it says that it is ready.
func (c *runningCluster) start(t *testing.T, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	c.cmd = keyquorum(ctx, c.dir, append([]string{"dev"}, args...)...)
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGTERM) }
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	c.cmd.Stderr = c.cmd.Stdout
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.stop(t); cancel() })
	c.lines = make(chan string, 1000)
	go func() {
		defer close(c.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			c.lines <- s.Text()
		}
	}()
	c.waitFor(t, "Ready")
}

// waitFor reads the output until a line begins with a word.
func (c *runningCluster) waitFor(t *testing.T, word string) string {
	t.Helper()
	var before []string
	for line := range c.lines {
		if strings.HasPrefix(line, word) {
			return line
		}
		before = append(before, line)
	}
	t.Fatalf("the dev cluster ended before it said %q:\n%s", word, strings.Join(before, "\n"))
	return ""
}

// stop ends it as a SIGTERM does, and waits. A second call does nothing.
func (c *runningCluster) stop(t *testing.T) {
	t.Helper()
	if c.cmd.ProcessState != nil {
		return
	}
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	for range c.lines { // read to the end, before Wait closes the pipe
	}
	if err := c.cmd.Wait(); err != nil {
		t.Errorf("the dev cluster ended with %v", err)
	}
}

func (c *runningCluster) pids(t *testing.T) (pids []int) {
	t.Helper()
	for number := 1; number <= dev.Nodes; number++ {
		pid := dev.ReadPID(filepath.Join(c.dir, ".keyquorum-dev", fmt.Sprintf("node%d.pid", number)))
		if pid == 0 {
			t.Fatalf("node %d has no process", number)
		}
		pids = append(pids, pid)
	}
	return pids
}

func (c *runningCluster) status(t *testing.T) (reports []dev.Report) {
	t.Helper()
	o := call(t, c.dir, "dev", "status", "-format=json")
	if o.code != 0 || json.Unmarshal([]byte(o.stdout), &reports) != nil || len(reports) != dev.Nodes {
		t.Fatalf("dev status: exit code %d, output %q, %s", o.code, o.stdout, o.stderr)
	}
	return reports
}

// TestTour does what the README asks a reader to do, word for word but for the ports, and then what
// a reader may try: stopping, coming back sealed, and coming back.
func TestTour(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster of processes")
	}
	c := newCluster(t)
	c.start(t, "--port", strconv.Itoa(c.base))
	output := c.shell(t, tour(t, c.base))
	for _, sight := range []string{"correct horse", "the secret is ***",
		"done: written through one URL, read and verified through 2", "Proven               true",
		"One more voter may be lost.", "1 voter, or any one region", "Client secret", `"sign"`,
		": read secret azure-app-greeting", "403 Forbidden", "exit code 1: billing may not write",
		"exit code 2: sealed", "not a share of this cluster", `"operation":"`} {
		if !strings.Contains(output, sight) {
			t.Errorf("the tour did not show %q:\n%s", sight, output)
		}
	}
	pids := c.pids(t)
	c.stop(t)
	for _, pid := range pids {
		if syscall.Kill(pid, 0) == nil {
			t.Errorf("process %d outlived the dev cluster", pid)
		}
	}
	c.secretsAreWhereTheyBelong(t)

	c.start(t, "-sealed")
	for _, r := range c.status(t) {
		if r.State != "sealed" {
			t.Errorf("started with -sealed, node %d is %s", r.Node, r.State)
		}
	}
	c.stop(t)

	c.start(t)
	c.shell(t, "bin/keyquorum dev exec -- bin/azure-app")
	if out := c.shell(t,
		". .keyquorum-dev/env; bin/keyquorum vault list -format=json"); !strings.Contains(out,
		`"payments"`) {
		t.Errorf("the vault of the tour did not come back: %s", out)
	}
}

// secretsAreWhereTheyBelong looks for the client secret and the root token in every file of the dev
// cluster: in those that say so they are, in data folders, logs and usage records they must not be.
func (c *runningCluster) secretsAreWhereTheyBelong(t *testing.T) {
	t.Helper()
	folder := dev.Folder(filepath.Join(c.dir, ".keyquorum-dev"))
	state, err := folder.State()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{"dev.json": true, "env": true, "env-1": true, "env-2": true, "env-3": true}
	err = filepath.WalkDir(string(folder), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		for _, secret := range []string{state.App.Secret, state.Init.RootToken} {
			name, _ := filepath.Rel(string(folder), path)
			if found := bytes.Contains(b, []byte(secret)); found != want[name] {
				t.Errorf("%s holds a secret: %v, want %v", name, found, want[name])
			}
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// shell runs lines as a reader's shell does, stopping at the first that fails.
func (c *runningCluster) shell(t *testing.T, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-e", "-c", script)
	cmd.Dir = c.dir
	cmd.Env = program.Environment()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s\n\nfailed (%v):\n%s", script, err, out)
	}
	return string(out)
}

// tour is the README's blocks that begin with "```sh tour", as one script since a reader's shell
// keeps its environment, with the ports that make run uses replaced by those of a base.
func tour(t *testing.T, base int) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	for _, match := range regexp.MustCompile("(?ms)^```sh tour\n(.*?)^```$").FindAllSubmatch(readme,
		-1) {
		script.Write(match[1])
	}
	if script.Len() == 0 {
		t.Fatal("the README has no tour")
	}
	var ports []string
	for i, a := range dev.Addresses(base) {
		ports = append(ports, fmt.Sprintf(":%d", 8200+10*i), fmt.Sprintf(":%d", a.Port))
	}
	return strings.NewReplacer(ports...).Replace(script.String())
}
