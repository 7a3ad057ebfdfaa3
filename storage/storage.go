// Package storage is what is on disk: Raft log and stable store, snapshots, and the manifest that
// names format and cluster.
//
// It owns the member's folder and is alone in it, by a lock. It promises that what was stored is on
// disk before the call returns; that the first write or fsync that fails ends all writing (Failed),
// because a disk that was asked twice may lie; that a folder with a foreign, newer, locked or
// damaged file is refused with a sentence naming the file, before Raft sees it; and that a damaged
// log entry, vote or snapshot is never handed out. It never knows what the bytes mean: it imports
// neither fsm nor seal, and everything it is given is ciphertext already.
//
// docs/formats-storage.md has every byte and what a crash leaves; DESIGN.md says why it is built
// so.
package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/internal/latch"
)

// The names in a member's folder.
const (
	manifestName  = "manifest.json"
	boltName      = "raft.db"
	snapshotsName = "snapshots"
)

// A Store is an open member's folder. Its methods may be called from any goroutine.
type Store struct {
	dir       string
	manifest  Manifest
	logs      *logs
	stable    stable
	snapshots *snapshots
	commits   *commits
	close     func() error

	scrubbing latch.Latch   // held by Scrub, and while the folder is closed
	closing   chan struct{} // closed by Close: ends a Scrub
	scrubbed  atomic.Uint64 // what scrubbed.json says
}

// Create makes dir (which must not exist) with an empty store. For init and join, in a temporary
// name that RenameDir puts into place when the rest is there: a crash in Create leaves a folder
// that Open refuses. m.Format is set here.
func Create(dir string, m Manifest) (*Store, error) {
	m.Format = manifestFormat
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("storage: creating %s: %w", dir, err)
	}
	var d disk
	if err := d.mkdir(dir); err != nil {
		return nil, fmt.Errorf("storage: creating a member's folder: %w", err)
	}
	if err := d.makeMember(dir, m); err != nil {
		_ = os.RemoveAll(dir)
		return nil, fmt.Errorf("storage: creating %s: %w", dir, err)
	}
	return Open(dir)
}

// makeMember fills a new folder. The manifest comes last: a folder that has one is whole.
func (d disk) makeMember(dir string, m Manifest) error {
	if err := d.mkdir(filepath.Join(dir, snapshotsName)); err != nil {
		return err
	}
	db, err := openBolt(filepath.Join(dir, boltName))
	if err != nil {
		return err
	}
	if err := db.Close(); err != nil {
		return err
	}
	if err := d.writeFile(filepath.Join(dir, manifestName), m.encode()); err != nil { // syncs dir too
		return err
	}
	return d.syncDir(filepath.Dir(dir))
}

// Open opens an existing folder; errors name the file and what is wrong (foreign, newer format,
// locked, damaged log or newest snapshot). It reads the newest snapshot and the log behind it once,
// to be sure of them before Raft builds on them: Raft itself falls back to an older snapshot
// without a word and panics at a gap. It removes what a crash left half made.
func Open(dir string) (*Store, error) { return disk{}.open(dir) }

func (d disk) open(dir string) (*Store, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	if err := checkPresent(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, boltName)
	if err := checkBolt(path); err != nil {
		return nil, err
	}
	db, err := openBolt(path)
	if err != nil {
		return nil, err
	}
	s := assemble(dir, m, db)
	s.snapshots.disk = d
	if err := guard(s.checkContents); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// checkPresent keeps bolt from making a new, empty log in place of a lost one: a node that forgot
// its votes is dangerous.
func checkPresent(dir string) error {
	for _, name := range []string{boltName, snapshotsName} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("storage: %s is missing, though %s is there: part of the folder was lost",
				path, manifestName)
		} else if err != nil {
			return fmt.Errorf("storage: %w", err)
		}
	}
	return nil
}

func assemble(dir string, m Manifest, file *boltFile) *Store {
	db := &liveBolt{path: file.name, file: file}
	c := newCommits(db)
	l := &logs{db: db, commits: c}
	s := &Store{
		dir:      dir,
		manifest: m,
		logs:     l,
		stable:   stable{db: db, commits: c},
		snapshots: &snapshots{
			dir:     filepath.Join(dir, snapshotsName),
			placing: latch.New(),
			writers: map[*snapshotWriter]bool{},
			placed: func(index, term uint64) error {
				c.snapshotFinished(index)
				return l.yieldTo(index, term)
			},
		},
		commits:   c,
		scrubbing: latch.New(),
		closing:   make(chan struct{}),
	}
	s.close = sync.OnceValue(func() error {
		close(s.closing)
		s.scrubbing.Lock() // whoever scrubs must not rename in a folder that is unlocked
		defer s.scrubbing.Unlock()
		return db.Close()
	})
	return s
}

