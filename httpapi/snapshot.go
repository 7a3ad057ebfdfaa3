package httpapi

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// maxSaving is how many snapshots a node sends at a time: each keeps the state of its moment in
// memory for as long.
const maxSaving = 2

// saveSnapshot takes a snapshot on the node that was asked, which holds all that was acknowledged;
// so nobody is sent to the leader for it.
func saveSnapshot(c *opCall, _ *none) (node.Snapshot, error) {
	select {
	case c.ops.saving <- struct{}{}:
		c.occupy(c.ops.saving)
	default:
		f := wire.Refuse(http.StatusTooManyRequests, "", "this node sends "+strconv.Itoa(maxSaving)+
			" snapshots already: wait until one has ended, or ask another node")
		f.RetryAfter = 5 * time.Second
		return node.Snapshot{}, f
	}
	s, err := c.ops.n.Snapshot(c.ctx)
	if err != nil {
		return s, nodeFailure(err)
	}
	c.detail = "index " + strconv.FormatUint(s.Meta.Index, 10)
	return s, nil
}

func writeSnapshot(c *opCall, s *node.Snapshot) error {
	h := c.w.Header()
	h["Content-Type"] = []string{"application/gzip"}
	h.Set("Content-Disposition", `attachment; filename="keyquorum-`+
		strconv.FormatUint(s.Meta.Index, 10)+`.snap"`)
	c.stream = s.Write
	return nil
}

const (
	// restoreTime is how long a restore may take, from the headers of the request on.
	restoreTime = 30 * time.Minute
	// maxRestored is how large the state in a snapshot may be that a node restores, in bytes: it is
	// in memory as a whole.
	maxRestored = 2 << 30
)

// restoreSnapshot goes back to the snapshot that the body is.
func restoreSnapshot(c *opCall, _ *none) (none, error) {
	s, err := c.readSnapshot("Nothing was restored")
	if err != nil {
		return none{}, err
	}
	c.detail = "snapshot of index " + strconv.FormatUint(s.Meta.Index, 10)
	done, err := c.ops.n.Restore(c.ctx, s, func(int) {})
	if err != nil {
		return none{}, nodeFailure(err)
	}
	c.detail += ", " + strconv.Itoa(done.Records) + " records, restore " +
		strconv.FormatUint(done.Number, 10)
	return none{}, nil
}

// readSnapshot reads the snapshot that the body is. A node reads one at a time: it has the place
// until the call is over. done says what was not done, where there is something wrong with it.
func (c *opCall) readSnapshot(done string) (*node.SnapshotFile, error) {
	select {
	case c.ops.restoring <- struct{}{}:
		c.occupy(c.ops.restoring)
	default:
		return nil, wire.Refuse(http.StatusConflict, "",
			"this node reads a snapshot already: wait until that has ended")
	}
	body := &arrival{r: c.r.Body, conn: http.NewResponseController(c.w),
		end: c.req.Start.Add(restoreTime)}
	s, err := node.ReadSnapshot(body, maxRestored)
	if body.err != nil {
		return nil, wire.Refuse(http.StatusBadRequest, "", "the snapshot did not come as a whole: "+
			"it was cut off, or nothing came for "+streamStall.String()+". "+done)
	}
	if err != nil {
		return nil, wire.Refuse(http.StatusBadRequest, "", err.Error()+". "+done)
	}
	return s, nil
}

// An arrival is a body of any length. The client has its time for each piece.
type arrival struct {
	r    io.Reader
	conn *http.ResponseController
	end  time.Time
	err  error // what ended it, nil for its end
}

func (a *arrival) Read(b []byte) (int, error) {
	limit := time.Now().Add(streamStall)
	if limit.After(a.end) {
		limit = a.end
	}
	_ = a.conn.SetReadDeadline(limit) // a recorder of a test's has none
	n, err := a.r.Read(b[:min(len(b), streamPiece)])
	if err != nil && !errors.Is(err, io.EOF) {
		a.err = err
	}
	return n, err
}
