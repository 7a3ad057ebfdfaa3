package dev

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"keyquorum/cmd/keyquorum/console"
)

const (
	lookEvery = 100 * time.Millisecond // how often a dev cluster looks at its nodes and its folder
	lookOften = 5 * time.Millisecond   // how often it looks for what somebody waits for
	patience  = 30 * time.Second       // for anything that a node is waited for
)

// A cluster is a running `keyquorum dev`. One goroutine, run's, owns everything in it.
type cluster struct {
	folder Folder
	asked  *options
	state  State
	out    io.Writer // for people
	print  io.Writer // for programs, see options.print
	log    *os.File  // of a detached cluster, else nil
	ca     []byte    // PEM
	nodes  []*process
	buried map[*process]bool // whose end was told, or is no news
}

// run runs a dev cluster until ctx ends. Whatever happens, it leaves no node behind.
func run(ctx context.Context, folder Folder, asked *options, stdout, stderr io.Writer) error {
	d := &cluster{folder: folder, asked: asked, out: stdout, print: stdout,
		buried: make(map[*process]bool)}
	if asked.print != "" {
		d.out = stderr
	}
	if asked.detached {
		var err error
		if d.log, err = os.OpenFile(folder.Path("dev.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND,
			0o600); err != nil {
			return err
		}
		defer d.log.Close()
		d.out = d.log
	}
	if err := d.prepare(); err != nil {
		return err
	}
	defer d.stop()
	defer d.takeBack()
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
func (d *cluster) prepare() (err error) {
	if d.state, err = d.folder.State(); err != nil {
		return err
	}
	if err := d.state.chooseLayout(d.asked); err != nil {
		return err
	}
	if err := d.state.portsAreFree(); err != nil {
		return err // before the choice is kept: the next may be another
	}
	if err := d.folder.ensureCertificates(d.state.Layout, time.Now()); err != nil {
		return fmt.Errorf("certificates of the dev cluster: %w", err)
	}
	if d.ca, err = os.ReadFile(d.folder.Path("ca.pem")); err != nil {
		return err
	}
	d.nodes = make([]*process, d.state.nodes())
	d.takeBack() // what a killed process has left
	return d.folder.Save(d.state)
}

func (d *cluster) say(format string, args ...any) { fmt.Fprintf(d.out, format+"\n", args...) }

// launch starts the process of a node and waits until its API answers.
func (d *cluster) launch(ctx context.Context, a Address) error {
	p, err := d.folder.start(d.command(a), a)
	if err != nil {
		return err
	}
	d.nodes[a.Number-1] = p
	d.say("Node %d: process %d, %s", a.Number, p.cmd.Process.Pid, a.API())
	return d.until(ctx, p, "its API answers", func(ctx context.Context) (bool, error) {
		_, err := d.sealStatus(ctx, a)
		return err == nil, nil
	})
}

// until waits for a condition of a node, and gives up when the node has ended or patience has.
func (d *cluster) until(ctx context.Context, p *process, what string,
	holds func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(lookOften)
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
			return fmt.Errorf("node %d: gave up waiting until %s; its log is %s", p.Number, what,
				d.folder.logFile(p.Number))
		case <-tick.C:
		}
	}
}

// supervise reports nodes that die, leaves them dead, and starts a node again when `dev restart`
// has left a file for it.
func (d *cluster) supervise(ctx context.Context) {
	tick := time.NewTicker(lookEvery)
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

func (d *cluster) bury(p *process) {
	if p.alive() || d.buried[p] {
		return
	}
	d.buried[p] = true
	d.say("%s. It stays down until: %s dev restart %d",
		d.folder.obituary(p), console.CalledAs(), p.Number)
}

func (d *cluster) restartIfAsked(ctx context.Context, p *process) {
	request := d.folder.restartFile(p.Number)
	if _, err := os.Stat(request); err != nil {
		return
	}
	defer func() { _ = os.Remove(request) }() // its going is what `dev restart` waits for
	if err := d.restart(ctx, p); err != nil {
		d.say("Node %d could not be started again: %v", p.Number, err)
	}
}

func (d *cluster) restart(ctx context.Context, p *process) error {
	d.buried[p] = true
	p.signalEnd()
	p.await()
	delete(d.buried, p)
	if err := d.launch(ctx, p.Address); err != nil {
		return err
	}
	return d.admit(ctx, d.nodes[p.Number-1])
}

// stop ends every node in order, all at once, and waits for them.
func (d *cluster) stop() {
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
