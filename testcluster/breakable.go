package testcluster

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"keyquorum/internal/overlay"
	"keyquorum/internal/powercut"
)

// fileClock tells a breakable process by how much its wall clock is off. It lies in the folder of
// powercut's orders.
const fileClock = "clock"

// fileDrift tells it how much faster than right its lease clock runs: 0.03, -0.5.
const fileDrift = "drift"

// breakable are the edits that make the program take its connections from its own host's address,
// so that a relay can tell the nodes apart, and its time from a clock that can be off.
var breakable = []overlay.Edit{
	{
		File: "keyquorum/cmd/keyquorum/server.go",
		Old:  "dialer := &net.Dialer{Timeout: 5 * time.Second}",
		New:  `dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(os.Getenv("KEYQUORUM_SOURCE"))}}`,
	},
	{File: "keyquorum/node/node.go", Old: "config.Now = time.Now", New: "config.Now = skewedNow"},
	{File: "keyquorum/node/skewed.go", New: skewedClock},
	{File: "keyquorum/cluster/clock.go", Old: "return time.Duration(t.Nano())",
		New: "return drifted(time.Duration(t.Nano()))"},
	{File: "keyquorum/cluster/drifted.go", New: driftedClock},
}

// skewedClock is a file of package node in such a program.
const skewedClock = `package node

import (
	"os"
	"path/filepath"
	"time"
)

func skewedNow() time.Time {
	b, _ := os.ReadFile(filepath.Join(os.Getenv("KEYQUORUM_FAULTS"), "clock"))
	skew, _ := time.ParseDuration(string(b))
	return time.Now().Add(skew)
}
`

// driftedClock is a file of package cluster in such a program: a lease clock that runs, from a
// moment of the machine's, at another rate. The file is looked at a hundred times a second.
const driftedClock = `package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"
)

var drifting struct {
	mu                   sync.Mutex
	looked, since, ahead time.Duration
	rate                 float64
}

func drifted(now time.Duration) time.Duration {
	d := &drifting
	d.mu.Lock()
	defer d.mu.Unlock()
	if now-d.looked > 10*time.Millisecond {
		d.looked = now
		b, _ := os.ReadFile(filepath.Join(os.Getenv("KEYQUORUM_FAULTS"), "drift"))
		rate := 0.0
		_, _ = fmt.Sscan(string(b), &rate)
		if rate != d.rate {
			d.ahead += time.Duration(float64(now-d.since) * d.rate)
			d.since, d.rate = now, rate
		}
	}
	return now + d.ahead + time.Duration(float64(now-d.since)*d.rate)
}
`

func (p *processes) faultsDir(i int) string { return p.c.Data(i) + ".faults" }

// prepareFaults gives node i its folder of faults, and its cluster port a relay in front. Others
// know the relay's address only; whom a connection is from the relay tells by the address that it
// comes from.
func (p *processes) prepareFaults(i int, cmd *exec.Cmd) error {
	if err := os.MkdirAll(p.faultsDir(i), 0o700); err != nil {
		return err
	}
	front := p.address(i)
	cmd.Args = append(cmd.Args, "--cluster-addr", front)
	cmd.Env = append(os.Environ(), powercut.Faults+"="+p.faultsDir(i),
		"KEYQUORUM_SOURCE="+p.c.hosts[i])
	if p.relays[i] != nil {
		return nil
	}
	l, err := net.Listen("tcp", front)
	if err != nil {
		return err
	}
	p.relays[i] = p.network.Relay(l, nodeName(i), p.c.hosts[i]+":8201", p.who)
	return nil
}

// address is where the others find node i: its relay's, if it has one, a hundred addresses further.
func (p *processes) address(i int) string {
	host := p.c.hosts[i]
	if p.faults {
		host = furtherHost(movedHost(host, p.moves[i]), 100)
	}
	return net.JoinHostPort(host, clusterPort)
}

// move gives the cluster port of node i another relay. The node itself stays: nobody else knows
// where that is.
func (p *processes) move(i int) error {
	if !p.faults {
		return errNoHooks
	}
	if p.relays[i] != nil {
		p.relays[i]()
		p.relays[i] = nil
	}
	p.moves[i]++
	return nil
}

func furtherHost(host string, by byte) string {
	ip := net.ParseIP(host).To4()
	ip[3] += by
	return ip.String()
}

// movedHost is where a host of onLoopback is after so many moves. Ten apart, none is another's; the
// tenth move ends where the first began.
func movedHost(host string, times int) string { return furtherHost(host, byte(times%10*10)) }

func (p *processes) who(remote net.Addr) string {
	host, _, _ := net.SplitHostPort(remote.String())
	for i, h := range p.c.hosts {
		if h == host {
			return nodeName(i)
		}
	}
	return host
}

func (p *processes) endRelays() {
	for _, end := range p.relays {
		if end != nil {
			end()
		}
	}
}

func (p *processes) pause(i int)  { p.signal(i, syscall.SIGSTOP) }
func (p *processes) resume(i int) { p.signal(i, syscall.SIGCONT) }

var errNoHooks = errors.New("this program has no hooks for it; use Breakable")

// order gives an order to node i's disk.
func (p *processes) order(i int, o powercut.Order) error {
	if !p.faults {
		return errNoHooks
	}
	return o.Give(p.faultsDir(i))
}

func (p *processes) fillDisk(i int) error {
	if p.small[i] {
		return p.takeRoom(i)
	}
	return p.order(i, powercut.DiskFull)
}

func (p *processes) failSync(i int) error { return p.order(i, powercut.SyncFailsOnce) }

func (p *processes) hangDisk(i int) error { return p.order(i, powercut.SyncHangs) }

func (p *processes) unhangDisk(i int) error {
	if !p.faults {
		return nil
	}
	return powercut.SyncHangs.Withdraw(p.faultsDir(i))
}

func (p *processes) skewClock(i int, by time.Duration) error {
	if !p.faults {
		return errNoHooks
	}
	return os.WriteFile(filepath.Join(p.faultsDir(i), fileClock), []byte(by.String()), 0o600)
}

func (p *processes) driftClock(i int, rate float64) error {
	if !p.faults {
		return errNoHooks
	}
	return os.WriteFile(filepath.Join(p.faultsDir(i), fileDrift),
		[]byte(strconv.FormatFloat(rate-1, 'g', -1, 64)), 0o600)
}

func (p *processes) mend(i int) error {
	var err error
	if p.small[i] {
		err = p.giveRoom(i)
	}
	if !p.faults {
		return err
	}
	dir := p.faultsDir(i)
	return errors.Join(err, powercut.DiskFull.Withdraw(dir), powercut.SyncFailsOnce.Withdraw(dir),
		p.unhangDisk(i), p.skewClock(i, 0), p.driftClock(i, 1))
}

// powerCut kills node i and puts the file of its log into a state that a power cut may leave.
func (p *processes) powerCut(i int, dice *rand.Rand) (lost int, err error) {
	if !p.faults {
		return 0, errNoHooks
	}
	if p.running(i) {
		p.kill(i)
	}
	db := filepath.Join(p.c.Data(i), "cluster", "raft.db")
	if _, err := os.Stat(db); errors.Is(err, fs.ErrNotExist) {
		return 0, nil // it has not joined yet
	}
	return powercut.Rollback(db, dice)
}
