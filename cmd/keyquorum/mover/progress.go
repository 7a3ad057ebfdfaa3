package mover

import (
	"fmt"
	"io"
	"sync"
	"time"

	"keyquorum/cmd/keyquorum/console"
)

const (
	patience  = time.Second      // how long something may take before somebody is told of it
	lineEvery = 10 * time.Second // and how often where there is no terminal to write a line anew
)

// A progress tells people how far something is, once that takes more than a second.
type progress struct {
	to       io.Writer
	terminal bool

	mu      sync.Mutex
	what    string
	done    int
	all     int // 0: nobody knows yet
	latest  string
	begun   time.Time
	written bool // a line of ours stands on the terminal
}

func newProgress(to io.Writer) *progress {
	return &progress{to: to, terminal: console.IsTerminal(to)}
}

// tell writes lines until the end.
func (p *progress) tell() (end func()) {
	ended, told := make(chan struct{}), make(chan struct{})
	every := lineEvery
	if p.terminal {
		every = patience
	}
	go func() {
		defer close(told)
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.line()
			case <-ended:
				p.clear()
				return
			}
		}
	}()
	return func() { close(ended); <-told }
}

// begin says what is being done from now on, and with how many; 0: nobody knows yet.
func (p *progress) begin(what string, all int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.what, p.done, p.all, p.latest, p.begun = what, 0, all, "", time.Now()
}

// step says that one of them is done.
func (p *progress) step(name string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	p.latest = shown(name)
}

func (p *progress) line() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.what == "" || time.Since(p.begun) < patience {
		return
	}
	line := fmt.Sprintf("%s: %d", p.what, p.done)
	if p.all > 0 {
		line = fmt.Sprintf("%s: %d of %d", p.what, p.done, p.all)
	}
	line += fmt.Sprintf(" (%d s)", int(time.Since(p.begun).Seconds()))
	if !p.terminal {
		fmt.Fprintln(p.to, line)
		return
	}
	if p.latest != "" {
		line += " " + p.latest
	}
	runes := []rune(line)
	if width := console.Width(p.to); len(runes) >= width {
		runes = runes[:max(width-1, 0)]
	}
	fmt.Fprint(p.to, "\r\x1b[K"+string(runes))
	p.written = true
}

func (p *progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.written {
		fmt.Fprint(p.to, "\r\x1b[K")
		p.written = false
	}
}
