package terminal

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"keyquorum/cmd/keyquorum/dev"
	build "keyquorum/internal/program"
)

// program is the path of the built one. A call names it as whoever stands in the folder above.
var (
	home    string
	program = "bin/keyquorum"
)

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	var err error
	if home, err = os.MkdirTemp("", "keyquorum-terminal"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(home)
	if err := build.Build(filepath.Join(home, "bin")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer stopCluster()
	return m.Run()
}

// environmentOf is one for a call: a terminal, a home without a login, and some more.
func environmentOf(more map[string]string) (all []string) {
	own := map[string]string{"HOME": home, "PATH": os.Getenv("PATH"), "TERM": "xterm-256color"}
	maps.Copy(own, more)
	for name, value := range own {
		all = append(all, name+"="+value)
	}
	return all
}

// A cluster is the environment of one of three nodes that keeps nothing.
type cluster struct{ environment map[string]string }

// one is shared by all tests: each of them uses objects of its own.
var one struct {
	sync.Once
	cluster
	err error
}

// running is the cluster, which the first who asks starts.
func running(t *testing.T) *cluster {
	t.Helper()
	one.Do(func() {
		call := exec.Command(program, "dev", "--memory", "--port=0", "--detach", "--print=json",
			"--vault=demo", "--vault=payments-of-the-old-days")
		call.Dir, call.Env, call.Stderr = home, environmentOf(nil), os.Stderr
		printed, err := call.Output()
		if err == nil {
			err = json.Unmarshal(printed, &one.environment)
		}
		one.err = err
	})
	if one.err != nil {
		t.Fatal(one.err)
	}
	return &one.cluster
}

func stopCluster() {
	if one.environment == nil {
		return
	}
	if o := one.pipe(context.Background(), "dev", "stop"); o.code != 0 {
		fmt.Fprintln(os.Stderr, o.stderr)
	}
}

// outcome is a call without a terminal.
type outcome struct {
	code           int
	stdout, stderr string
}

// pipe calls the program without a terminal.
func (c *cluster) pipe(ctx context.Context, args ...string) outcome {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir, cmd.Env = home, environmentOf(c.environment)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); cmd.ProcessState == nil {
		return outcome{-1, "", err.Error()}
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// does calls the program without a terminal, for what it has to do.
func (c *cluster) does(t *testing.T, args ...string) string {
	t.Helper()
	o := c.pipe(t.Context(), args...)
	if o.code != 0 {
		t.Fatalf("%v: exit code %d, %s", args, o.code, o.stderr)
	}
	return o.stdout
}

// sit calls the program in a terminal, with settings of the environment beside the cluster's.
func (c *cluster) sit(t *testing.T, line string, settings ...string) *sitting {
	t.Helper()
	environment := environmentOf(c.environment)
	return sit(t, home, append(environment, settings...), append([]string{program},
		strings.Fields(line)...)...)
}

// shares are those that unseal a node.
func (c *cluster) shares(t *testing.T) []string {
	t.Helper()
	state, err := dev.Folder(c.environment["KEYQUORUM_DEV_DIR"]).State()
	if err != nil {
		t.Fatal(err)
	}
	return state.Init.KeysB64[:state.Init.Threshold]
}

// node is the API of one of the three.
func (c *cluster) node(t *testing.T, number int) string {
	t.Helper()
	state, err := dev.Folder(c.environment["KEYQUORUM_DEV_DIR"]).State()
	if err != nil {
		t.Fatal(err)
	}
	return dev.Addresses(state.Port)[number-1].API()
}
