package node

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strconv"
	"time"

	"keyquorum/audit"
	"keyquorum/vault"
)

func (c *Config) usageLog() string {
	return cmp.Or(c.UsageLog, filepath.Join(c.Dir, "audit.log"))
}

func openAudit(config Config) (*audit.Log, error) {
	if config.Audit != nil {
		return audit.OpenSink(config.Audit), nil
	}
	log, err := audit.Open(config.usageLog())
	if err != nil {
		return nil, fmt.Errorf("usage log: %w", err)
	}
	return log, nil
}

// ReopenAudit closes and opens the usage log again, after it was renamed.
func (n *Node) ReopenAudit() error { return n.audit.Reopen() }

// Record writes the usage record of an operation of the operator plane on a node that has no keys.
func (n *Node) Record(u vault.Unkeyed) error {
	return u.Record(n.audit, n.config.Label, n.config.Now())
}

// watchUsageLog tells people when the usage log can't be written, and when it can again: a line for
// each request that is refused would be too many. It ends with the node.
func (n *Node) watchUsageLog() {
	w := usageWatch{n: n}
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			w.look()
		case <-n.ctx.Done():
			return
		}
	}
}

// A usageWatch is what was told of the usage log.
type usageWatch struct {
	n        *Node
	troubled bool
	refused  uint64 // records that could not be written, as far as they are told of
}

// look tries the log itself while it is in trouble: a node that is in trouble is not ready, so
// balancers send it nothing, and by requests alone it would never be found well again.
func (w *usageWatch) look() {
	err := w.n.audit.Trouble()
	if err != nil && !w.troubled {
		w.n.logger().Error("requests can't be recorded, and are refused; this node is not ready",
			"error", err)
		w.troubled = true
	}
	failures := w.n.audit.Stats().Failures
	if !w.troubled {
		if failures > w.refused { // and it was over before anybody looked
			w.n.logger().Error("requests could not be recorded, and were refused",
				"count", failures-w.refused)
		}
		w.refused = failures
		return
	}
	if w.n.audit.Write(w.n.resumed(failures-w.refused)) != nil {
		w.refused++ // this one was nobody's request
		return
	}
	w.n.logger().Info("requests are recorded again", "refused", failures-w.refused)
	w.troubled, w.refused = false, failures
}

// resumed is the usage record that says how many are missing.
func (n *Node) resumed(missing uint64) *audit.Entry {
	return &audit.Entry{
		Time: n.config.Now(), Node: n.config.Label, Plane: "node", Operation: "usage-log/resumed",
		Object: strconv.FormatUint(missing, 10), Status: 200,
	}
}
