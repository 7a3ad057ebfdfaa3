package httpapi

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// Unseal shares pass through buffers that belong to net/http and crypto/tls, which nobody clears: a sealed node would go
// on holding, in its memory, the text of the shares that open it (I7). So a route that takes or shows shares ends its
// connection: the answer is written past net/http, and then every buffer that the connection has used is overwritten.
// HTTP/2 has no way to do so, and costs more CPU than HTTP/1.1 for what our clients ask; the API does not offer it.

// Forgetful returns a listener whose connections can be made to forget what they have read. The API's listener has to
// be one, else shares stay in the TLS layer's buffer until it is used again.
func Forgetful(l net.Listener) net.Listener { return forgetfulListener{l} }

type forgetfulListener struct{ net.Listener }

func (l forgetfulListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &forgetfulConn{Conn: conn}, nil
}

// A forgetfulConn remembers the buffers that it was asked to fill. The TLS layer decrypts in the same place.
type forgetfulConn struct {
	net.Conn
	mu     sync.Mutex
	filled [4][]byte // the newest ones: the TLS layer has one at a time, and a larger one when it grows
	next   int
}

func (c *forgetfulConn) Read(p []byte) (int, error) {
	if len(p) > 0 {
		c.remember(p[:cap(p)])
	}
	return c.Conn.Read(p)
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

// writeAndForget answers, closes the connection and clears what it has read and written.
func (c *call) writeAndForget() {
	conn, buffered, err := http.NewResponseController(c.w).Hijack()
	if err != nil { // not a connection of our server: a test's recorder
		c.w.WriteHeader(c.status)
		_, _ = c.w.Write(*c.out)
		return
	}
	defer conn.Close()
	head := bufio.NewWriterSize(conn, 1<<10)
	fmt.Fprintf(head, "HTTP/1.1 %d %s\r\nConnection: close\r\n", c.status, http.StatusText(c.status))
	_ = c.w.Header().Write(head)
	_, _ = head.WriteString("\r\n")
	if head.Flush() == nil {
		_, _ = conn.Write(*c.out)
	}
	overwrite(buffered.Reader)
	if secure, ok := conn.(*tls.Conn); ok {
		if raw, ok := secure.NetConn().(*forgetfulConn); ok {
			raw.forget()
		}
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
