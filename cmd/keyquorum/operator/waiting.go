package operator

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"keyquorum/cmd/keyquorum/console"
)

const (
	untold    = 2 * time.Second // so long a call takes before people are told that it goes on
	whyWithin = time.Second     // in which a node tells what it waits for
)

// telling tells whoever sits at a terminal, once a call has taken a while, what it waits for, until
// done is called.
func (c *Client) telling(ctx context.Context) (done func()) {
	people := console.People(ctx)
	if people == nil {
		return func() {}
	}
	asking, stop := context.WithCancel(ctx)
	begun := time.Now()
	told := console.Progress(people, untold, func() string {
		return fmt.Sprintf("Waiting for %s (%d s)", c.waitedFor(asking), int(time.Since(begun).Seconds()))
	})
	return func() { stop(); told() }
}

// waitedFor asks the node why it does not answer, by a call that it answers from memory, to anybody.
func (c *Client) waitedFor(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, whyWithin)
	defer cancel()
	var status struct {
		Trouble string `json:"trouble"`
		Waiting bool   `json:"waiting"`
	}
	_, body, err := c.exchange(ctx, http.MethodGet, "/v1/sys/seal-status", nil)
	switch {
	case err != nil || json.Unmarshal(body, &status) != nil:
	case status.Trouble != "":
		return c.at() + ": " + status.Trouble
	case status.Waiting:
		return c.at() + ": it has its shares, and looks for a leader"
	}
	return c.at() + " to answer"
}
