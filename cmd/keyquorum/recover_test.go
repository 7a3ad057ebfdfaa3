package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/operator"
)

// TestRecoverCommand makes new nodes of the folder of one that is gone, and of its snapshot, as an
// operator does who has nothing else.
func TestRecoverCommand(t *testing.T) {
	n := startNode(t)
	made := n.operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	var keys operator.InitResult
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil {
		t.Fatal(err)
	}
	unseal := func() {
		t.Helper()
		for _, share := range keys.KeysHex[:2] {
			expectCode(t, "unseal", n.operator(t, "unseal", share), 0)
		}
	}
	unseal()
	dir := t.TempDir()
	snapshot := filepath.Join(dir, "backup.snap")
	expectCode(t, "save", asRoot(t, n, keys.RootToken, "raft", "snapshot", "save", snapshot), 0)
	data := n.folder.Path("node1")
	cluster := n.address.Cluster()

	recover := func(stdin string, args ...string) outcome {
		cmd := keyquorum(context.Background(), dir, append([]string{"operator", "recover"}, args...)...)
		cmd.Stdin = strings.NewReader(stdin)
		return ended(t, cmd)
	}
	running := recover("", data)
	expectCode(t, "the folder of a node that runs", running, 1)
	if !strings.Contains(running.complaint(), data+": ") {
		t.Errorf("the folder of a node that runs: %s", running.stderr)
	}
	_ = n.cmd.Process.Signal(syscall.SIGTERM)
	if err := n.cmd.Wait(); err != nil {
		t.Fatal(err)
	}

	shown := recover("", data, "--format", "json")
	expectCode(t, "recover, to look", shown, 0)
	if o := shown.object(t); o["complete"] != true || o["voters"] != 1.0 || o["best"] != data {
		t.Errorf("recover, to look: %v", o)
	}
	people := recover("", snapshot)
	expectCode(t, "recover, to look at a snapshot", people, 0)
	if !strings.Contains(people.stdout, "Every write after the snapshot was taken is missing.") {
		t.Errorf("recover, to look at a snapshot: %s", people.stdout)
	}
	half := recover("", data, "--into", filepath.Join(dir, "half"))
	expectCode(t, "recover without an address", half, 1)
	none := recover("", dir)
	expectCode(t, "recover of a folder without data", none, 1)

	shares := keys.KeysHex[1] + "\n" + keys.KeysB64[2] + "\n"
	wrong := recover(strings.Repeat("ab", 33)+"\n", data, "--into", filepath.Join(dir, "a"),
		"--cluster-address", cluster)
	expectCode(t, "recover with a wrong share", wrong, 1)
	scratch := t.TempDir()
	drill := func(stdin, from string) outcome {
		cmd := keyquorum(context.Background(), dir, "operator", "drill", from, "--scratch", scratch,
			"--format", "json")
		cmd.Stdin = strings.NewReader(stdin)
		return ended(t, cmd)
	}
	for _, from := range []string{data, snapshot} {
		tried := drill(shares, from)
		expectCode(t, "drill of "+from, tried, 0)
		if o := tried.object(t); o["records_that_open"] == 0.0 || o["digest"] == "" {
			t.Errorf("drill of %s: %v", from, o)
		}
	}
	expectCode(t, "drill with a wrong share", drill(strings.Repeat("ab", 33)+"\n", snapshot), 1)
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("drills leave %v (%v)", left, err)
	}
	for _, from := range []string{data, snapshot} {
		into := filepath.Join(dir, "new-of-"+filepath.Base(from))
		done := recover(shares, from, "--into", into, "--cluster-address", cluster)
		expectCode(t, "recover from "+from, done, 0)
		if !strings.Contains(done.stdout, "keyquorum operator raft join") {
			t.Errorf("recover from %s says %s", from, done.stdout)
		}
		again := recover(shares, from, "--into", into, "--cluster-address", cluster)
		expectCode(t, "recover into the same folder", again, 1)
		n.startIn(t, into)
		unseal()
		listed := asRoot(t, n, keys.RootToken, "raft", "list-peers", "--format", "json")
		expectCode(t, "list-peers", listed, 0)
		var peers operator.RaftConfiguration
		if err := json.Unmarshal([]byte(listed.stdout), &peers); err != nil ||
			len(peers.Data.Config.Servers) != 1 || !strings.Contains(done.stdout,
			peers.Data.Config.Servers[0].ID) {
			t.Errorf("the members are %s (%v)", listed.stdout, err)
		}
		_ = n.cmd.Process.Signal(syscall.SIGTERM)
		if err := n.cmd.Wait(); err != nil {
			t.Fatal(err)
		}
	}
}

// startIn starts the node again, with another data folder.
func (n *lonelyNode) startIn(t *testing.T, data string) {
	t.Helper()
	n.cmd = keyquorum(context.Background(), string(n.folder),
		append(n.folder.ServerArgs(n.address), "--data", data)...)
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); ; {
		if n.operator(t, "init", "-status").code == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("the node does not answer")
		}
	}
}
