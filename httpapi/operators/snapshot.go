package operators

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// maxSaving is how many snapshots a node sends at a time: each keeps the state of its moment in
// memory for as long.
const maxSaving = 2

// saveSnapshot takes a snapshot on the node that was asked, which holds all that was acknowledged;
// so nobody is sent to the leader for it.
func saveSnapshot(c *call, _ *exchange.None) (node.Snapshot, error) {
	select {
	case c.plane.saving <- struct{}{}:
		c.Occupy(c.plane.saving)
	default:
		f := wire.Refuse(http.StatusTooManyRequests, "", "this node sends "+strconv.Itoa(maxSaving)+
			" snapshots already: wait until one has ended, or ask another node")
		f.RetryAfter = 5 * time.Second
		return node.Snapshot{}, f
	}
	s, err := c.plane.n.Snapshot(c.Ctx)
	if err != nil {
		return s, nodeFailure(err)
	}
	c.detail = "index " + strconv.FormatUint(s.Meta.Index, 10)
	return s, nil
}

func writeSnapshot(c *call, s *node.Snapshot) error {
	h := c.W.Header()
	h["Content-Type"] = []string{"application/gzip"}
	h.Set("Content-Disposition", `attachment; filename="keyquorum-`+
		strconv.FormatUint(s.Meta.Index, 10)+`.snap"`)
	c.Stream = s.Write
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
func restoreSnapshot(c *call, _ *exchange.None) (exchange.None, error) {
	s, err := c.readSnapshot("Nothing was restored")
	if err != nil {
		return exchange.None{}, err
	}
	c.detail = "snapshot of index " + strconv.FormatUint(s.Meta.Index, 10)
	done, err := c.plane.n.Restore(c.Ctx, s, func(int) {})
	if err != nil {
		return exchange.None{}, nodeFailure(err)
	}
	c.detail += ", " + strconv.Itoa(done.Records) + " records, restore " +
		strconv.FormatUint(done.Number, 10)
	return exchange.None{}, nil
}

// readSnapshot reads the snapshot that the body is. A node reads one at a time: it has the place
// until the call is over. done says what was not done, where there is something wrong with it.
func (c *call) readSnapshot(done string) (*node.SnapshotFile, error) {
	select {
	case c.plane.restoring <- struct{}{}:
		c.Occupy(c.plane.restoring)
	default:
		return nil, wire.Refuse(http.StatusConflict, "",
			"this node reads a snapshot already: wait until that has ended")
	}
	body := &arrival{r: c.R.Body, conn: http.NewResponseController(c.W),
		end: c.Req.Start.Add(restoreTime)}
	s, err := node.ReadSnapshot(body, maxRestored)
	if body.err != nil {
		return nil, wire.Refuse(http.StatusBadRequest, "", "the snapshot did not come as a whole: "+
			"it was cut off, or nothing came for "+exchange.StreamStall.String()+". "+done)
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
	limit := time.Now().Add(exchange.StreamStall)
	if limit.After(a.end) {
		limit = a.end
	}
	_ = a.conn.SetReadDeadline(limit) // a recorder of a test's has none
	n, err := a.r.Read(b[:min(len(b), exchange.StreamPiece)])
	if err != nil && !errors.Is(err, io.EOF) {
		a.err = err
	}
	return n, err
}

// snapshotsFail says to strangers that scheduled snapshots fail. What fails, and where, is in the
// node's log and in sys/ha-status.
func snapshotsFail(all []node.Scheduled) string {
	for _, s := range all {
		if s.Trouble != "" {
			return "the last one failed, and is tried again; " + sinceNewest(s) +
				": this node's log says why"
		}
	}
	return ""
}

// snapshotTroubles says to operators what fails.
func snapshotTroubles(all []node.Scheduled) (sentences []string) {
	for _, s := range all {
		if s.Trouble != "" {
			sentences = append(sentences, fmt.Sprintf("The last scheduled snapshot into %s failed, "+
				"and is tried again; %s: %s.", s.Store, sinceNewest(s), s.Trouble))
		}
	}
	return sentences
}

func sinceNewest(s node.Scheduled) string {
	if s.Newest.IsZero() {
		return "whether there is an older one is not known"
	}
	return "the newest is of " + s.Newest.UTC().Format(time.RFC3339)
}
