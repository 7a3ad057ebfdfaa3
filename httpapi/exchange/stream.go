package exchange

import (
	"io"
	"net/http"
	"time"
)

// A streamer writes the body of an answer that is too long to be kept. Its error ends the
// connection: the status is gone, and nobody must take what came for the whole.
type streamer func(w io.Writer) error

// StreamStall is how long a client may take for the next streamPiece bytes.
const (
	StreamStall = 30 * time.Second
	StreamPiece = 64 << 10
	// streamLife is how long it may take for all of them: it has a place that others want, and keeps
	// an old state in memory.
	streamLife = time.Hour
)

// writeStream sends status and body as it comes.
func (c *Call) writeStream() {
	c.W.WriteHeader(c.Status)
	err := c.Stream(&pieces{c.W, http.NewResponseController(c.W), time.Now().Add(streamLife)})
	if err == nil {
		return
	}
	c.desk.Log.Warn("an answer ended too early", "request_id", c.Req.ID, "path", c.R.URL.Path,
		"error", err)
	panic(http.ErrAbortHandler) // net/http closes the connection, and says nothing
}

// pieces gives the client its time for each piece.
type pieces struct {
	w    io.Writer
	conn *http.ResponseController
	end  time.Time
}

func (p *pieces) Write(b []byte) (n int, err error) {
	for len(b) > 0 {
		piece := b[:min(len(b), StreamPiece)]
		limit := time.Now().Add(StreamStall)
		if limit.After(p.end) {
			limit = p.end
		}
		_ = p.conn.SetWriteDeadline(limit) // a recorder of a test's has none
		written, err := p.w.Write(piece)
		n += written
		if err != nil {
			return n, err
		}
		b = b[len(piece):]
	}
	return n, nil
}
