package node

import (
	"cmp"
	"fmt"
	"path/filepath"
	"time"

	"keyquorum/audit"
)

func openAudit(config Config) (*audit.Log, error) {
	if config.Audit != nil {
		return audit.OpenSink(config.Audit), nil
	}
	log, err := audit.Open(cmp.Or(config.UsageLog, filepath.Join(config.Dir, "audit.log")))
	if err != nil {
		return nil, fmt.Errorf("usage log: %w", err)
	}
	return log, nil
}

// ReopenAudit closes and opens the usage log again, after it was renamed.
func (n *Node) ReopenAudit() error { return n.audit.Reopen() }

// watchUsageLog tells people when the usage log can't be written, and when it can again: a line for
// each request that is refused would be too many. It ends with the node.
func (n *Node) watchUsageLog() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for troubled := false; ; {
		select {
		case <-ticker.C:
		case <-n.ctx.Done():
			return
		}
		err := n.audit.Trouble()
		switch {
		case err != nil && !troubled:
			n.config.Logger.Error("requests can't be recorded, and are refused", "error", err)
		case err == nil && troubled:
			n.config.Logger.Info("requests are recorded again")
		}
		troubled = err != nil
	}
}
