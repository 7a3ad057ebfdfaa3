package port

import (
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// The library reads a message of any length into memory, and waits for a snapshot for as long as
// its sender likes. So each connection counts what came in by it since the last answer, and what
// stands behind a snapshot's header has to keep coming.

// bodySilence is how long a snapshot may bring nothing; bodyRate, in bytes a second, what it brings
// in the long run. The library's sender gives up below 85 KiB a second.
const (
	bodySilence = 10 * time.Second
	bodyRate    = 64 << 10
)

var (
	errTooLong = errors.New("cluster port: a node sends more than any request has")
	errSlow    = errors.New("cluster port: a snapshot does not go on")
)

// An unanswered is how much a node has sent that was not answered, over all its connections.
type unanswered struct {
	most  int64
	bytes atomic.Int64
}

// A metered is one of Raft's connections. One goroutine at a time reads and writes: who serves the
// connection, or, while that waits for the answer, who takes the snapshot.
type metered struct {
	net.Conn
	node   *unanswered
	own    atomic.Int64 // of the node's bytes those that came by this connection
	body   bool         // what is read is a snapshot's
	once   sync.Once
	closed chan struct{}
}

func (m *metered) Read(b []byte) (int, error) {
	n, err := m.Conn.Read(b)
	if m.body {
		return n, err
	}
	m.own.Add(int64(n))
	if m.node.bytes.Add(int64(n)) > m.node.most {
		m.Close()
		return 0, errTooLong
	}
	return n, err
}

// Write is of an answer.
func (m *metered) Write(b []byte) (int, error) {
	m.forget()
	return m.Conn.Write(b)
}

func (m *metered) forget() { m.node.bytes.Add(-m.own.Swap(0)) }

func (m *metered) Close() error {
	m.once.Do(func() { close(m.closed) })
	m.forget()
	return m.Conn.Close()
}

// A body is the reader of what stands behind a snapshot's header. When it has failed, so has the
// connection.
type body struct {
	reader io.Reader
	conn   *metered
	bytes  int64
	waited time.Duration // for these
}

func (b *body) Read(p []byte) (int, error) {
	begun := time.Now()
	left := bodySilence + time.Duration(b.bytes)*time.Second/bodyRate - b.waited
	b.conn.SetReadDeadline(begun.Add(min(left, bodySilence)))
	b.conn.body = true
	n, err := b.reader.Read(p)
	b.conn.body = false
	b.conn.SetReadDeadline(time.Time{})
	b.bytes += int64(n)
	b.waited += time.Since(begun)
	if err == nil || err == io.EOF {
		return n, err
	}
	b.conn.Close()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = errSlow
	}
	return n, err
}
