package rolling_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/testcluster"
)

// A rolling upgrade from the revision that landed before this one takes nothing from applications.
// While both run the cluster says so. After it the cluster is at the level of this program, and has
// no place for the older one. It builds two programs, so make upgrade runs it alone.
func TestRollingUpgrade(t *testing.T) {
	if os.Getenv("KEYQUORUM_UPGRADE") == "" {
		t.Skip("set KEYQUORUM_UPGRADE, or run make upgrade")
	}
	older := buildPrevious(t)
	program, err := testcluster.Binary()
	must(t, err)
	c := testcluster.ProcessesOf(t, 3, older)
	var s haStatus
	defer func() {
		if t.Failed() {
			t.Logf("the last status: %+v", s)
		}
	}()
	roll(t, c, planned(t), program, func() {
		await(t, "a node says who runs what", func() bool {
			s = statusOf(c, 0)
			return said(s, "Nodes run different versions")
		})
	})
	newest := statusOf(c, 0).Data.Nodes[0].Newest
	await(t, "the newest level", func() bool { return statusOf(c, 1).Data.Level == newest })
	t.Logf("the cluster came to level %d", newest)
	requireRefused(t, c, older)
	c.Replace(2, program)
	c.Restart(2)
	c.Unseal(2)
	c.Settled()
}

// requireRefused starts node 2 with a program that the cluster has left behind. The others have no
// dealings with it, so it finds no leader, and say why.
func requireRefused(t *testing.T, c *testcluster.Cluster, program string) {
	t.Helper()
	c.Stop(2)
	c.Replace(2, program)
	c.Start(2)
	await(t, "the others refuse the older program", func() bool {
		return bytes.Contains(c.Output(0), []byte("refused because of its release")) &&
			bytes.Contains(c.Output(1), []byte("a cluster never goes back"))
	})
	await(t, "they say so in the status", func() bool {
		return said(statusOf(c, 0), "Node node2 takes no part")
	})
}

// root is that of the checkout.
const root = "../.."

// previous is the revision that landed before this one, as testdata/previous.txt names it.
func previous(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("testdata/previous.txt")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			return line
		}
	}
	t.Fatal("testdata/previous.txt names no revision")
	return ""
}

// buildPrevious builds the program of the revision before, as the Makefile does.
func buildPrevious(t *testing.T) (program string) {
	t.Helper()
	revision, source, out := previous(t), t.TempDir(), t.TempDir()
	if _, err := git("cat-file", "-e", revision+"^{commit}"); err != nil {
		t.Fatalf("this checkout does not have revision %s, from which to upgrade. If it is a shallow "+
			"clone, git fetch --unshallow brings it: %v", revision, err)
	}
	archive, err := git("archive", "--format=tar", revision)
	must(t, err)
	unpack := exec.Command("tar", "-x", "-C", source)
	unpack.Stdin = bytes.NewReader(archive)
	if said, err := unpack.CombinedOutput(); err != nil {
		t.Fatalf("tar: %v\n%s", err, said)
	}
	program = filepath.Join(out, "keyquorum")
	build := exec.Command("go", "build", "-trimpath",
		"-ldflags", "-X main.version=0.1.0-dev+"+revision[:7], "-o", program, "./cmd/keyquorum")
	build.Dir = source
	build.Env = append(os.Environ(), "GOEXPERIMENT=runtimesecret", "CGO_ENABLED=0", "GOWORK=off")
	if said, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building revision %s: %v\n%s", revision, err, said)
	}
	return program
}

func git(args ...string) ([]byte, error) {
	var said bytes.Buffer
	call := exec.Command("git", append([]string{"-C", root}, args...)...)
	call.Stderr = &said
	out, err := call.Output()
	if err != nil {
		err = fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(said.String()))
	}
	return out, err
}
