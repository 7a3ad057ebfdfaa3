package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/internal/wrapper"
	"keyquorum/seal"
)

// TestUnattendedRestartOfAProcess makes what docs/wrappers.md shows. It kills a node that has a wrapper, and it comes back without a
// share. One that was sealed does not. What the wrapper wraps is in none of its files.
func TestUnattendedRestartOfAProcess(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rig.key")
	if err := os.WriteFile(path, []byte(strings.Repeat("c3", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	flag := "-seal-wrapper=spare=keyfile:" + path
	n := startNode(t, flag)
	var keys operator.InitResult
	made := n.operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil {
		t.Fatalf("init gave %s", made.stdout)
	}
	for _, share := range keys.KeysB64[:2] {
		expectCode(t, "unseal", n.operator(t, "unseal", share), 0)
	}
	o := operating{n, keys.RootToken}
	add := []string{"seal", "wrappers", "add"}
	expectCode(t, "begun without a token",
		operating{n, ""}.does(t, "", append(add, "-init", "spare")...), 2)
	expectCode(t, "a share for nothing", o.does(t, keys.KeysB64[0]+"\n", add...), 2)
	expectCode(t, "begun without a name", o.does(t, "", append(add, "-init")...), 1)
	page := wrapperCommands(t)
	expectCode(t, "begun", o.does(t, "", page[0]...), 0)
	for i, share := range keys.KeysHex[1:] {
		out := o.does(t, share+"\n", page[1]...)
		expectCode(t, "a share", out, 0)
		if i == 1 && !strings.Contains(out.stdout, "spare is on the list") {
			t.Errorf("after the last share: %s", out.stdout)
		}
	}
	list := o.does(t, "", page[2]...)
	if !strings.Contains(list.stdout, "spare") {
		t.Errorf("list: %s", list.stdout)
	}
	expectCode(t, "test", o.does(t, "", page[3]...), 0)
	n.awaitWrapped(t)
	for range 2 {
		n.kill(t)
		n.start(t, flag)
		n.awaitUnsealed(t)
	}
	n.holdsNothingOf(t, flag)

	expectCode(t, "seal", o.does(t, "", "seal"), 0)
	n.kill(t)
	n.start(t, flag)
	status := n.operator(t, "status")
	expectCode(t, "status", status, 2)
	if !strings.Contains(status.stdout, "An operator has sealed this node") {
		t.Errorf("status: %s", status.stdout)
	}
	if !strings.Contains(n.said(t), "it stays sealed until it is given its unseal shares") {
		t.Errorf("the log says nothing of it")
	}
	for _, share := range keys.KeysB64[:2] {
		expectCode(t, "unseal", n.operator(t, "unseal", share), 0)
	}
	expectCode(t, "remove", o.does(t, "", page[4]...), 0)
	list = o.does(t, "", page[2]...)
	if !strings.Contains(list.stdout+list.stderr, "no wrapper") {
		t.Errorf("list: %s %s", list.stdout, list.stderr)
	}
}

// wrapperCommands are those of docs/wrappers.md, in their order, without "keyquorum operator".
func wrapperCommands(t *testing.T) (commands [][]string) {
	t.Helper()
	text, err := os.ReadFile("../../docs/wrappers.md")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		command, _, _ := strings.Cut(line, "#")
		if rest, ok := strings.CutPrefix(command, "keyquorum operator "); ok {
			commands = append(commands, strings.Fields(rest))
		}
	}
	if len(commands) != 5 {
		t.Fatalf("the page has %d commands: this test knows what to do with five", len(commands))
	}
	return commands
}

func (n *lonelyNode) kill(t *testing.T) {
	t.Helper()
	if err := n.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = n.cmd.Wait()
}

// patience is for what a process does by itself.
const patience = 30 * time.Second

func (n *lonelyNode) await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for !done() {
		if ctx.Err() != nil {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func (n *lonelyNode) awaitUnsealed(t *testing.T) {
	t.Helper()
	n.await(t, "it unseals itself", func() bool { return n.operator(t, "status").code == 0 })
}

// awaitWrapped waits until the folder's copy of the seal record has the wrapper.
func (n *lonelyNode) awaitWrapped(t *testing.T) {
	t.Helper()
	n.await(t, "its folder has the wrapper", func() bool {
		return len(n.sealRecord(t).Wrappers()) == 1
	})
}

func (n *lonelyNode) sealRecord(t *testing.T) seal.Record {
	t.Helper()
	for _, file := range n.files(t) {
		if filepath.Base(file) != "seal.record" {
			continue
		}
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		record, err := seal.DecodeRecord(b)
		if err != nil {
			t.Fatal(err)
		}
		return record
	}
	t.Fatal("there is no copy of the seal record")
	return seal.Record{}
}

// files are all that the node has written, and its log.
func (n *lonelyNode) files(t *testing.T) []string {
	t.Helper()
	files := []string{n.log.Name()}
	err := filepath.WalkDir(string(n.folder), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// holdsNothingOf opens the wrapping key as the node does, and looks for it in all files.
func (n *lonelyNode) holdsNothingOf(t *testing.T, flag string) {
	t.Helper()
	_, key, err := wrapper.Parse(strings.TrimPrefix(flag, "-seal-wrapper="))
	if err != nil {
		t.Fatal(err)
	}
	var secret []byte
	record := n.sealRecord(t)
	root, err := record.Wrappers()[0].Open(record.Lock, func(wrapped []byte) (seal.Plaintext, error) {
		opened, err := key.Unwrap(t.Context(), wrapped)
		secret = bytes.Clone(opened)
		return opened, err
	})
	if err != nil {
		t.Fatal(err)
	}
	root.Close()
	for _, file := range n.files(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		for _, form := range [][]byte{secret, []byte(hex.EncodeToString(secret)),
			[]byte(base64.RawStdEncoding.EncodeToString(secret))} {
			if bytes.Contains(b, form) {
				t.Errorf("the wrapping key is in %s", file)
			}
		}
	}
}
