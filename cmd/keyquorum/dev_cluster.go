package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	devTick     = 100 * time.Millisecond // how often a dev cluster looks at its nodes and its folder
	devPatience = 30 * time.Second       // for anything that a node is waited for
)

// A devCluster is a running `keyquorum dev`. One goroutine, runDev's, owns everything in it.
type devCluster struct {
	folder devFolder
	state  devState
	sealed bool // leave nodes sealed
	out    io.Writer
	ca     []byte // PEM
	nodes  [devNodes]*devProcess
	buried map[*devProcess]bool // whose end was told, or is no news
}

// runDev runs a dev cluster until ctx ends. Whatever happens, it leaves no node behind.
func runDev(ctx context.Context, folder devFolder, port int, sealed bool, out io.Writer) error {
	lock, err := folder.lock()
	if err != nil {
		return err
	}
	defer lock.Close()
	d := &devCluster{folder: folder, sealed: sealed, out: out, buried: make(map[*devProcess]bool)}
	if err := d.prepare(port); err != nil {
		return err
	}
	defer d.stop()
	if err := d.up(ctx); err != nil {
		if ctx.Err() != nil {
			return nil // it was we who were told to stop
		}
		return err
	}
	d.supervise(ctx)
	return nil
}

// prepare reads what the folder knows and makes what it lacks.
func (d *devCluster) prepare(port int) (err error) {
	if d.state, err = d.folder.state(); err != nil {
		return err
	}
	if err := d.state.choosePort(port); err != nil {
		return err
	}
	if err := d.state.portsAreFree(); err != nil {
		return err // before the choice is kept: the next may be another
	}
	if err := d.folder.ensureCertificates(time.Now()); err != nil {
		return fmt.Errorf("certificates of the dev cluster: %w", err)
	}
	if d.ca, err = os.ReadFile(d.folder.path("ca.pem")); err != nil {
		return err
	}
	return d.folder.save(d.state)
}

func (d *devCluster) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// launch starts the process of a node and waits until its API answers.
func (d *devCluster) launch(ctx context.Context, a devAddress) error {
	p, err := d.folder.start(a)
	if err != nil {
		return err
	}
	d.nodes[a.number-1] = p
	d.say("Node %d: process %d, %s", a.number, p.cmd.Process.Pid, a.api())
	return d.until(ctx, p, "its API answers", func(ctx context.Context) (bool, error) {
		_, err := d.sealStatus(ctx, a)
		return err == nil, nil
	})
}

// until waits for a condition of a node, and gives up when the node has ended or patience has.
func (d *devCluster) until(ctx context.Context, p *devProcess, what string, holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, devPatience)
	defer cancel()
	tick := time.NewTicker(devTick)
	defer tick.Stop()
	for {
		if ok, err := holds(ctx); ok || err != nil {
			return err
		}
		select {
		case <-p.gone:
			d.buried[p] = true
			return errors.New(d.folder.obituary(p))
		case <-ctx.Done():
			return fmt.Errorf("node %d: gave up waiting until %s; its log is %s", p.number, what, d.folder.logFile(p.number))
		case <-tick.C:
		}
	}
}

// supervise reports nodes that die, leaves them dead, and starts a node again when `dev restart` has left a file for it.
func (d *devCluster) supervise(ctx context.Context) {
	tick := time.NewTicker(devTick)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range d.nodes {
			d.bury(p)
			d.restartIfAsked(ctx, p)
		}
	}
}

func (d *devCluster) bury(p *devProcess) {
	if p.alive() || d.buried[p] {
		return
	}
	d.buried[p] = true
	d.say("%s. It stays down until: %s dev restart %d", d.folder.obituary(p), calledAs(), p.number)
}

func (d *devCluster) restartIfAsked(ctx context.Context, p *devProcess) {
	request := d.folder.restartFile(p.number)
	if _, err := os.Stat(request); err != nil {
		return
	}
	defer func() { _ = os.Remove(request) }() // its going is what `dev restart` waits for
	if err := d.restart(ctx, p); err != nil {
		d.say("Node %d could not be started again: %v", p.number, err)
	}
}

func (d *devCluster) restart(ctx context.Context, p *devProcess) error {
	d.buried[p] = true
	p.signalEnd()
	p.await()
	delete(d.buried, p)
	if err := d.launch(ctx, p.devAddress); err != nil {
		return err
	}
	return d.admit(ctx, d.nodes[p.number-1])
}

// stop ends every node in order, all at once, and waits for them.
func (d *devCluster) stop() {
	for _, p := range d.nodes {
		if p != nil {
			p.signalEnd()
		}
	}
	for _, p := range d.nodes {
		if p != nil {
			p.await()
		}
	}
	d.say("All nodes have stopped.")
}
