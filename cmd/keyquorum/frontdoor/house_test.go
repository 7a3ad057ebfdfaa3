package frontdoor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	build "keyquorum/internal/program"
)

// program is keyquorum as a user would have built it.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keyquorum-frontdoor")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "keyquorum")
	if err := build.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	// The tests wait for other processes most of the time, on one processor too.
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	code := m.Run()
	if err := closeShared(); err != nil {
		fmt.Fprintln(os.Stderr, "FAIL:", err)
		return 1
	}
	return code
}

// A house is a cluster that keeps nothing. Many tests may call at one.
type house struct {
	folder      string // of the cluster
	environment map[string]string
}

// one is the cluster of one node that tests share, started when the first wants it.
var one struct {
	sync.Mutex
	*house
}

func shared(t *testing.T) *house {
	t.Helper()
	one.Lock()
	defer one.Unlock()
	if one.house == nil {
		h, err := start("--nodes=1")
		if err != nil {
			t.Fatal(err)
		}
		one.house = h
	}
	return one.house
}

// closeShared looks through the shared cluster for what must not lie there, and stops it.
func closeShared() error {
	if one.house == nil {
		return nil
	}
	return errors.Join(one.holdsNothingPlain(), one.stop())
}

// own is a cluster of a test's own, which is looked through and stopped with it.
func own(t *testing.T, args ...string) *house {
	t.Helper()
	h, err := start(args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(h.holdsNothingPlain(), h.stop()); err != nil {
			t.Error(err)
		}
	})
	return h
}

func start(args ...string) (*house, error) {
	h := &house{}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, append([]string{"dev", "--memory", "--port=0",
		"--detach", "--print=json"}, args...)...)
	cmd.Env = build.Environment()
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil || json.Unmarshal(out, &h.environment) != nil {
		return nil, fmt.Errorf("a cluster did not start: %w: %s%s", err, out, &said)
	}
	h.folder = h.environment["KEYQUORUM_DEV_DIR"]
	for _, name := range []string{"AZURE_CLIENT_SECRET", "KEYQUORUM_TOKEN"} {
		keepCredentialOut(h.environment[name])
	}
	return h, nil
}

func (h *house) stop() error {
	cmd := exec.Command(program, "dev", "stop", "--dir", h.folder)
	cmd.Env = build.Environment()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("dev stop: %w: %s", err, out)
	}
	return nil
}

// urls are the vault's, one a node.
func (h *house) urls() []string { return strings.Split(h.environment["KEYQUORUM_VAULT_URLS"], ",") }
