package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/cmd/keyquorum/operator"
)

// lonelyNode is a node that was started as an operator starts it, and stops with the test.
type lonelyNode struct {
	folder  dev.Folder
	address dev.Address
	cmd     *exec.Cmd
	log     *os.File // standard error
}

// said is what the node has logged.
func (n *lonelyNode) said(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(n.log.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func startNode(t *testing.T, flags ...string) *lonelyNode {
	t.Helper()
	n := &lonelyNode{folder: devCertificates(t, time.Now()), address: dev.Addresses(freeBase(t))[0]}
	return n.start(t, flags...)
}

// start begins the process, on the folder that it had before if it was there before.
func (n *lonelyNode) start(t *testing.T, flags ...string) *lonelyNode {
	t.Helper()
	n.cmd = keyquorum(context.Background(), string(n.folder),
		append(n.folder.ServerArgs(n.address), flags...)...)
	var err error
	if n.log, err = os.Create(filepath.Join(t.TempDir(), "log")); err != nil {
		t.Fatal(err)
	}
	defer n.log.Close()
	n.cmd.Stderr = n.log
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n.cmd.ProcessState == nil {
			_ = n.cmd.Process.Kill()
			_ = n.cmd.Wait()
		}
	})
	for deadline := time.Now().Add(20 * time.Second); ; {
		if o := n.operator(t, "init", "-status"); o.code != 1 {
			return n
		}
		if time.Now().After(deadline) {
			t.Fatal("the node does not answer")
		}
	}
}

func (n *lonelyNode) operator(t *testing.T, args ...string) outcome {
	t.Helper()
	args = append([]string{"operator", "-address=" + n.address.API(),
		"-ca-cert=" + n.folder.Path("ca.pem")}, args...)
	return call(t, t.TempDir(), args...)
}

// object is the JSON object that a command printed.
func (o outcome) object(t *testing.T) map[string]any {
	t.Helper()
	var fields map[string]any
	if err := json.Unmarshal([]byte(o.stdout), &fields); err != nil {
		t.Fatalf("not a JSON object (%v): %q, %s", err, o.stdout, o.stderr)
	}
	return fields
}

func expectCode(t *testing.T, what string, o outcome, want int) {
	t.Helper()
	if o.code != want {
		t.Errorf("%s: exit code %d, want %d (%s)", what, o.code, want, o.stderr)
	}
}

