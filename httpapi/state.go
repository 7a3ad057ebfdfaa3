package httpapi

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strconv"

	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

type stateData struct {
	NodeID     string `json:"node_id"`
	Index      uint64 `json:"index"`
	Generation uint64 `json:"generation"`
	Digest     string `json:"digest"` // hex
}

// state answers with the digest of what this node holds, after the entry that ?index names where it
// is given: whoever asks all nodes for one index can compare them (I9).
func state(c *opCall, _ *none) (stateData, error) {
	var index uint64
	if q := wire.Query(c.r.URL.RawQuery, "index"); q != "" {
		var err error
		if index, err = strconv.ParseUint(q, 10, 64); err != nil {
			return stateData{}, wire.Refuse(http.StatusBadRequest, "",
				"bad value for index: it is a number, 0 or more")
		}
	}
	s, err := c.ops.n.State(c.ctx, index)
	if errors.Is(err, node.ErrForgotten) {
		return stateData{}, wire.Refuse(http.StatusGone, "", err.Error())
	}
	return stateData{s.NodeID, s.Index, s.Generation, hex.EncodeToString(s.Digest[:])},
		nodeFailure(err)
}
