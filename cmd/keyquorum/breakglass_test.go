package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openbao/openbao/api/v2"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/internal/ownsocket/ownfolder"
)

// A withoutToken is a cluster of three whose root token nobody has any more. The second node, a
// follower, gets a break-glass socket when its configuration says so.
type withoutToken struct {
	nodes  []*lonelyNode
	shares []string
	config string // of the second node
	run    string // stands for /run/keyquorum
}

func startWithoutToken(t *testing.T) *withoutToken {
	t.Helper()
	w := &withoutToken{config: filepath.Join(t.TempDir(), "keyquorum.hcl"), run: ownfolder.New(t)}
	write(t, w.config, "")
	folder := devCertificates(t, time.Now())
	for _, address := range dev.Addresses(freeBase(t)) {
		n := &lonelyNode{folder: folder, address: address}
		var flags []string
		if len(w.nodes) == 1 {
			flags = []string{"--config", w.config}
		}
		w.nodes = append(w.nodes, n.start(t, flags...))
	}
	var keys operator.InitResult
	made := w.nodes[0].operator(t, "init", "-key-shares=3", "-key-threshold=2", "-format=json")
	if err := json.Unmarshal([]byte(made.stdout), &keys); err != nil {
		t.Fatalf("init gave %s%s", made.stdout, made.stderr)
	}
	w.shares = keys.KeysB64
	for i, n := range w.nodes {
		if i > 0 {
			expectCode(t, "join", n.operator(t, "raft", "join", w.nodes[0].address.API(),
				"--leader-ca-cert=@"+n.folder.Path("ca.pem")), 0)
		}
		for _, share := range w.shares[:2] {
			expectCode(t, "unseal", n.operator(t, "unseal", share), 0)
		}
		n.awaitUnsealed(t)
	}
	return w
}

func (w *withoutToken) socket() string { return filepath.Join(w.run, "break-glass.sock") }

// blocks are those of docs/runbooks.md that have a mark, with the test's own folder.
func (w *withoutToken) blocks(t *testing.T, mark string) (blocks []string) {
	t.Helper()
	page, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?ms)^```"+mark+"\n(.*?)^```$").FindAllStringSubmatch(
		string(page), -1)
	for _, block := range found {
		blocks = append(blocks, strings.ReplaceAll(block[1], "/run/keyquorum", w.run))
	}
	return blocks
}

// reload writes the second node's configuration, and waits until the socket is there, or gone.
func (w *withoutToken) reload(t *testing.T, config string) {
	t.Helper()
	write(t, w.config, config)
	n := w.nodes[1]
	if err := n.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	soon(t, "break-glass socket", func() bool {
		_, err := os.Lstat(w.socket())
		return (err == nil) == (config != "")
	})
}

