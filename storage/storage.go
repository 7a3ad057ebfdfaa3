// Package storage is what is on disk: Raft log and stable store, snapshots, and the manifest that names format and cluster.
package storage

import (
	"time"

	"github.com/hashicorp/raft"
)

// A Manifest is the file that says whose folder this is.
type Manifest struct {
	Format    int    // version of the folder's layout
	ClusterID string // 32 hex
	NodeID    string // 32 hex
	Voter     bool   // whether this node wants to be a voter
}

// A Store is an open member's folder.
type Store struct{}

// Create makes dir (which must not exist) with an empty store. For init (in a temporary name, then renamed) and join.
func Create(dir string, m Manifest) (*Store, error) { panic("not built yet") }

// Open opens an existing folder; errors name the file and what is wrong (foreign, newer format, locked, newest snapshot damaged).
func Open(dir string) (*Store, error) { panic("not built yet") }

func (s *Store) Manifest() Manifest            { panic("not built yet") }
func (s *Store) Logs() raft.LogStore           { panic("not built yet") }
func (s *Store) Stable() raft.StableStore      { panic("not built yet") }
func (s *Store) Snapshots() raft.SnapshotStore { panic("not built yet") }

// Failed is closed at the first failed write or fsync of log or stable store; Err then says which. Everything later fails too.
func (s *Store) Failed() <-chan struct{} { panic("not built yet") }
func (s *Store) Err() error              { panic("not built yet") }

// Stats are counters since Open.
type Stats struct {
	LogBytesSinceSnapshot int64
	Syncs                 int64 // fdatasyncs by commits of log and stable store
	SlowestSync           time.Duration
}

func (s *Store) Stats() Stats { panic("not built yet") }
func (s *Store) Close() error { panic("not built yet") }

// ReadFile and WriteFile read and atomically, durably replace (0600) a small file in the folder; Rename a folder into place durably.
func ReadFile(path string) ([]byte, error)    { panic("not built yet") }
func WriteFile(path string, b []byte) error   { panic("not built yet") }
func RenameDir(oldpath, newpath string) error { panic("not built yet") }
