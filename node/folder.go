package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"keyquorum/seal"
	"keyquorum/storage"
)

// A Folder is what a data folder shows to whoever looks at it from outside.
type Folder struct {
	Member            bool     // it holds a cluster's data
	Format            int      // of the member's folder (docs/formats-storage.md)
	ClusterID, NodeID string   // 32 hex digits each
	Voter             bool     // whether the node wants to be a voter
	Shares, Threshold int      // of the seal
	Joining           bool     // a join was begun and has no folder yet
	Unfinished        string   // path of what an init, a join or a recovery that was killed has left
	Temporary         []string // paths of files that a node in use, or one that was killed, half wrote
}

// LookAt looks at a data folder while a node may run on it. It changes, locks and opens nothing but
// a few small files. The error says what a start of the node would refuse it for.
func LookAt(data string) (Folder, error) {
	var f Folder
	dir := memberDir(data)
	if isThere(unfinished(dir)) {
		f.Unfinished = unfinished(dir)
	}
	f.Joining = isThere(pendingFile(data))
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("data folder: %w", err)
	}
	m, err := storage.Look(dir)
	if err != nil {
		return f, err
	}
	f.Member, f.Format, f.ClusterID, f.NodeID, f.Voter = true, m.Format, m.ClusterID, m.NodeID, m.Voter
	f.Temporary = temporaryIn(dir)
	return f, f.readSeal(filepath.Join(dir, fileSeal))
}

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// readSeal takes the numbers of shares from the seal record.
func (f *Folder) readSeal(path string) error {
	content, err := storage.ReadFile(path)
	if err != nil {
		return err
	}
	record, err := seal.DecodeRecord(content)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	f.Shares, f.Threshold = record.Shares, record.Threshold
	return nil
}

// temporaryIn are the names of a member's folder, and of its snapshots, that end as those do which
// are not whole yet.
func temporaryIn(dir string) (paths []string) {
	for _, pattern := range []string{"*.tmp", filepath.Join("snapshots", "*.tmp")} {
		found, _ := filepath.Glob(filepath.Join(escaped(dir), pattern))
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	return paths
}

// escaped is a path as a pattern that matches it alone.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}