// soon waits for what a process does by itself.
func soon(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(patience); !done(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// types runs a block of the page, with what is typed as standard input.
func (w *withoutToken) types(t *testing.T, block, typed string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-ec", block)
	cmd.Env = append(keyquorum(context.Background(), "").Env, "PATH="+built+":"+os.Getenv("PATH"))
	cmd.Dir = t.TempDir()
	cmd.Stdin = strings.NewReader(typed)
	o := ended(t, cmd)
	expectCode(t, block, o, 0)
	return o
}

// at is the program's call of the socket.
func (w *withoutToken) at(t *testing.T, args ...string) outcome {
	t.Helper()
	return call(t, t.TempDir(), append([]string{"operator", "-address=unix://" + w.socket()},
		args...)...)
}

// TestRootTokenOfSharesAlone does what docs/runbooks.md says for the day when no token is left.
func TestRootTokenOfSharesAlone(t *testing.T) {
	w := startWithoutToken(t)
	follower := w.nodes[1]
	none := w.at(t, "generate-root", "-init")
	expectCode(t, "without a socket", none, 2)
	if !strings.Contains(none.complaint(), "no node listens there: see break_glass") {
		t.Errorf("without a socket: %s", none.stderr)
	}
	w.reload(t, w.blocks(t, "hcl break-glass")[0])

	t.Run("OpenBao's client", w.openbao)
	t.Run("nothing else", func(t *testing.T) {
		other := w.at(t, "raft", "list-peers")
		expectCode(t, "list-peers at the socket", other, 2)
		if !strings.Contains(other.complaint(), "This is the break-glass socket") {
			t.Errorf("list-peers at the socket: %s", other.stderr)
		}
	})
	t.Run("another user", w.anotherUser)
	t.Run("another node", w.anotherNode)

	token := w.followPage(t)
	rooted := asRoot(t, w.nodes[0], token, "raft", "list-peers")
	expectCode(t, "with the new token, at the leader", rooted, 0)
	w.reload(t, "")
	w.leftTraces(t)

	config := w.blocks(t, "hcl break-glass")[0]
	w.reload(t, config)
	if err := os.Remove(w.socket()); err != nil {
		t.Fatal(err)
	}
	w.reload(t, config) // has a socket that somebody removed made anew
	expectCode(t, "at the new socket", w.at(t, "generate-root", "-status"), 0)
	_ = follower.cmd.Process.Signal(syscall.SIGTERM)
	if err := follower.cmd.Wait(); err != nil {
		t.Errorf("the follower ended with %v", err)
	}
	if _, err := os.Lstat(w.socket()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket of a node that has ended is there (%v)", err)
	}
}

// followPage runs the page's commands, the last block first: it ends what it finds.
func (w *withoutToken) followPage(t *testing.T) (token string) {
	t.Helper()
	page := w.blocks(t, "sh break-glass")
	if len(page) != 4 {
		t.Fatalf("the page has the blocks %q", page)
	}
	begin, give, decode, cancel := page[0], page[1], page[2], page[3]
	w.types(t, begin, "")
	cancelled := w.types(t, cancel, "")
	if !strings.Contains(cancelled.stdout, "0 of 2 shares were given") {
		t.Errorf("the status of what was begun: %s", cancelled.stdout)
	}
	begun := w.types(t, begin, "")
	if !strings.Contains(begun.stdout, "One-Time Password: ") {
		t.Fatalf("begun: %s", begun.stdout)
	}
	otp := strings.Fields(strings.TrimPrefix(begun.stdout, "One-Time Password: "))[0]
	first := w.types(t, give, w.shares[2]+"\n")
	if !strings.Contains(first.stdout, "Share 1 of 2 was taken.") {
		t.Errorf("the first share: %s", first.stdout)
	}
	last := w.types(t, give, w.shares[0]+"\n")
	encoded, found := strings.CutPrefix(last.stdout, "Encoded Token: ")
	if !found {
		t.Fatalf("the last share: %s", last.stdout)
	}
	return strings.TrimSpace(
		w.types(t, decode, strings.Fields(encoded)[0]+"\n"+otp+"\n").stdout)
}

// openbao begins, looks, gives and cancels with OpenBao's Go client, which the bao command uses.
// Vault's has its address and its calls from the same source.
func (w *withoutToken) openbao(t *testing.T) {
	config := api.DefaultConfig()
	config.Address = "unix://" + w.socket()
	client, err := api.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	begun, err := client.Sys().GenerateRootInit("", "")
	if err != nil {
		t.Fatal(err)
	}
	given, err := client.Sys().GenerateRootUpdate(w.shares[1], begun.Nonce)
	if err != nil || given.Progress != 1 || given.Required != 2 || given.Complete {
		t.Errorf("a share by OpenBao's client: %+v, %v", given, err)
	}
	if s, err := client.Sys().GenerateRootStatus(); err != nil || !s.Started || s.Progress != 1 ||
		s.Nonce != begun.Nonce || s.OTPLength != len(begun.OTP) {
		t.Errorf("the status by OpenBao's client: %+v, %v", s, err)
	}
	if err := client.Sys().GenerateRootCancel(); err != nil {
		t.Error(err)
	}
	if s, err := client.Sys().GenerateRootStatus(); err != nil || s.Started {
		t.Errorf("afterwards: %+v, %v", s, err)
	}
}

// anotherUser gets no connection, and none that stays if the folder is opened by mistake.
func (w *withoutToken) anotherUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can be another user")
	}
	try := func() (n int, err error) {
		done := make(chan struct{})
		go func() {
			defer close(done)
			runtime.LockOSThread() // and never unlocks: the thread ends
			const nobody = 65534
			if _, _, no := syscall.RawSyscall(syscall.SYS_SETRESUID, nobody, nobody, nobody); no != 0 {
				err = no
				return
			}
			var c net.Conn
			if c, err = net.Dial("unix", w.socket()); err != nil {
				return
			}
			defer c.Close()
			_, _ = fmt.Fprint(c, "GET /v1/sys/generate-root/attempt HTTP/1.1\r\nHost: a\r\n\r\n")
			n, err = c.Read(make([]byte, 1))
		}()
		<-done
		return n, err
	}
	if _, err := try(); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("another user at the socket: %v", err)
	}
	if err := errors.Join(os.Chmod(w.run, 0o711), os.Chmod(w.socket(), 0o666)); err != nil {
		t.Fatal(err)
	}
	if n, err := try(); n > 0 || err == nil {
		t.Errorf("another user is answered, where folder and socket let everybody in")
	}
	if err := errors.Join(os.Chmod(w.run, 0o700), os.Chmod(w.socket(), 0o600)); err != nil {
		t.Fatal(err)
	}
	soon(t, "refusal in the log", func() bool {
		return strings.Contains(w.nodes[1].said(t), "uid 65534")
	})
}

