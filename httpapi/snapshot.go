package httpapi

import (
	"net/http"
	"strconv"
	"time"

	"keyquorum/node"
)

// maxSaving is how many snapshots a node sends at a time: each keeps the state of its moment in
// memory for as long.
const maxSaving = 2

// saveSnapshot takes a snapshot on the node that was asked, which holds all that was acknowledged;
// so nobody is sent to the leader for it.
func saveSnapshot(c *call, _ *none) (node.Snapshot, error) {
	select {
	case c.h.saving <- struct{}{}:
		c.room = c.h.saving
	default:
		f := refuse(http.StatusTooManyRequests, "", "this node sends "+strconv.Itoa(maxSaving)+
			" snapshots already: wait until one has ended, or ask another node")
		f.retryAfter = 5 * time.Second
		return node.Snapshot{}, f
	}
	s, err := c.h.n.Snapshot(c.ctx)
	if err != nil {
		return s, nodeFailure(err)
	}
	c.detail = "index " + strconv.FormatUint(s.Meta.Index, 10)
	return s, nil
}

func writeSnapshot(c *call, s *node.Snapshot) error {
	h := c.w.Header()
	h["Content-Type"] = []string{"application/gzip"}
	h.Set("Content-Disposition", `attachment; filename="keyquorum-`+
		strconv.FormatUint(s.Meta.Index, 10)+`.snap"`)
	c.stream = s.Write
	return nil
}
