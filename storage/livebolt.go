package storage

import (
	"sync"

	"github.com/hashicorp/raft"
)

// A liveBolt is raft.db for log and stable store. Scrub puts another file in its place while it is
// in use, and nobody notices.
type liveBolt struct {
	path string

	mu   sync.RWMutex // held over each read; over a write commits.writing is, as over a swap
	file *boltFile
}

// swap makes file the one that is in use. No read of the old one is under way when it returns. The
// caller holds commits.writing.
func (l *liveBolt) swap(file *boltFile) (old *boltFile) {
	l.mu.Lock()
	defer l.mu.Unlock()
	old, l.file = l.file, file
	return old
}

func (l *liveBolt) Close() error { return l.file.Close() }

// size is that of the file in use. The caller holds commits.writing.
func (l *liveBolt) size() int64 { return l.file.size() }

func (l *liveBolt) FirstIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.file.FirstIndex()
}

func (l *liveBolt) LastIndex() (uint64, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.file.LastIndex()
}

func (l *liveBolt) GetLog(index uint64, entry *raft.Log) error {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.file.GetLog(index, entry)
}

func (l *liveBolt) Get(key []byte) ([]byte, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.file.Get(key)
}

func (l *liveBolt) StoreLogs(entries []*raft.Log) error { return l.file.StoreLogs(entries) }

func (l *liveBolt) DeleteRange(low, high uint64) error { return l.file.DeleteRange(low, high) }

func (l *liveBolt) Set(key, value []byte) error { return l.file.Set(key, value) }
