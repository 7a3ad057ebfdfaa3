package connections

import (
	"bufio"
	"errors"
	"math"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Unseal shares pass through buffers that belong to net/http and crypto/tls, which nobody clears: a
// sealed node would go on holding, in its memory, the text of the shares that open it (I7). So a
// route that takes or shows shares ends its connection: the answer is written past net/http, and
// then every buffer that the connection has used is overwritten. HTTP/2 has no way to do so, and
// costs more CPU than HTTP/1.1 for what our clients ask; the API does not offer it.

// A forgetfulConn is the connection under a TLS layer. It remembers the buffers that it was asked
// to fill, in which that layer decrypts, and ends writes to a peer that does not read.
type forgetfulConn struct {
	net.Conn
	until  atomic.Int64   // Unix nanoseconds of the deadline that was asked for writes, or never
	set    atomic.Int64   // and of the one that the connection has
	slow   *atomic.Uint64 // counts the peers that do not read
	mu     sync.Mutex
	filled [4][]byte // the newest ones: the TLS layer has one at a time, and a larger one when it grows
	next   int
}

// never is after every deadline, Unix nanoseconds.
const never = math.MaxInt64

func forgetful(conn net.Conn, slow *atomic.Uint64) *forgetfulConn {
	c := &forgetfulConn{Conn: conn, slow: slow}
	c.until.Store(never)
	c.set.Store(never)
	return c
}

func (c *forgetfulConn) Read(p []byte) (int, error) {
	if len(p) > 0 {
		c.remember(p[:cap(p)])
	}
	return c.Conn.Read(p)
}

// SetWriteDeadline is obeyed at the next write, or at once where it comes sooner than what is set:
// net/http sets one for each request, and a deadline costs as much as a tenth of the write.
func (c *forgetfulConn) SetWriteDeadline(t time.Time) error {
	if t.IsZero() {
		c.until.Store(never)
		return nil
	}
	at := t.UnixNano()
	c.until.Store(at)
	if at < c.set.Load() {
		return c.deadline(at)
	}
	return nil
}

func (c *forgetfulConn) deadline(at int64) error {
	c.set.Store(at)
	return c.Conn.SetWriteDeadline(time.Unix(0, at))
}

func (c *forgetfulConn) SetDeadline(t time.Time) error {
	return errors.Join(c.SetReadDeadline(t), c.SetWriteDeadline(t))
}

// Write gets a TLS record at a time, and has slowestWrite for it, or up to a second less.
func (c *forgetfulConn) Write(p []byte) (int, error) {
	slowest, until := time.Now().Add(slowestWrite).UnixNano(), c.until.Load()
	latest, soonest := min(slowest, until), min(slowest-int64(time.Second), until)
	if set := c.set.Load(); set < soonest || set > latest {
		_ = c.deadline(latest)
	}
	n, err := c.Conn.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		c.slow.Add(1)
	}
	return n, err
}

func (c *forgetfulConn) remember(p []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, known := range c.filled { // buffers are asked to be filled from different places; the earliest covers the others
		if known != nil && &known[cap(known)-1] == &p[cap(p)-1] {
			if cap(p) > cap(known) {
				c.filled[i] = p
			}
			return
		}
	}
	c.filled[c.next%len(c.filled)] = p
	c.next++
}

func (c *forgetfulConn) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.filled {
		clear(p)
	}
}

// Forget overwrites what a connection has read, in what was read ahead and below the TLS layer.
func Forget(conn net.Conn, ahead *bufio.Reader) {
	overwrite(ahead)
	if ours, ok := conn.(*apiConn); ok {
		ours.raw.forget()
	}
}

// overwrite fills a reader's buffer with zeros.
func overwrite(r *bufio.Reader) {
	r.Reset(zeros{})
	_, _ = r.Peek(r.Size())
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
