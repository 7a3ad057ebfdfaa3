package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// manifestFormat is the version of the folder's layout that this release writes, and the newest
// that it reads.
const manifestFormat = 1

// A Manifest is the file that says whose folder this is.
type Manifest struct {
	Format    int    // version of the folder's layout
	ClusterID string // 32 hex
	NodeID    string // 32 hex
	Voter     bool   // whether this node wants to be a voter
}

// manifestFile is the manifest as it is written.
type manifestFile struct {
	Format    int    `json:"format"`
	ClusterID string `json:"cluster_id"`
	NodeID    string `json:"node_id"`
	Voter     bool   `json:"voter"`
	Check     string `json:"check"`
}

func (f *manifestFile) checksum() *string { return &f.Check }

func (m Manifest) check() error {
	switch {
	case m.Format != manifestFormat:
		return fmt.Errorf("of unknown format %d", m.Format)
	case !isHex(m.ClusterID, 32):
		return fmt.Errorf("cluster id %.40q is not 32 hexadecimal digits", m.ClusterID)
	case !isHex(m.NodeID, 32):
		return fmt.Errorf("node id %.40q is not 32 hexadecimal digits", m.NodeID)
	}
	return nil
}

func (m Manifest) encode() []byte {
	return encodeDocument(&manifestFile{Format: m.Format, ClusterID: m.ClusterID, NodeID: m.NodeID,
		Voter: m.Voter})
}

func decodeManifest(b []byte) (Manifest, error) {
	var f manifestFile
	if err := decodeDocument(b, &f, manifestFormat); err != nil {
		return Manifest{}, err
	}
	m := Manifest{Format: f.Format, ClusterID: f.ClusterID, NodeID: f.NodeID, Voter: f.Voter}
	return m, m.check()
}

// Look reads the manifest of a folder that may be in use, and changes and locks nothing. Errors name
// the file and what is wrong with it: no folder of a member, a newer format, a part that is lost.
func Look(dir string) (Manifest, error) {
	m, err := readManifest(dir)
	if err == nil {
		err = checkPresent(dir)
	}
	return m, err
}

func readManifest(dir string) (Manifest, error) {
	path := filepath.Join(dir, manifestName)
	b, err := ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Manifest{}, fmt.Errorf("storage: %s is no folder of a cluster member, or was never finished: %w",
			dir, err)
	}
	if err != nil {
		return Manifest{}, err
	}
	m, err := decodeManifest(b)
	if err != nil {
		return Manifest{}, fmt.Errorf("storage: %s is %w", path, err)
	}
	return m, nil
}
