package connections

import (
	"net"
	"sync/atomic"
)

// What tests from outside may look at.

// A Framing follows the requests of one connection.
type Framing struct{ framing }

func (f *Framing) Take(p []byte) error { return f.take(p) }

// InHead says that a request's head was begun and is not complete.
func (f *Framing) InHead() bool { return f.state <= afterHead && !f.Between() }

// Between says that all requests that were begun have ended.
func (f *Framing) Between() bool { return f.state == atMethod && len(f.line) == 0 }

// NewForgetfulConn is what stands under a TLS layer; slow counts peers that do not read.
func NewForgetfulConn(conn net.Conn, slow *atomic.Uint64) net.Conn {
	return forgetful(conn, slow)
}
