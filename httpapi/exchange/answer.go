package exchange

import (
	"bufio"
	"fmt"
	"net/http"
	"strconv"

	"keyquorum/httpapi/connections"
	"keyquorum/httpapi/wire"
)

// fail makes the answer a refusal.
func (c *Call) fail(err error) {
	f := wire.FailureOf(err)
	if f.Status >= http.StatusInternalServerError && f.Status != http.StatusServiceUnavailable &&
		f.Status != http.StatusNotImplemented && f.Inner != wire.UnrecordedCode && c.MayLog() {
		c.desk.Log.Error("a request failed", "request_id", c.Req.ID, "path", c.R.URL.Path, "error", err)
	}
	c.Status = f.Status
	f.Headers(c.W.Header())
	c.Shared, c.Stream = nil, nil
	*c.Out = c.plane.AppendFailure(f, (*c.Out)[:0])
}

// write sends status and body at once. What goes wrong now is the connection's trouble.
func (c *Call) write() {
	h := c.W.Header()
	if c.Status == http.StatusNoContent {
		delete(h, "Content-Type")
		c.W.WriteHeader(c.Status)
		return
	}
	if c.Stream != nil {
		c.writeStream()
		return
	}
	body := *c.Out
	if c.Shared != nil {
		body = c.Shared
	}
	h["Content-Length"] = []string{strconv.Itoa(len(body))}
	if c.Route != nil && c.Route.Shares {
		c.writeAndForget()
		return
	}
	c.W.WriteHeader(c.Status)
	if c.R.Method != http.MethodHead {
		_, _ = c.W.Write(body)
	}
}

// writeAndForget answers, closes the connection and clears what it has read and written.
func (c *Call) writeAndForget() {
	conn, buffered, err := http.NewResponseController(c.W).Hijack()
	if err != nil { // not a connection of our server: a test's recorder
		c.W.WriteHeader(c.Status)
		_, _ = c.W.Write(*c.Out)
		return
	}
	defer conn.Close()
	head := bufio.NewWriterSize(conn, 1<<10)
	fmt.Fprintf(head, "HTTP/1.1 %d %s\r\nConnection: close\r\n", c.Status, http.StatusText(c.Status))
	_ = c.W.Header().Write(head)
	_, _ = head.WriteString("\r\n")
	if head.Flush() == nil {
		_, _ = conn.Write(*c.Out)
	}
	connections.Forget(conn, buffered.Reader)
}