// anotherNode can't have the same path.
func (w *withoutToken) anotherNode(t *testing.T) {
	folder := devCertificates(t, time.Now())
	address := dev.Addresses(freeBase(t))[0]
	args := append(folder.ServerArgs(address), "--break-glass-socket", w.socket())
	second := call(t, t.TempDir(), args...)
	expectCode(t, "a second node at the same path", second, 1)
	if !strings.Contains(second.complaint(), "another process listens there") {
		t.Errorf("a second node at the same path: %s", second.stderr)
	}
	if _, err := os.Stat(folder.Path("node1")); err == nil {
		t.Error("a node that could not start has made its data folder")
	}
	if s := w.at(t, "generate-root", "-status"); s.code != 0 {
		t.Errorf("the first one's socket afterwards: %s", s.stderr)
	}
}

// leftTraces looks for the use of the socket where people look for it.
func (w *withoutToken) leftTraces(t *testing.T) {
	t.Helper()
	follower := w.nodes[1]
	log := follower.said(t)
	for _, said := range []string{"the break-glass socket is open", "the break-glass socket is used",
		"the break-glass socket is closed"} {
		if !strings.Contains(log, said) {
			t.Errorf("the log does not say %q", said)
		}
	}
	usage, err := os.ReadFile(filepath.Join(follower.folder.Path("node2"), "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	made := 0
	for line := range strings.Lines(string(usage)) {
		if strings.Contains(line, "made the root token of accessor") &&
			strings.Contains(line, fmt.Sprintf(`"break-glass socket, uid %d"`, os.Getuid())) {
			made++
		}
	}
	if made != 1 {
		t.Errorf("the usage log says of %d tokens that they were made through the socket", made)
	}
	for _, share := range w.shares {
		if strings.Contains(log+string(usage), share) {
			t.Error("a share is in a log")
		}
	}
}

// TestBreakGlassSettings are those with which a node does not start, and what --check says of them.
func TestBreakGlassSettings(t *testing.T) {
	run := ownfolder.New(t)
	file := filepath.Join(run, "file")
	write(t, file, "")
	open := filepath.Join(run, "open")
	if err := errors.Join(os.Mkdir(open, 0o700), os.Chmod(open, 0o777)); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ path, level, says string }{
		{filepath.Join(run, "s"), "", ""},
		{"break-glass.sock", "error", "the whole path of a socket is wanted"},
		{filepath.Join(run, strings.Repeat("a", 100)), "error", "has 107 at most"},
		{file, "error", "is no socket"},
		{filepath.Join(open, "s"), "error", "chmod 700"},
		{filepath.Join(run, "missing", "s"), "warning", "there is no folder"},
	} {
		_, config := checkable(t, fmt.Sprintf("break_glass {\n  socket = %q\n}\n", row.path))
		found, code := checked(t, config)
		if (code == 0) != (row.level != "error") || (len(found) == 0) != (row.level == "") {
			t.Errorf("%s: exit code %d, found %+v", row.path, code, found)
		}
		for _, f := range found {
			if f.Level != row.level || !strings.Contains(f.Problem, row.says) || f.Line == 0 {
				t.Errorf("%s: %+v", row.path, f)
			}
		}
		if row.level == "error" {
			o := call(t, t.TempDir(), "server", "--config", config)
			expectCode(t, row.path, o, 1)
			if !strings.Contains(o.complaint(), row.says) {
				t.Errorf("a node with %s says %s", row.path, o.stderr)
			}
		}
	}
	if _, err := os.Lstat(filepath.Join(run, "s")); err == nil {
		t.Error("a check has made the socket")
	}
}
