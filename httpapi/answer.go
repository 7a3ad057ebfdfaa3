package httpapi

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"

	"keyquorum/httpapi/wire"
)

// fail makes the answer a refusal.
func (c *call) fail(err error) {
	f := wire.FailureOf(err)
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusServiceUnavailable &&
		f.Status != http.StatusNotImplemented && f.Inner != wire.UnrecordedCode && c.mayLog() {
		c.desk.log.Error("a request failed", "request_id", c.req.ID, "path", c.r.URL.Path, "error", err)
	}
	c.status = f.Status
	f.Headers(c.w.Header())
	c.shared, c.stream = nil, nil
	*c.out = c.plane.AppendFailure(f, (*c.out)[:0])
}

// write sends status and body at once. What goes wrong now is the connection's trouble.
func (c *call) write() {
	h := c.w.Header()
	if c.status == http.StatusNoContent {
		delete(h, "Content-Type")
		c.w.WriteHeader(c.status)
		return
	}
	if c.stream != nil {
		c.writeStream()
		return
	}
	body := *c.out
	if c.shared != nil {
		body = c.shared
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if c.route != nil && c.route.shares {
		c.writeAndForget()
		return
	}
	c.w.WriteHeader(c.status)
	if c.r.Method != http.MethodHead {
		_, _ = c.w.Write(body)
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
	forgetRead(conn, buffered.Reader)
}
