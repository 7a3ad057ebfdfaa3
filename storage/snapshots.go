package storage

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/internal/latch"
)

// keptSnapshots is how many stay: the newest, and the one before it for whoever is still reading
// it.
const keptSnapshots = 2

// A snapshots implements raft.SnapshotStore: one folder a snapshot, which appears whole or not at
// all.
type snapshots struct {
	dir    string
	disk   disk
	placed func(index, term uint64) error // called when a snapshot that ends with this entry is safely in place

	vet func(meta raft.SnapshotMeta, state io.Reader) error // see Store.Vet

	newest atomic.Pointer[snapshotName] // in place; nil for none

	// placing is held while a name is chosen, and while a snapshot is put into place and old ones
	// are removed.
	placing latch.Latch
	writers map[*snapshotWriter]bool // those that have not ended; under placing
}

// Create begins a snapshot under a temporary name.
func (s *snapshots) Create(version raft.SnapshotVersion, index, term uint64,
	configuration raft.Configuration,
	configurationIndex uint64, _ raft.Transport) (raft.SnapshotSink, error) {
	if version != raft.SnapshotVersionMax {
		return nil, fmt.Errorf("storage: Raft's snapshot version %d is not known", version)
	}
	servers, err := toServers(configuration)
	if err != nil {
		return nil, fmt.Errorf("storage: creating a snapshot: %w", err)
	}
	m := snapshotManifest{
		Format: snapshotFormat, Raft: int(version), Index: index, Term: term,
		ConfigurationIndex: configurationIndex, Servers: servers,
	}
	w, err := s.begin(m)
	if err != nil {
		return nil, fmt.Errorf("storage: creating a snapshot: %w", err)
	}
	return w, nil
}

func (s *snapshots) begin(m snapshotManifest) (*snapshotWriter, error) {
	s.placing.Lock()
	defer s.placing.Unlock()
	name := snapshotName{term: m.Term, index: m.Index, ms: max(time.Now().UnixMilli(), 0)}
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	for _, other := range names { // the newest of its index must sort as such, whatever the clock says: an older one may be removed
		if other.term == name.term && other.index == name.index {
			name.ms = max(name.ms, other.ms+1)
		}
	}
	for s.taken(name.String() + temporary) {
		name.ms++
	}
	m.ID = name.String()
	w, err := newSnapshotWriter(s, m)
	if err == nil {
		s.writers[w] = true
	}
	return w, err
}

// ended says that a writer has left nothing that is not in place.
func (s *snapshots) ended(w *snapshotWriter) {
	s.placing.Lock()
	defer s.placing.Unlock()
	delete(s.writers, w)
}

func (s *snapshots) taken(name string) bool {
	_, err := os.Lstat(filepath.Join(s.dir, name))
	return !errors.Is(err, fs.ErrNotExist)
}

// place makes a written temporary folder the snapshot that m describes, and removes what is too
// old. What can't be placed is removed. What is in place stays, also when the log can't yield to
// it: then nothing more is written, and the next start sees to it.
func (s *snapshots) place(m snapshotManifest) error {
	s.placing.Lock()
	defer s.placing.Unlock()
	if err := s.notOlder(m.Index, m.Term); err != nil {
		return errors.Join(err, s.remove(m.ID))
	}
	final := filepath.Join(s.dir, m.ID)
	if err := s.disk.placeDir(final+temporary, final); err != nil {
		return errors.Join(err, s.remove(m.ID))
	}
	s.note(m.ID)
	if err := s.placed(m.Index, m.Term); err != nil {
		return err
	}
	s.removeOld()
	return nil
}

// notOlder refuses a snapshot that the newest in place has overtaken: one that this node was slow
// to take, while a leader sent it a newer one. Raft would take the one that is placed last for its
// newest, and as leader send the other, which it finds in the list, again and again
// (hashicorp/raft#248). The state in it is of no use to anybody.
func (s *snapshots) notOlder(index, term uint64) error {
	newest := s.newest.Load()
	if newest == nil || index >= newest.index && term >= newest.term {
		return nil
	}
	return fmt.Errorf("it ends with entry %d of term %d, and a newer one is in place, %s",
		index, term, newest)
}

// note keeps the name of the newest snapshot in place.
func (s *snapshots) note(id string) {
	name, ok := parseSnapshotName(id)
	if newest := s.newest.Load(); ok && (newest == nil || newest.compare(name) < 0) {
		s.newest.Store(&name)
	}
}

