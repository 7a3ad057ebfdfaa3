package dev

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// StopTimeout is longer than a node takes to end in order, which the program's tests see to.
const StopTimeout = 25 * time.Second

// A process is one node of the dev cluster while it runs, and what became of it.
type process struct {
	Address
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended; state is set before
	end  *os.ProcessState
}

// start runs a node as a process of its own, in its own process group so that a Ctrl-C on the
// terminal reaches it only through us. It logs to nodeN.log.
func (f Folder) start(args []string, a Address) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(f.logFile(a.Number), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(self, args...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	if err := os.WriteFile(f.pidFile(a.Number), []byte(pid+"\n"), 0o600); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	p := &process{Address: a, cmd: cmd, gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		p.end = cmd.ProcessState
		_ = os.Remove(f.pidFile(a.Number))
		close(p.gone)
	}()
	return p, nil
}

// command is what runs a node: the server that anyone could run, or one whose clock is off. A node
// that is alone need not wait long to hear whether another leads.
func (d *cluster) command(a Address) []string {
	args := d.folder.ServerArgs(a)
	if d.asked.shift != 0 {
		args = append([]string{"dev", "node", "--time-shift=" + d.asked.shift.String()}, args[1:]...)
	}
	if d.state.nodes() == 1 {
		args = append(args, "--raft-heartbeat=20ms", "--raft-election=30ms", "--raft-leader-lease=20ms")
	}
	return args
}

// ServerArgs are those of a node that anyone could run.
func (f Folder) ServerArgs(a Address) []string {
	return []string{"server",
		"--data", f.Path(fmt.Sprintf("node%d", a.Number)),
		"--label", fmt.Sprintf("node%d", a.Number),
		"--listen", net.JoinHostPort(a.listen, strconv.Itoa(a.Port)),
		"--api-addr", a.API(),
		"--cluster-listen", a.Cluster(),
		"--gossip-listen", a.Gossip(),
		"--tls-cert", f.Path("tls.pem"), "--tls-key", f.Path("tls-key.pem"),
		"--zone", a.suffix + "=" + a.login,
	}
}

func (p *process) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// signalEnd asks the process to end in order; await waits until it has, or kills it.
func (p *process) signalEnd() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

func (p *process) await() {
	select {
	case <-p.gone:
	case <-time.After(StopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.gone
	}
}

// obituary says how a process ended, with the last line that it logged when it ended by itself.
// Call it once gone.
func (f Folder) obituary(p *process) string {
	s := fmt.Sprintf("node %d (pid %d) ended: %s", p.Number, p.cmd.Process.Pid, p.end)
	if p.end.Exited() && !p.end.Success() {
		s += ": " + f.lastLogLine(p.Number)
	}
	return s
}

func (f Folder) lastLogLine(number int) string { return lastLine(f.logFile(number)) }

// lastLine is "" where the file cannot be read.
func lastLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}
