package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// devStopTimeout is longer than a node takes to end in order (drainTimeout and closeTimeout).
const devStopTimeout = drainTimeout + closeTimeout + 5*time.Second

// A devProcess is one node of the dev cluster while it runs, and what became of it.
type devProcess struct {
	devAddress
	cmd  *exec.Cmd
	gone chan struct{} // closed when the process has ended; state is set before
	end  *os.ProcessState
}

// start runs a node as a process of its own, in its own process group so that a Ctrl-C on the terminal reaches it only
// through us. It logs to nodeN.log.
func (f devFolder) start(a devAddress) (*devProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	out, err := os.OpenFile(f.logFile(a.number), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	cmd := exec.Command(self, f.serverArgs(a)...)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = ownGroup()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	pid := strconv.Itoa(cmd.Process.Pid)
	if err := os.WriteFile(f.pidFile(a.number), []byte(pid+"\n"), 0o600); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return nil, err
	}
	p := &devProcess{devAddress: a, cmd: cmd, gone: make(chan struct{})}
	go func() {
		_ = cmd.Wait() // how it ended is in ProcessState
		p.end = cmd.ProcessState
		_ = os.Remove(f.pidFile(a.number))
		close(p.gone)
	}()
	return p, nil
}

// serverArgs are those of a node that anyone could run.
func (f devFolder) serverArgs(a devAddress) []string {
	return []string{"server",
		"--data", f.path(fmt.Sprintf("node%d", a.number)),
		"--label", fmt.Sprintf("node%d", a.number),
		"--listen", a.local(0),
		"--cluster-listen", a.cluster(),
		"--gossip-listen", a.gossip(),
		"--tls-cert", f.path("tls.pem"), "--tls-key", f.path("tls-key.pem"),
		"--zone", devSuffix + "=" + devLogin,
	}
}

func (p *devProcess) alive() bool {
	select {
	case <-p.gone:
		return false
	default:
		return true
	}
}

// signalEnd asks the process to end in order; await waits until it has, or kills it.
func (p *devProcess) signalEnd() { _ = p.cmd.Process.Signal(syscall.SIGTERM) }

func (p *devProcess) await() {
	select {
	case <-p.gone:
	case <-time.After(devStopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.gone
	}
}

// obituary says how a process ended, with the last line that it logged when it ended by itself. Call it once gone.
func (f devFolder) obituary(p *devProcess) string {
	s := fmt.Sprintf("node %d (pid %d) ended: %s", p.number, p.cmd.Process.Pid, p.end)
	if p.end.Exited() && !p.end.Success() {
		s += ": " + f.lastLogLine(p.number)
	}
	return s
}

func (f devFolder) lastLogLine(number int) string { return lastLine(f.logFile(number)) }

// lastLine is "" where the file cannot be read.
func lastLine(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	b = bytes.TrimSpace(b)
	return string(b[bytes.LastIndexByte(b, '\n')+1:])
}