// removeOld is best effort: the new snapshot is good whether or not an old one could be removed,
// and the next one tries again.
func (s *snapshots) removeOld() {
	names, err := s.names()
	if err != nil {
		return
	}
	for _, name := range names[min(keptSnapshots, len(names)):] {
		_ = s.remove(name.String())
	}
}

// keepNewest removes every snapshot but the newest, and what was left of others, durably. One that
// is being written may stay if it will be newer. Whoever reads an older one reads on: its bytes are
// on the disk for so long, without a name.
func (s *snapshots) keepNewest() error {
	s.placing.Lock()
	defer s.placing.Unlock()
	beingWritten := map[string]bool{}
	for w := range s.writers {
		if err := s.notOlder(w.manifest.Index, w.manifest.Term); err != nil {
			return fmt.Errorf("snapshot %s is still being written: %w", w.manifest.ID, err)
		}
		beingWritten[filepath.Base(w.path)] = true
	}
	names, err := s.names()
	if err != nil {
		return err
	}
	for _, name := range names[min(1, len(names)):] {
		if err := s.remove(name.String()); err != nil {
			return err
		}
	}
	if err := s.removeLeft(beingWritten); err != nil {
		return err
	}
	return s.disk.syncDir(s.dir)
}

// removeLeft removes temporary folders but for those of writers.
func (s *snapshots) removeLeft(beingWritten map[string]bool) error {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), temporary) || beingWritten[e.Name()] {
			continue
		}
		if err := s.disk.removeAll(filepath.Join(s.dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// remove takes the name away, if it was given, and only when that is on disk the files: a crash
// leaves no snapshot without its state. What can't be removed is temporary, and goes at the next
// start.
func (s *snapshots) remove(id string) error {
	path := filepath.Join(s.dir, id)
	if s.taken(id) {
		if err := s.disk.rename(path, path+temporary); err != nil {
			return err
		}
		if err := s.disk.syncDir(s.dir); err != nil {
			return err
		}
	}
	return s.disk.removeAll(path + temporary)
}

// names lists the snapshots in place, newest first. Other names are not ours and are left alone.
func (s *snapshots) names() ([]snapshotName, error) {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return nil, fmt.Errorf("storage: listing snapshots: %w", err)
	}
	var names []snapshotName
	for _, e := range entries {
		if name, ok := parseSnapshotName(e.Name()); ok && e.IsDir() {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b snapshotName) int { return b.compare(a) })
	return names, nil
}

// List returns the snapshots, newest first. The newest must be whole; an older one whose manifest
// is damaged is left out.
func (s *snapshots) List() ([]*raft.SnapshotMeta, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	var metas []*raft.SnapshotMeta
	for i, name := range names[:min(keptSnapshots, len(names))] {
		m, err := s.readManifest(name)
		if err != nil && i == 0 {
			return nil, err
		}
		if err == nil {
			metas = append(metas, m.meta())
		}
	}
	return metas, nil
}

// Open returns a snapshot's description and its state. Reading the state fails, before its last
// byte is handed out, when it isn't what was written.
func (s *snapshots) Open(id string) (*raft.SnapshotMeta, io.ReadCloser, error) {
	name, ok := parseSnapshotName(id)
	if !ok {
		return nil, nil, fmt.Errorf("storage: %.80q is no name of a snapshot", id)
	}
	m, err := s.readManifest(name)
	if err != nil {
		return nil, nil, err
	}
	r, err := openState(filepath.Join(s.dir, id, stateName), m)
	if err != nil {
		return nil, nil, err
	}
	return m.meta(), r, nil
}

func (s *snapshots) readManifest(name snapshotName) (snapshotManifest, error) {
	path := filepath.Join(s.dir, name.String(), manifestName)
	b, err := ReadFile(path)
	if err != nil {
		return snapshotManifest{}, err
	}
	m, err := decodeSnapshotManifest(b)
	if err != nil {
		return snapshotManifest{}, fmt.Errorf("storage: %s is %w", path, err)
	}
	if m.ID != name.String() {
		return snapshotManifest{}, fmt.Errorf("storage: %s is of another snapshot, %s", path, m.ID)
	}
	return m, nil
}

// verifyNewest reads the newest snapshot through, if there is one, and keeps its name.
func (s *snapshots) verifyNewest() error {
	names, err := s.names()
	if err != nil || len(names) == 0 {
		return err
	}
	meta, r, err := s.Open(names[0].String())
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return err
	}
	s.note(meta.ID)
	return nil
}
