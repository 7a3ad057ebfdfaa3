package main

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/operator"
)

// An operating is somebody with a token in front of a node.
type operating struct {
	n     *lonelyNode
	token string
}

// does a command, with what is typed as standard input.
func (o operating) does(t *testing.T, typed string, args ...string) outcome {
	t.Helper()
	args = append([]string{"operator", "-address=" + o.n.address.API(),
		"-ca-cert=" + o.n.folder.Path("ca.pem")}, args...)
	cmd := keyquorum(context.Background(), t.TempDir(), args...)
	cmd.Env = append(cmd.Env, "KEYQUORUM_TOKEN="+o.token)
	cmd.Stdin = strings.NewReader(typed)
	return ended(t, cmd)
}

func (o operating) gives(t *testing.T, command, share string, says string) outcome {
	t.Helper()
	out := o.does(t, share+"\n", command)
	expectCode(t, command, out, 0)
	if said := strings.Join(strings.Fields(out.stdout), " "); !strings.Contains(said, says) {
		t.Errorf("%s says %q, want %q", command, said, says)
	}
	if strings.Contains(out.stdout+out.stderr, share) {
		t.Errorf("%s shows the share that it was given", command)
	}
	return out
}

// isRefused: a command fails with what is typed, and says why.
func (o operating) isRefused(t *testing.T, typed, says string, args ...string) {
	t.Helper()
	out := o.does(t, typed+"\n", args...)
	if said := strings.Join(strings.Fields(out.stderr), " "); out.code == 0 ||
		!strings.Contains(said, says) {
		t.Errorf("%v: code %d, and it is not said that %s: %s", args, out.code, says, said)
	}
}

// TestRekeyAndRootTokenByCommand changes the shares with the operator's commands, and makes a root
// token with the new ones.
func TestRekeyAndRootTokenByCommand(t *testing.T) {
	n := startNode(t)
	var keys operator.InitResult
	made := n.operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil {
		t.Fatalf("init gave %s", made.stdout)
	}
	for _, share := range keys.KeysB64[:2] {
		expectCode(t, "unseal", n.operator(t, "unseal", share), 0)
	}
	o := operating{n, keys.RootToken}
	before := filepath.Join(t.TempDir(), "before.snap")
	expectCode(t, "save", o.does(t, "", "raft", "snapshot", "save", before), 0)
	none := o.does(t, "x\n", "rekey")
	expectCode(t, "a share without a rekey", none, 2)
	if !strings.Contains(none.complaint(), "operator rekey --init begins one") {
		t.Errorf("a share without a rekey: %s", none.stderr)
	}
	expectCode(t, "begun without a token", operating{n, ""}.does(t, "", "rekey", "-init"), 2)
	expectCode(t, "begun and ended at once", o.does(t, "", "rekey", "-init", "-cancel"), 1)
	expectCode(t, "begun", o.does(t, "", "rekey", "-init"), 0)
	expectCode(t, "ended", o.does(t, "", "rekey", "-cancel"), 0)

	begun := o.does(t, "", "rekey", "-init", "-key-shares=2", "-key-threshold=2", "-format=json")
	nonce := begun.object(t)["nonce"].(string)
	other := o.does(t, keys.KeysB64[0]+"\n", "rekey", "-nonce", "other")
	if other.code == 0 || !strings.Contains(other.stderr, nonce) {
		t.Errorf("a share for another rekey: %d %s", other.code, other.stderr)
	}
	o.isRefused(t, "", "--cancel", "rekey", "-init")
	first := o.gives(t, "rekey", keys.KeysHex[0], "Share 1 of 2 was taken.")
	for _, told := range []string{nonce, "2 new shares, of which 2 unseal",
		"when they were given back"} {
		if !strings.Contains(first.stderr, told) {
			t.Errorf("whoever gives a share is not told %q: %s", told, first.stderr)
		}
	}
	status := o.does(t, "", "rekey", "-status")
	if !strings.Contains(status.stdout, "1 of 2 shares were given") {
		t.Errorf("status: %s", status.stdout)
	}
	var shown struct {
		Keys []string `json:"keys_base64"`
	}
	last := o.does(t, keys.KeysB64[1]+"\n", "rekey", "-nonce", nonce, "-format=json")
	if err := json.Unmarshal([]byte(last.stdout), &shown); err != nil || len(shown.Keys) != 2 {
		t.Fatalf("rekey gave %s %s", last.stdout, last.stderr)
	}
	o.isRefused(t, keys.KeysB64[0], "is in force still, and the rekey waits for the new", "rekey")
	o.isRefused(t, shown.Keys[0], "it may be one of the new shares", "check-share")
	o.gives(t, "rekey", shown.Keys[0], "New share 1 of 2 was taken.")
	status = o.does(t, "", "rekey", "-status")
	if !strings.Contains(status.stdout, "1 of 2 were given back") {
		t.Errorf("status: %s", status.stdout)
	}
	o.gives(t, "rekey", shown.Keys[1], "The new shares are in force: any 2 of these 2 unseal a node.")

	o.isRefused(t, shown.Keys[0], "takes the shares of its day", "raft", "snapshot", "verify",
		"--open", before)

	root := o.does(t, "", "generate-root", "-init", "-format=json")
	otp := root.object(t)["otp"].(string)
	o.isRefused(t, "", "--cancel", "generate-root", "-init")
	o.gives(t, "generate-root", shown.Keys[1], "Share 1 of 2 was taken.")
	encoded := o.gives(t, "generate-root", shown.Keys[0], "Encoded Token: ")
	masked := strings.Fields(strings.TrimPrefix(encoded.stdout, "Encoded Token: "))[0]
	token := o.does(t, masked+"\n"+otp+"\n", "generate-root", "-decode")
	expectCode(t, "decode", token, 0)
	again := operating{n, strings.TrimSpace(token.stdout)}
	expectCode(t, "with the new token", again.does(t, "", "raft", "list-peers"), 0)
	o.isRefused(t, masked+"\n"+strings.Repeat("x", len(otp)), "not masked with this password",
		"generate-root", "-decode")
	expectCode(t, "decode with half a password",
		o.does(t, masked+"\n"+otp[1:]+"\n", "generate-root", "-decode"), 1)
}
