package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/operator"
)

// A tokenRig is a SoftHSM token that was made as docs/wrappers.md shows it.
type tokenRig struct {
	dir   string // what the page has in /etc/keyquorum
	asked string // a file with a line for each use of the token
	flag  string
}

const tokenPIN = "64821973" // of the page

// newTokenRig builds keyquorum-pkcs11, and runs the page's commands, with paths of this test.
func newTokenRig(t *testing.T) tokenRig {
	t.Helper()
	library, utility := softHSM(t)
	r := tokenRig{dir: t.TempDir()}
	r.asked = filepath.Join(r.dir, "asked")
	bin, conf := filepath.Join(r.dir, "bin"), filepath.Join(r.dir, "softhsm2.conf")
	r.writes(t, "softhsm2.conf", "directories.tokendir = "+filepath.Join(r.dir, "tokens")+"\n")
	for _, folder := range []string{bin, filepath.Join(r.dir, "tokens")} {
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	built := buildTokenHelper(t, bin)
	r.script(t, "helper", fmt.Sprintf("echo asked >>%s\nexec %s \"$@\"", r.asked, built))
	r.script(t, "bin/softhsm2-util", fmt.Sprintf("exec %s --module %s \"$@\"", utility, library))

	page, err := os.ReadFile("../../docs/wrappers.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```sh token\n(.*?)```.*?```hcl\n" +
		"seal_wrapper = \\[\"(.*?)\"\\]\n```").FindSubmatch(page)
	if shown == nil {
		t.Fatal("docs/wrappers.md does not show how a token is made, and named")
	}
	here := strings.NewReplacer("/usr/lib/softhsm/libsofthsm2.so", library, "/etc/keyquorum", r.dir)
	typed := exec.Command("sh", "-ec", here.Replace(string(shown[1])))
	typed.Env = append(os.Environ(), "SOFTHSM2_CONF="+conf, "PATH="+bin+":"+os.Getenv("PATH"))
	out, err := typed.CombinedOutput()
	line := here.Replace(string(shown[2]))
	if err != nil || !strings.Contains(string(out), `seal_wrapper = ["`+line+`"]`) {
		t.Fatalf("the page's commands: %v, and they don't show the page's line:\n%s", err, out)
	}
	r.flag = "-seal-wrapper=" + line + "&env=SOFTHSM2_CONF=" + conf + "&helper=" +
		filepath.Join(r.dir, "helper")
	return r
}

// softHSM finds SoftHSM below the folder that KEYQUORUM_SOFTHSM names, or /.
func softHSM(t *testing.T) (library, utility string) {
	t.Helper()
	root := filepath.Join("/", os.Getenv("KEYQUORUM_SOFTHSM"))
	first := func(patterns ...string) string {
		for _, p := range patterns {
			if found, _ := filepath.Glob(filepath.Join(root, p)); len(found) > 0 {
				return found[0]
			}
		}
		return ""
	}
	library = first("usr/lib/softhsm/libsofthsm2.so", "usr/lib/*/softhsm/libsofthsm2.so",
		"usr/lib64/pkcs11/libsofthsm2.so", "usr/local/lib/softhsm/libsofthsm2.so")
	utility = first("usr/bin/softhsm2-util", "usr/local/bin/softhsm2-util")
	if library == "" || utility == "" {
		t.Skip("there is no SoftHSM (softhsm2-util, libsofthsm2.so) on this machine to keep a key in")
	}
	return library, utility
}

// buildTokenHelper builds the program of another module, whose sources go test has to know of.
func buildTokenHelper(t *testing.T, dir string) (path string) {
	t.Helper()
	const source = "../keyquorum-pkcs11"
	files, err := filepath.Glob(filepath.Join(source, "*"))
	for _, file := range files {
		if err == nil {
			_, err = os.ReadFile(file)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "keyquorum-pkcs11")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir, build.Env = source, append(os.Environ(), "CGO_ENABLED=1")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building keyquorum-pkcs11: %v\n%s", err, out)
	}
	return path
}

func (r tokenRig) writes(t *testing.T, name, content string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (r tokenRig) script(t *testing.T, name, content string) {
	t.Helper()
	r.writes(t, name, "#!/bin/sh\n"+content+"\n")
	if err := os.Chmod(filepath.Join(r.dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
}

// times is how often the token was used since it was asked for the last time.
func (r tokenRig) times(t *testing.T) int {
	t.Helper()
	b, err := os.ReadFile(r.asked)
	if err != nil {
		t.Fatal(err)
	}
	r.writes(t, "asked", "")
	return bytes.Count(b, []byte("\n"))
}

// A process unseals itself by a key in a token. When the token is gone it waits, and shares open
// it. A PIN that the token refuses is shown to it once.
func TestUnattendedRestartByAToken(t *testing.T) {
	r := newTokenRig(t)
	n := startNode(t, r.flag)
	var keys operator.InitResult
	made := n.operator(t, "init", "-key-shares=1", "-key-threshold=1", "-format=json")
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil {
		t.Fatalf("init gave %s", made.stdout)
	}
	unseal := func() {
		t.Helper()
		expectCode(t, "unseal", n.operator(t, "unseal", keys.KeysB64[0]), 0)
	}
	restart := func() {
		t.Helper()
		n.kill(t)
		r.writes(t, "asked", "")
		n.start(t, r.flag)
	}
	unseal()
	o := operating{n, keys.RootToken}
	expectCode(t, "begun", o.does(t, "", "seal", "wrappers", "add", "-init", "hsm"), 0)
	expectCode(t, "added", o.does(t, keys.KeysHex[0]+"\n", "seal", "wrappers", "add"), 0)
	list := o.does(t, "", "seal", "wrappers", "list")
	if !strings.Contains(list.stdout, "token=keyquorum;object=root") {
		t.Errorf("list: %s", list.stdout)
	}
	test := []string{"seal", "wrappers", "test"}
	expectCode(t, "test", o.does(t, "", test...), 0)
	n.awaitWrapped(t)
	restart()
	n.awaitUnsealed(t)
	n.holdsNothingOf(t, r.flag)
	n.holdsNoPIN(t)

	tokens := filepath.Join(r.dir, "tokens")
	if err := os.Rename(tokens, tokens+"-away"); err != nil {
		t.Fatal(err)
	}
	restart()
	n.await(t, "it asks for the token again", func() bool {
		b, err := os.ReadFile(r.asked)
		return err == nil && bytes.Count(b, []byte("\n")) > 1
	})
	if !strings.Contains(n.said(t), "it tries again") {
		t.Error("the log does not say that it waits for the token")
	}
	unseal()
	if err := os.Rename(tokens+"-away", tokens); err != nil {
		t.Fatal(err)
	}

	r.writes(t, "hsm.pin", "111111")
	restart()
	n.await(t, "it stops trying", func() bool { return n.unattended(t) == "" })
	if times := r.times(t); times != 1 ||
		!strings.Contains(n.said(t), "it is not asked again until the next start") {
		t.Errorf("a wrong PIN was shown to the token %d times", times)
	}
	unseal()
	out := o.does(t, "", test...)
	expectCode(t, "test with a wrong PIN", out, 1)
	if !strings.Contains(strings.Join(strings.Fields(out.stdout), ""), "refusesthePINin") ||
		r.times(t) != 1 {
		t.Errorf("test with a wrong PIN: %s", out.stdout)
	}
	r.writes(t, "hsm.pin", tokenPIN+"\n")
	expectCode(t, "test with the right PIN", o.does(t, "", test...), 0)
	restart()
	n.awaitUnsealed(t)
}

// unattended is what the node says of its unsealing itself.
func (n *lonelyNode) unattended(t *testing.T) string {
	t.Helper()
	status := n.operator(t, "status", "-format=json")
	var says struct {
		Unattended string `json:"unattended_unseal"`
	}
	if err := json.Unmarshal([]byte(status.stdout), &says); err != nil {
		t.Fatalf("status: %s", status.stdout)
	}
	return says.Unattended
}

// holdsNoPIN looks for the token's PIN in all that the node has written.
func (n *lonelyNode) holdsNoPIN(t *testing.T) {
	t.Helper()
	for _, file := range n.files(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			continue // gone meanwhile
		}
		if bytes.Contains(b, []byte(tokenPIN)) || bytes.Contains(b,
			[]byte(hex.EncodeToString([]byte(tokenPIN)))) {
			t.Errorf("the PIN is in %s", file)
		}
	}
}
