package testcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Processes runs n processes of the real binary, built once for each test binary.
func Processes(t testing.TB, n int) *Cluster {
	t.Helper()
	c := newCluster(t, n)
	binary, err := Binary()
	c.must(err)
	c.must(errors.Join(
		os.WriteFile(filepath.Join(c.Dir, "tls.pem"), c.authority.certPEM, 0o600),
		os.WriteFile(filepath.Join(c.Dir, "tls-key.pem"), c.authority.keyPEM, 0o600),
	))
	c.kind = &processes{c: c, binary: binary, running: make([]*exec.Cmd, n)}
	c.begin()
	return c
}

type processes struct {
	c       *Cluster
	binary  string
	running []*exec.Cmd
}

func (p *processes) start(i int) error {
	host := p.c.hosts[i]
	out, err := os.OpenFile(p.log(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(p.binary, "server",
		"--data", p.c.Data(i), "--label", fmt.Sprintf("node%d", i),
		"--listen", host+":8200", "--cluster-listen", host+":8201", "--gossip-listen", host+":8202",
		"--tls-cert", filepath.Join(p.c.Dir, "tls.pem"), "--tls-key", filepath.Join(p.c.Dir, "tls-key.pem"),
		"--zone", Zone+"="+Login)
	cmd.Stdout, cmd.Stderr = out, out
	p.running[i] = cmd
	return cmd.Start()
}

func (p *processes) stop(i int) { p.signal(i, syscall.SIGTERM) }
func (p *processes) kill(i int) { p.signal(i, syscall.SIGKILL) }

func (p *processes) signal(i int, s syscall.Signal) {
	cmd := p.running[i]
	cmd.Process.Signal(s)
	cmd.Wait()
}

func (p *processes) log(i int) string { return p.c.Data(i) + ".log" }

func (p *processes) output(i int) ([]byte, error) {
	log, err := os.ReadFile(p.log(i))
	if err != nil {
		return nil, err
	}
	audit, err := os.ReadFile(filepath.Join(p.c.Data(i), "audit.log"))
	return append(log, audit...), err
}

// Ended waits until node i's process has ended by itself and returns its exit code.
func (c *Cluster) Ended(i int, within time.Duration) int {
	c.t.Helper()
	cmd := c.kind.(*processes).running[i]
	done := make(chan struct{})
	go func() { cmd.Wait(); close(done) }() // ends with the process, which the test ends at the latest
	select {
	case <-done:
	case <-time.After(within):
		c.t.Fatalf("testcluster: node %d is still running after %v", i, within)
	}
	c.running[i] = false
	c.clients[i].CloseIdleConnections()
	return cmd.ProcessState.ExitCode()
}

// Binary builds the program as the Makefile does, once, and returns its path. The folder goes with the machine's temporary files.
var Binary = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	dir, err := os.MkdirTemp("", "keyquorum-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "keyquorum")
	build := exec.Command("go", "build", "-o", path, "./cmd/keyquorum")
	build.Dir = filepath.Dir(filepath.Dir(here))
	build.Env = append(os.Environ(), "GOEXPERIMENT=runtimesecret", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
})

// PID is the process id of node i, 0 where nodes are no processes of their own.
func (c *Cluster) PID(i int) int {
	if p, ok := c.kind.(*processes); ok {
		return p.running[i].Process.Pid
	}
	return 0
}