// checkContents needs the lock that the open bolt file holds: it removes temporary names, and what
// the last process left in the log below a snapshot that it had just been sent.
func (s *Store) checkContents() error {
	if err := s.settle(); err != nil {
		return err
	}
	if err := removeTemporary(s.dir); err != nil {
		return err
	}
	if err := removeTemporary(s.snapshots.dir); err != nil {
		return err
	}
	if err := s.readScrubbed(); err != nil {
		return err
	}
	if err := s.snapshots.verifyNewest(); err != nil {
		return err
	}
	path := filepath.Join(s.dir, boltName)
	index, term := s.NewestSnapshot()
	if err := s.logs.verify(index, path); err != nil {
		return err
	}
	if err := s.logs.yieldTo(index, term); err != nil {
		return fmt.Errorf("storage: %s can't be used: %w", path, err)
	}
	return nil
}

// settle makes durable the names that the last process gave and was killed before it synced. Raft
// builds on what it is shown: if the name of a snapshot went with the power after entries behind it
// were stored, the log would have a gap. (What was left of raft.db is synced by the transaction
// that openBolt makes, before anything is shown.)
func (s *Store) settle() error {
	for _, dir := range []string{filepath.Dir(s.dir), s.dir, s.snapshots.dir} {
		if err := s.snapshots.disk.syncDir(dir); err != nil {
			return fmt.Errorf("storage: %w", err)
		}
	}
	return nil
}

// Manifest returns what the folder's manifest says.
func (s *Store) Manifest() Manifest { return s.manifest }

// Logs is Raft's log. A snapshot of an entry that it does not hold takes its entries up to there
// along. It is not a raft.MonotonicLogStore, for which Raft would do that and forget entries behind
// the snapshot too. It keeps the newest small entries in memory, so no raft.LogCache belongs on
// top.
func (s *Store) Logs() raft.LogStore { return s.logs }

// Stable is Raft's stable store: its term and its vote.
func (s *Store) Stable() raft.StableStore { return s.stable }

// Snapshots keeps the two newest. A snapshot that can't be written, or that ends before the newest
// in place, is removed and reported by its sink, and poisons nothing.
func (s *Store) Snapshots() raft.SnapshotStore { return s.snapshots }

// NewestSnapshot returns index and term of the last entry in the newest snapshot, zeros without
// one. It answers from memory.
func (s *Store) NewestSnapshot() (index, term uint64) {
	if newest := s.snapshots.newest.Load(); newest != nil {
		return newest.index, newest.term
	}
	return 0, 0
}

// Failed is closed at the first failed write or fsync of log or stable store; Err then says which.
// Everything later fails too, but for reads of entries that were safely stored: without those Raft
// would panic before the node could say why it stops. Whoever sees Failed closed must acknowledge
// nothing more and end the process; the next one reads what is true.
func (s *Store) Failed() <-chan struct{} { return s.commits.failed }

// Err is nil until Failed is closed.
func (s *Store) Err() error { return s.commits.err() }

// Stats are counters since Open.
type Stats struct {
	LogBytesSinceSnapshot int64         // size of the log behind the newest snapshot, to within 64 KiB; survives a restart
	Syncs                 int64         // fdatasyncs (and fsyncs, when the file grew) by commits of log and stable store
	SlowestSync           time.Duration // the slowest commit: its page work, its two fdatasyncs and a growing of the file
}

// Stats never waits for the disk.
func (s *Store) Stats() Stats { return s.commits.stats() }

// Waiting is for how long a commit to log or stable store has been under way by now, 0 where none
// is: a disk that hangs shows in it. It never waits for the disk.
func (s *Store) Waiting() time.Duration { return s.commits.waiting() }

// Gate has f asked before each step at the disk, by its name and the file: commit, committed
// (afterwards), and for snapshots and Scrub mkdir, create, write, sync, syncdir, rename, remove. A
// step that f refuses fails with its error. f may wait, but not at committed. It is for clusters
// that are broken on purpose, and must be set before the store is used.
func (s *Store) Gate(f func(op, path string) error) {
	s.commits.gate, s.snapshots.disk.step = f, f
}

// Vet has check asked about each snapshot that somebody else wrote, when it is whole on disk and
// before it is put into place: before the log yields to it, and before older ones go. One that
// check refuses is removed, its sink's Close returns the error, and nothing else has changed. state
// is what was written, against its checksum; check need not read it to its end, and may take its
// time. The sink of Snapshots().Create has a method Own(), which says that this node's own state
// machine writes: then check is not asked. Vet must be called before the store is used; without it
// nobody is asked.
func (s *Store) Vet(check func(meta raft.SnapshotMeta, state io.Reader) error) {
	s.snapshots.vet = check
}

// Aside opens a file in this folder for what is wanted for a moment and need not last, as a
// snapshot on its way in. It has no name: when it is closed it is gone, and so it is after a crash.
func (s *Store) Aside() (*os.File, error) {
	f, err := os.CreateTemp(s.snapshots.dir, "aside-*"+temporary) // a name that goes at the next start
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.Close()
		return nil, err
	}
	return f, nil
}

// Close unlocks the folder. Raft must have been shut down. Later writes fail without poisoning. A
// Scrub that is under way ends with an error first.
func (s *Store) Close() error { return s.close() }
