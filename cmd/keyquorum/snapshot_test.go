package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/operator"
)

// TestSnapshotCommands saves a snapshot of a real node, and looks at it without one.
func TestSnapshotCommands(t *testing.T) {
	n := startNode(t)
	made := n.operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	var keys operator.InitResult
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil {
		t.Fatal(err)
	}
	for _, share := range keys.KeysHex[:2] {
		expectCode(t, "unseal", n.operator(t, "unseal", share), 0)
	}
	dir := t.TempDir()
	run := func(stdin string, args ...string) outcome {
		cmd := keyquorum(context.Background(), dir, append([]string{"operator",
			"-address=" + n.address.API(), "-ca-cert=" + n.folder.Path("ca.pem"), "raft", "snapshot"},
			args...)...)
		cmd.Env = append(cmd.Env, "KEYQUORUM_TOKEN="+keys.RootToken)
		cmd.Stdin = strings.NewReader(stdin)
		return ended(t, cmd)
	}
	file := filepath.Join(dir, "backup.snap")

	saved := run("", "save", "backup.snap", "--format", "json")
	expectCode(t, "save", saved, 0)
	index := saved.object(t)["index"]
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	shown := run("", "inspect", "backup.snap", "--format", "json")
	expectCode(t, "inspect", shown, 0)
	if o := shown.object(t); o["index"] != index || o["members"] != 1.0 || o["unseal_shares"] != 3.0 ||
		o["unseal_threshold"] != 2.0 || o["cluster"] == "" {
		t.Errorf("inspect: %v", o)
	}
	first := content(t, file)
	refused := run("", "save", "backup.snap")
	expectCode(t, "save over a file that is there", refused, 1)
	if !strings.Contains(refused.complaint(), "--overwrite") || content(t, file) != first {
		t.Errorf("over a file that is there: %s", refused.stderr)
	}
	again := run("", "save", "backup.snap", "--overwrite")
	expectCode(t, "save --overwrite", again, 0)
	info, err := os.Stat(file)
	if err != nil || !strings.Contains(again.stdout, fmt.Sprintf("Bytes       %d\n", info.Size())) {
		t.Errorf("save says %s of a file of %d bytes (%v)", again.stdout, info.Size(), err)
	}
	checked := run("", "verify", "backup.snap")
	expectCode(t, "verify", checked, 0)
	if !strings.Contains(checked.stdout, "backup.snap is whole") {
		t.Errorf("verify: %s", checked.stdout)
	}
	opened := run(keys.KeysB64[1]+"\n"+keys.KeysHex[2]+"\n", "verify", "--open", "backup.snap")
	expectCode(t, "verify --open", opened, 0)
	if !strings.Contains(opened.stdout, "sealed records open.") {
		t.Errorf("verify --open: %s", opened.stdout)
	}
	wrong := run(strings.Repeat("ab", 33)+"\n", "verify", "--open", "backup.snap")
	expectCode(t, "verify with a wrong share", wrong, 1)
	twice := run(keys.KeysHex[1]+"\n"+keys.KeysHex[1]+"\n", "verify", "--open", "backup.snap")
	expectCode(t, "verify with a share given twice", twice, 1)
	if !strings.Contains(twice.complaint(), "this share was given already") {
		t.Errorf("a share given twice: %s", twice.stderr)
	}
	none := run("no share\n", "verify", "--open", "backup.snap")
	expectCode(t, "verify with what is no share", none, 1)
	if !strings.Contains(none.complaint(), "66 hex digits") {
		t.Errorf("what is no share: %s", none.stderr)
	}

	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	damaged := bytes.Clone(whole)
	damaged[len(damaged)/2] ^= 1
	for name, content := range map[string][]byte{
		"damaged": damaged, "cut": whole[:len(whole)-30], "half": whole[:len(whole)/2],
		"empty": nil, "foreign": []byte("hello, hello"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		o := run("", "verify", name)
		expectCode(t, "verify of a file that is "+name, o, 1)
		if !strings.HasPrefix(o.complaint(), name+": ") {
			t.Errorf("a file that is %s: %s", name, o.stderr)
		}
		if name == "half" && !strings.Contains(o.complaint(), "it was cut off") {
			t.Errorf("a file that is %s: %s", name, o.stderr)
		}
	}

	// Only what a node of this cluster has written is restored.
	restored := run("", "restore", "backup.snap")
	expectCode(t, "restore", restored, 0)
	if !strings.Contains(restored.stdout, "\nRestored: all nodes serve") {
		t.Errorf("restore: %s", restored.stdout)
	}
	if o := run("", "restore", "cut"); o.code == 0 || !strings.HasPrefix(o.complaint(), "cut: ") {
		t.Errorf("restore of what was cut: %s", o.stderr)
	}

	// What can't be saved leaves the file that was there, and nothing beside it.
	expectCode(t, "seal", asRoot(t, n, keys.RootToken, "seal"), 0)
	late := run("", "save", "backup.snap", "--overwrite")
	expectCode(t, "save of a sealed node", late, 2)
	if after, err := os.ReadFile(file); err != nil || !bytes.Equal(after, whole) {
		t.Errorf("the snapshot from before has %d bytes (%v)", len(after), err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.part-*")); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

func asRoot(t *testing.T, n *lonelyNode, token string, args ...string) outcome {
	t.Helper()
	cmd := keyquorum(context.Background(), t.TempDir(), append([]string{"operator",
		"-address=" + n.address.API(), "-ca-cert=" + n.folder.Path("ca.pem")}, args...)...)
	cmd.Env = append(cmd.Env, "KEYQUORUM_TOKEN="+token)
	return ended(t, cmd)
}
