package testcluster

import (
	"cmp"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// Processes runs n processes of the real binary, built once for each test binary. flags may give
// the program of a node more flags.
func Processes(t testing.TB, n int, flags ...func(i int) []string) *Cluster {
	t.Helper()
	return newProcesses(t, n, Binary, onLoopback(), func(_ *Cluster, p *processes) { p.flags = flags })
}

// ProcessesOf is Processes with a program that was built already, of any release.
func ProcessesOf(t testing.TB, n int, program string) *Cluster {
	t.Helper()
	built := func() (string, error) { return program, nil }
	return newProcesses(t, n, built, onLoopback(), func(*Cluster, *processes) {})
}

// Replace has node i, which is a process of ProcessesOf, run another program from its next start on.
func (c *Cluster) Replace(i int, program string) {
	c.t.Helper()
	p, ok := c.kind.(*processes)
	if !ok {
		c.t.Fatalf("testcluster: %s run no program of their own", c.kind.name())
	}
	p.replaced[i] = program
}

// Breakable runs n processes of the real program with faults underneath: all traffic between their
// cluster ports goes through a Network, and writes to the Raft log go through hooks that can make
// them fail and that remember what was not synced. The program is the same but for those hooks, for
// the address that its connections come from, and for a wall clock that can be skewed.
func Breakable(t testing.TB, n int) *Cluster {
	t.Helper()
	return newProcesses(t, n, BreakableBinary, onLoopback(), func(c *Cluster, p *processes) {
		p.called, p.faults, p.network = "breakable processes", true, NewNetwork()
		c.links = nodesNetwork{p.network}
	})
}

func newProcesses(
	t testing.TB, n int, build func() (string, error), host func(i int) string,
	prepare func(*Cluster, *processes),
) *Cluster {
	t.Helper()
	c := newCluster(t, n, host)
	binary, err := build()
	c.must(err)
	c.must(errors.Join(
		os.WriteFile(filepath.Join(c.Dir, "tls.pem"), c.authority.certPEM, 0o600),
		os.WriteFile(filepath.Join(c.Dir, "tls-key.pem"), c.authority.keyPEM, 0o600),
	))
	p := &processes{c: c, called: "processes", binary: binary,
		around: func(_ int, do func() error) error { return do() }}
	prepare(c, p)
	c.kind = p
	t.Cleanup(p.endRelays)
	c.begin()
	return c
}

type processes struct {
	c      *Cluster
	called string
	binary string
	// around does something where node i has its network, and for outside where the test has its own.
	around   func(i int, do func() error) error
	faults   bool            // the binary has hooks, and a relay stands before each cluster port
	network  *Network        // of the relays
	replaced [maxSize]string // the program of a node, where it is another
	small    [maxSize]bool   // its data has a disk of its own
	flags    []func(i int) []string
	nodes    [maxSize]*process
	relays   [maxSize]func() // each ends one
	moves    [maxSize]int    // to other addresses
}

type process struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when it was waited for
}

func (p *processes) name() string { return p.called }

func (p *processes) start(i int) error {
	host := p.c.hosts[i]
	out, err := os.OpenFile(p.logFile(i), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(cmp.Or(p.replaced[i], p.binary), "server",
		"--data", p.c.Data(i), "--label", nodeName(i),
		"--listen", host+":8200", "--cluster-listen", host+":8201", "--gossip-listen", host+":8202",
		"--tls-cert", filepath.Join(p.c.Dir, "tls.pem"), "--tls-key",
		filepath.Join(p.c.Dir, "tls-key.pem"),
		"--zone", Zone+"="+Login)
	for _, more := range p.flags {
		cmd.Args = append(cmd.Args, more(i)...)
	}
	cmd.Stdout, cmd.Stderr = out, out
	if p.faults {
		if err := p.prepareFaults(i, cmd); err != nil {
			return err
		}
	}
	if err := p.around(i, cmd.Start); err != nil {
		return err
	}
	running := &process{cmd, make(chan struct{})}
	p.nodes[i] = running
	go func() { cmd.Wait(); close(running.ended) }() // ends with the process, which the test ends at the latest
	return nil
}

func (p *processes) running(i int) bool {
	if p.nodes[i] == nil {
		return false
	}
	select {
	case <-p.nodes[i].ended:
		return false
	default:
		return true
	}
}

func (p *processes) ended(i int) <-chan struct{} { return p.nodes[i].ended }

func (p *processes) stop(i int) { p.end(i, syscall.SIGTERM) }
func (p *processes) kill(i int) { p.end(i, syscall.SIGKILL) }

func (p *processes) end(i int, s syscall.Signal) {
	p.signal(i, s)
	<-p.nodes[i].ended
}

// signal does nothing to a process that has ended, or was never started.
func (p *processes) signal(i int, s syscall.Signal) {
	if p.nodes[i] != nil {
		_ = p.nodes[i].cmd.Process.Signal(s)
	}
}

// outside is where the test asks from.
const outside = -1

func (p *processes) dial(ctx context.Context, i int, port string) (conn net.Conn, err error) {
	err = p.around(outside, func() (err error) {
		conn, err = dialSocket(ctx, net.JoinHostPort(p.c.hosts[i], port))
		return err
	})
	return conn, err
}

func (p *processes) logFile(i int) string { return p.c.Data(i) + ".log" }

func (p *processes) log(i int) ([]byte, error) { return os.ReadFile(p.logFile(i)) }

// PID is the process id of node i, 0 where nodes are no processes of their own.
func (c *Cluster) PID(i int) int {
	if p, ok := c.kind.(*processes); ok {
		return p.nodes[i].cmd.Process.Pid
	}
	return 0
}

// ExitCode waits until node i has ended by itself and returns the exit code of its process; 1 where
// it was none.
func (c *Cluster) ExitCode(i int, within time.Duration) int {
	c.t.Helper()
	select {
	case <-c.kind.ended(i):
	case <-time.After(within):
		c.t.Fatalf("testcluster: node %d is still running after %v", i, within)
	}
	c.clients[i].CloseIdleConnections()
	if p, ok := c.kind.(*processes); ok {
		return p.nodes[i].cmd.ProcessState.ExitCode()
	}
	return 1
}