// TestCeremony initialises, unseals and ends a node with the operator's commands, and holds the
// exit codes and the JSON that scripts for bao and vault rely on.
func TestCeremony(t *testing.T) {
	n := startNode(t)
	expectCode(t, "init -status before", n.operator(t, "init", "-status"), 2)
	wide := n.operator(t, "init", "-key-shares=2", "-key-threshold=3")
	expectCode(t, "init with a threshold above the shares", wide, 2)
	if !strings.Contains(wide.complaint(), "--key-threshold must be between 1 and --key-shares") {
		t.Errorf("init with a threshold above the shares: %s", wide.stderr)
	}
	blank := n.operator(t, "status")
	expectCode(t, "status before init", blank, 2)
	if !strings.Contains(blank.stdout, "Not initialized: run keyquorum operator init") {
		t.Errorf("status before init: %s", blank.stdout)
	}
	whole := call(t, t.TempDir(), "status", "-address="+n.address.API(),
		"-ca-cert="+n.folder.Path("ca.pem"))
	expectCode(t, "the cluster's status before init", whole, 2)
	if !strings.Contains(whole.complaint(), "is not initialized: run `keyquorum operator init`") {
		t.Errorf("the cluster's status before init: %s", whole.stderr)
	}
	stranger := call(t, t.TempDir(), "status", "-address="+n.address.API())
	if !strings.Contains(stranger.complaint(),
		"say with --ca-cert (KEYQUORUM_CACERT) which authority signed") {
		t.Errorf("a node whose authority is not known: %s", stranger.stderr)
	}

	early := n.operator(t, "unseal", strings.Repeat("ab", 33))
	expectCode(t, "unseal before init", early, 2)
	if !strings.Contains(early.complaint(), "is not initialized: run `keyquorum operator init`") {
		t.Errorf("unseal before init: %s", early.stderr)
	}
	joins := n.operator(t, "raft", "join",
		n.address.API()) // to itself: the certificate is what counts
	if !strings.Contains(joins.complaint(), "give --leader-ca-cert") {
		t.Errorf("a join whose authority nobody knows: %s", joins.stderr)
	}
	asks := n.operator(t, "raft", "join", "--retry", "https://127.0.0.1:1")
	expectCode(t, "a join where nobody is", asks, 0)
	for _, o := range []outcome{asks, n.operator(t, "status")} {
		said := strings.Join(strings.Fields(o.stdout), " ")
		for _, want := range []string{"asks at https://127.0.0.1:1 until", "connection refused",
			"unseal shares are for later"} {
			if !strings.Contains(said, want) {
				t.Errorf("where nobody is, it is not said that %s: %s", want, said)
			}
		}
	}

	made := n.operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	expectCode(t, "init", made, 0)
	wantMembers(t, made.object(t), "unseal_keys_b64", "unseal_keys_hex", "unseal_shares",
		"unseal_threshold", "recovery_keys_b64",
		"recovery_keys_hex", "recovery_keys_shares", "recovery_keys_threshold", "root_token")
	var keys operator.InitResult
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil || len(keys.KeysB64) != 3 ||
		len(keys.KeysHex) != 3 || keys.RootToken == "" {
		t.Fatalf("init gave %s", made.stdout)
	}
	expectCode(t, "init -status after", n.operator(t, "init", "-status"), 0)
	expectCode(t, "init again", n.operator(t, "init"), 2)

	sealed := n.operator(t, "status", "-format=json")
	expectCode(t, "status, sealed", sealed, 2)
	if s := sealed.object(t); s["sealed"] != true || s["ha_enabled"] != true || s["t"] != 2.0 ||
		s["n"] != 3.0 {
		t.Errorf("status of a sealed node: %v", s)
	}
	told := n.operator(t, "seal") // a sealed node has nothing to do
	expectCode(t, "seal of a sealed node", told, 0)
	listed := n.operator(t, "raft", "list-peers")
	if !strings.Contains(listed.complaint(),
		"is sealed: give it its unseal shares (keyquorum operator unseal)") {
		t.Errorf("list-peers of a sealed node: %s", listed.stderr)
	}
	first := n.operator(t, "unseal", keys.KeysHex[0])
	expectCode(t, "unseal with the first share", first, 0)
	if !strings.Contains(first.stdout, "Given so far") ||
		!strings.Contains(first.stdout, "Sealed: give this node 2 of its unseal shares") {
		t.Errorf("what is said after the first share: %s", first.stdout)
	}
	wrong := n.operator(t, "unseal", strings.Repeat("ab", 33))
	expectCode(t, "unseal with a wrong share", wrong, 2)
	if wrong.complaint() == "" {
		t.Errorf("a wrong share is refused with %q", wrong.stderr)
	}
	expectCode(t, "unseal with the second share", n.operator(t, "unseal", keys.KeysB64[2]), 0)

	open := n.operator(t, "status", "-format=json")
	expectCode(t, "status, unsealed", open, 0)
	wantMembers(t, open.object(t),
		append([]string{"type", "initialized", "sealed", "t", "n", "progress", "version", "cluster_id"},
			operator.LeaderNames...)...)
	people := n.operator(t, "status")
	if strings.Contains(people.stdout, "0001-01-01") ||
		!strings.Contains(people.stdout, "Needed to unseal") {
		t.Errorf("status for people: %s", people.stdout)
	}
	rooted := keyquorum(context.Background(), t.TempDir(), "operator", "-address="+n.address.API(),
		"-ca-cert="+n.folder.Path("ca.pem"), "raft", "list-peers")
	rooted.Env = append(rooted.Env, "KEYQUORUM_TOKEN="+keys.RootToken)
	if out, err := rooted.Output(); err != nil || !strings.HasPrefix(string(out), "Name ") ||
		!strings.Contains(string(out), "node1") {
		t.Errorf("list-peers (%v): %s", err, out)
	}
	survey := keyquorum(context.Background(), t.TempDir(), "status", "-address="+n.address.API(),
		"-ca-cert="+n.folder.Path("ca.pem"), "-format=json")
	survey.Env = rooted.Env
	var levels struct {
		Level int `json:"level"`
		Nodes []struct {
			Newest int `json:"newest_level"`
		} `json:"nodes"`
	}
	if out, err := survey.Output(); err != nil || json.Unmarshal(out, &levels) != nil ||
		levels.Level == 0 || len(levels.Nodes) != 1 || levels.Nodes[0].Newest == 0 {
		t.Errorf("the cluster's status (%v) has no levels: %s", err, out)
	}
	refused := n.operator(t, "seal")
	expectCode(t, "seal without a token", refused, 2)
	if !strings.HasSuffix(refused.complaint(), "; set KEYQUORUM_TOKEN") {
		t.Errorf("seal without a token: %s", refused.stderr)
	}

	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if err := n.cmd.Wait(); err != nil {
		t.Errorf("after a SIGTERM: %v", err)
	}
}

func wantMembers(t *testing.T, object map[string]any, names ...string) {
	t.Helper()
	names = slices.DeleteFunc(names, func(name string) bool { _, there := object[name]; return there })
	if len(names) > 0 {
		t.Errorf("the JSON lacks %q: %v", names, object)
	}
}

// A node that can't record anything makes no cluster whose shares nobody sees, and its log says
// once which file it is and what is the matter with it.
func TestInitWithAFullUsageLog(t *testing.T) {
	n := startNode(t, "--usage-log=/dev/full")
	for range 5 {
		o := n.operator(t, "init")
		expectCode(t, "init", o, 2)
		if !strings.Contains(o.complaint(), "The usage record could not be written. Nothing was done.") {
			t.Errorf("init: %s", o.stderr)
		}
	}
	expectCode(t, "init -status", n.operator(t, "init", "-status"), 2)
	time.Sleep(1500 * time.Millisecond)
	said := n.said(t)
	if strings.Count(said, "[ERROR]") != 1 ||
		!strings.Contains(said, "write /dev/full: no space left on device") {
		t.Errorf("the node's log:\n%s", said)
	}
}
