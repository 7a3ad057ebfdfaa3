package fakenet

import (
	"net"
	"slices"
	"time"
)

// A pipe is one direction of a connection. Its queue stands for the buffers of the kernel and the
// wire.
type pipe struct {
	network  *Network
	from, to string
	in, out  net.Conn
	back     *pipe

	// Guarded by network.mu.
	queue  []piece
	queued int       // bytes
	last   time.Time // when the newest piece is due
	ended  bool      // the sender closed: deliver the queue, then close
	dead   bool      // nothing more is delivered
}

// A piece is what one read brought, and when it has crossed the link.
type piece struct {
	bytes []byte
	due   time.Time
}

// maxQueued is how much a link holds before its sender has to wait, as for the window of TCP.
const maxQueued = 4 << 20

func (p *pipe) between(host string, others []string) bool {
	other := p.to
	if other == host {
		other = p.from
	} else if p.from != host {
		return false
	}
	return len(others) == 0 || slices.Contains(others, other)
}

// read takes what the sender writes. It ends with the sender's end of the connection.
func (p *pipe) read() {
	buffer := make([]byte, 32<<10)
	for {
		k, err := p.in.Read(buffer)
		if !p.take(buffer[:k], err != nil) {
			return
		}
	}
}

func (p *pipe) take(b []byte, ended bool) (more bool) {
	n := p.network
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(b) > 0 {
		p.last = p.dueLocked(len(b))
		p.queue = append(p.queue, piece{slices.Clone(b), p.last})
		p.queued += len(b)
	}
	p.ended = p.ended || ended
	n.changed.Broadcast()
	for p.queued > maxQueued && !p.dead {
		n.changed.Wait()
	}
	return !p.ended && !p.dead
}

// dueLocked is when k bytes that are sent now have crossed: after those before them, at the link's
// pace.
func (p *pipe) dueLocked(k int) time.Time {
	link, ok := p.network.links[[2]string{p.from, p.to}]
	if !ok {
		return p.last // the queue may be as late as the link was that is perfect now
	}
	due := time.Now().Add(link.Delay)
	if p.last.After(due) {
		due = p.last
	}
	if link.Rate > 0 {
		due = due.Add(time.Duration(k) * time.Second / time.Duration(link.Rate))
	}
	if p.network.dice.Float64() < link.Loss {
		due = due.Add(resend)
	}
	return due
}

// write delivers. It ends when there is nothing more to deliver, or the receiver is gone.
func (p *pipe) write() {
	for {
		chunk, ok := p.next()
		if !ok {
			p.out.Close()
			p.network.do(func() { delete(p.network.pipes, p) })
			return
		}
		if _, err := p.out.Write(chunk); err != nil {
			p.network.do(p.closeLocked)
		}
	}
}

// next waits for the piece that may be delivered now.
func (p *pipe) next() ([]byte, bool) {
	n := p.network
	n.mu.Lock()
	defer n.mu.Unlock()
	for {
		switch {
		case p.dead:
			return nil, false
		case n.blockedLocked(p.from, p.to):
		case len(p.queue) > 0:
			wait := time.Until(p.queue[0].due)
			if wait <= 0 {
				return p.shiftLocked(), true
			}
			timer := time.AfterFunc(wait, func() { n.do(func() {}) })
			n.changed.Wait()
			timer.Stop()
			continue
		case p.ended:
			return nil, false
		}
		n.changed.Wait()
	}
}

// hurryLocked has all that is queued arrive at once.
func (p *pipe) hurryLocked() {
	p.last = time.Time{}
	for i := range p.queue {
		p.queue[i].due = p.last
	}
}

func (p *pipe) shiftLocked() []byte {
	chunk := p.queue[0].bytes
	p.queue = p.queue[1:]
	p.queued -= len(chunk)
	p.network.changed.Broadcast()
	return chunk
}

// closeLocked breaks the connection, both directions of it.
func (p *pipe) closeLocked() {
	p.dead, p.back.dead = true, true
	p.in.Close()
	p.out.Close()
	p.network.changed.Broadcast()
}
