package main

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/node"
)

// A server is the real program, on a configuration of checkable's.
type server struct {
	t      *testing.T
	cmd    *exec.Cmd
	folder dev.Folder
	config string
	log    string // the file that has its standard error
}

func startServer(t *testing.T, more string, env ...string) *server {
	t.Helper()
	return startServerAs(t, []string{"server"}, more, env...)
}

// startServerAs runs a command that takes a server's settings.
func startServerAs(t *testing.T, command []string, more string, env ...string) *server {
	t.Helper()
	folder, config := checkable(t, more)
	s := &server{t: t, folder: folder, config: config, log: filepath.Join(t.TempDir(), "log")}
	log, err := os.Create(s.log)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	s.cmd = keyquorum(context.Background(), t.TempDir(), append(command, "--config", config)...)
	s.cmd.Env = append(s.cmd.Env, env...)
	s.cmd.Stderr = log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			_ = s.cmd.Process.Kill()
			_ = s.cmd.Wait()
		}
		if t.Failed() {
			t.Logf("the server wrote\n%s", s.logged())
		}
	})
	return s
}

func (s *server) logged() string {
	s.t.Helper()
	b, err := os.ReadFile(s.log)
	if err != nil {
		s.t.Fatal(err)
	}
	return string(b)
}

func (s *server) signal(which syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(which); err != nil {
		s.t.Fatal(err)
	}
}

// operator calls an operator's command at the server, and gives what it prints.
func (s *server) operator(token string, args ...string) []byte {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	cmd := keyquorum(ctx, s.t.TempDir(), append([]string{"operator"}, args...)...)
	cmd.Env = append(cmd.Env, "KEYQUORUM_ADDR=https://"+s.address(),
		"KEYQUORUM_CACERT="+s.folder.Path("ca.pem"), "KEYQUORUM_TOKEN="+token)
	o := ended(s.t, cmd)
	if o.code != 0 {
		s.t.Fatalf("operator %v: exit code %d: %s", args, o.code, o.stderr)
	}
	return []byte(o.stdout)
}

// address is where the API listens, which is the first address of the configuration.
func (s *server) address() string {
	s.t.Helper()
	b, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Split(string(b), `"`)[3]
}

// told reads what a service manager is told, until something begins as is wanted.
func told(t *testing.T, conn *net.UnixConn, want string) {
	t.Helper()
	var all []string
	b := make([]byte, 4096)
	for {
		if err := conn.SetReadDeadline(time.Now().Add(30 * time.Second)); err != nil {
			t.Fatal(err)
		}
		n, err := conn.Read(b)
		if err != nil {
			t.Fatalf("%v: the manager waits for %q and was told %q", err, want, all)
		}
		all = append(all, string(b[:n]))
		if strings.HasPrefix(all[len(all)-1], want) {
			return
		}
	}
}

// TestServiceManagerIsTold runs the program as systemd does: Type=notify, with a watchdog.
func TestServiceManagerIsTold(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s := startServer(t, "", "NOTIFY_SOCKET="+socket, "WATCHDOG_USEC=600000")
	told(t, conn, "STATUS=opens its data folder")
	told(t, conn, "READY=1")
	l, err := net.Dial("tcp", s.address())
	if err != nil {
		t.Fatalf("it is ready, and nobody listens: %v", err)
	}
	l.Close()
	told(t, conn, "STATUS=waits for operator init")
	told(t, conn, "WATCHDOG=1")

	var born struct {
		Shares []string `json:"unseal_keys_hex"`
		Token  string   `json:"root_token"`
	}
	made := s.operator("", "init", "-key-shares=2", "-key-threshold=2", "-format=json")
	if err := json.Unmarshal(made, &born); err != nil || len(born.Shares) != 2 {
		t.Fatalf("%v: init answers with %d shares", err, len(born.Shares))
	}
	told(t, conn, "STATUS=sealed: 0 of 2 unseal shares given")
	s.operator("", "unseal", born.Shares[0])
	told(t, conn, "STATUS=sealed: 1 of 2 unseal shares given")
	s.operator("", "unseal", born.Shares[1])
	told(t, conn, "STATUS=unsealed: leads")
	s.operator(born.Token, "seal")
	told(t, conn, "STATUS=sealed: 0 of 2 unseal shares given")

	s.signal(syscall.SIGHUP)
	told(t, conn, "RELOADING=1\nMONOTONIC_USEC=")
	told(t, conn, "READY=1")
	s.signal(syscall.SIGTERM)
	told(t, conn, "STOPPING=1")
	if err := s.cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
}

func TestConditionsInWords(t *testing.T) {
	member := node.SealStatus{Initialized: true, Threshold: 3}
	sealed, joining, opening, unfit := member, member, member, member
	sealed.Sealed, sealed.Progress = true, 1
	joining.Joining, joining.Sealed = true, true
	opening.Opening, opening.Sealed = true, true
	unfit.Unfit = "it holds another state"
	for _, row := range []struct {
		h    node.Health
		s    node.SealStatus
		want string
	}{
		{node.Health{}, node.SealStatus{Sealed: true}, "waits for operator init, or operator raft join"},
		{node.Health{}, joining, "joins a cluster: 0 of 3 unseal shares given"},
		{node.Health{}, opening, "unseals: waits for the cluster"},
		{node.Health{OutOfTouch: true}, sealed, "sealed: 1 of 3 unseal shares given"},
		{node.Health{Removed: true}, sealed, "removed from its cluster: its folder is good for " +
			"nothing any more"},
		{node.Health{Unfit: true}, unfit, "serves nobody: it holds another state"},
		{node.Health{Trouble: true, Leader: true}, member,
			"unsealed, and refuses requests: its disk or its usage log fails"},
		{node.Health{OutOfTouch: true}, member, "unsealed: no leader answers"},
		{node.Health{Leader: true}, member, "unsealed: leads"},
		{node.Health{}, member, "unsealed: follows"},
	} {
		if got := inWords(row.h, row.s); got != row.want {
			t.Errorf("%+v, %+v: %q, want %q", row.h, row.s, got, row.want)
		}
	}
}
