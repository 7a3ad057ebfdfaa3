package storage

// A Backend is the seam under log and stable store.
type Backend = backend

// Break puts what wrap returns between the store and bolt.
func (s *Store) Break(wrap func(Backend) Backend) {
	b := wrap(s.logs.db)
	s.logs.db, s.stable.db = b, b
}

// OnSnapshotStep has step asked before each step of the file layer under the snapshots.
func (s *Store) OnSnapshotStep(step func(op, path string) error) { s.snapshots.disk.step = step }

// WriteFileStepwise is WriteFile with step asked before each step.
func WriteFileStepwise(path string, b []byte, step func(op, path string) error) error {
	return disk{step}.writeFile(path, b)
}

// CreateStepwise makes a member's folder with step asked before each step.
func CreateStepwise(dir string, m Manifest, step func(op, path string) error) error {
	m.Format = manifestFormat
	d := disk{step}
	if err := d.mkdir(dir); err != nil {
		return err
	}
	return d.makeMember(dir, m)
}

// RenameDirStepwise is RenameDir with step asked before each step.
func RenameDirStepwise(oldpath, newpath string, step func(op, path string) error) error {
	return disk{step}.renameDir(oldpath, newpath)
}

// OpenStepwise is Open with step asked before each step of the file layer, then and later.
func OpenStepwise(dir string, step func(op, path string) error) (*Store, error) {
	return disk{step}.open(dir)
}

// RecodeManifest and RecodeSnapshotManifest decode and encode again.
func RecodeManifest(b []byte) ([]byte, error) {
	m, err := decodeManifest(b)
	return m.encode(), err
}

func RecodeSnapshotManifest(b []byte) ([]byte, error) {
	m, err := decodeSnapshotManifest(b)
	return encodeDocument(&m), err
}

func RecodeScrubbed(b []byte) ([]byte, error) {
	index, err := decodeScrubbed(b)
	return encodeDocument(&scrubbedFile{Format: scrubbedFormat, Index: index}), err
}

// Closing is closed when Close has begun.
func (s *Store) Closing() <-chan struct{} { return s.closing }

// OpenBolt opens raft.db as Open does, without a look at its pages first.
func OpenBolt(path string) error {
	db, err := openBolt(path)
	if err == nil {
		err = db.Close()
	}
	return err
}
