package node

import (
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"keyquorum/storage"
)

// A pending join has told its cluster an id, and may have been admitted, but has no folder yet.
// The id is kept: the cluster counts it at this node's address from then on, and takes the same
// id there again, and no other.
type pending struct{ clusterID, nodeID string }

func (n *Node) pendingFile() string { return pendingFile(n.config.Dir) }

// pendingFile is where a data folder keeps it.
func pendingFile(data string) string { return filepath.Join(data, "joining") }

// keepPending is written before the cluster hears of the id.
func (n *Node) keepPending(p pending) error {
	return storage.WriteFile(n.pendingFile(), []byte(p.clusterID+" "+p.nodeID+"\n"))
}

// pending is what was kept; the zero one if there is nothing that could be told.
func (n *Node) pending() (p pending, err error) {
	content, err := storage.ReadFile(n.pendingFile())
	if errors.Is(err, fs.ErrNotExist) {
		return pending{}, nil
	}
	if err != nil {
		return pending{}, err
	}
	clusterID, nodeID, _ := strings.Cut(strings.TrimSuffix(string(content), "\n"), " ")
	if !isNodeID(nodeID) {
		return pending{}, nil
	}
	return pending{clusterID, nodeID}, nil
}

// idFor is the id under which this node joins a cluster.
func (p pending) idFor(clusterID [16]byte) string {
	if p.clusterID == hex.EncodeToString(clusterID[:]) {
		return p.nodeID
	}
	return newNodeID()
}

// dropPending is for a node that is a member, or was not admitted: an id that was removed meanwhile
// never comes back.
func (n *Node) dropPending() error {
	if err := os.Remove(n.pendingFile()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
