package storage

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
)

const (
	stateName   = "state"
	stateBuffer = 256 << 10
)

var errEnded = errors.New("storage: the snapshot was ended already")

// A snapshotWriter implements raft.SnapshotSink. Raft calls it from one goroutine.
type snapshotWriter struct {
	store    *snapshots
	manifest snapshotManifest
	path     string // the temporary folder
	file     *os.File
	buffer   *bufio.Writer
	hash     hash.Hash
	own      bool
	ended    bool
	err      error // how it ended
}

func newSnapshotWriter(s *snapshots, m snapshotManifest) (*snapshotWriter, error) {
	w := &snapshotWriter{store: s, manifest: m, path: filepath.Join(s.dir, m.ID+temporary),
		hash: sha256.New()}
	if err := s.disk.mkdir(w.path); err != nil {
		return nil, err
	}
	f, err := s.disk.create(filepath.Join(w.path, stateName))
	if err != nil {
		return nil, errors.Join(err, s.disk.removeAll(w.path))
	}
	w.file = f
	w.buffer = bufio.NewWriterSize(writerFunc(w.writeThrough), stateBuffer)
	return w, nil
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// writeThrough takes full buffers.
func (w *snapshotWriter) writeThrough(b []byte) (int, error) {
	n, err := w.store.disk.write(w.file, b)
	w.hash.Write(b[:n])
	w.manifest.Size += int64(n)
	return n, err
}

// ID names the snapshot, for Open, once Close returned nil.
func (w *snapshotWriter) ID() string { return w.manifest.ID }

// Own says that this node's own state machine writes the snapshot. Whoever does not say so writes
// somebody else's (Store.Vet).
func (w *snapshotWriter) Own() { w.own = true }

// Write appends to the state. An error stays: later writes and Close return it too.
func (w *snapshotWriter) Write(b []byte) (int, error) {
	if w.ended {
		return 0, errEnded
	}
	return w.buffer.Write(b)
}

// Close makes the snapshot durable and puts it into place. When it can't, the snapshot is removed
// and the error says why.
func (w *snapshotWriter) Close() error {
	if w.ended {
		return w.err
	}
	w.ended = true
	defer w.store.ended(w)
	err := w.complete()
	if err == nil {
		err = w.vet()
	}
	if err != nil {
		err = errors.Join(err, w.store.disk.removeAll(w.path))
	} else {
		err = w.store.place(w.manifest)
	}
	if err != nil {
		w.err = fmt.Errorf("storage: writing snapshot %s: %w", w.manifest.ID, err)
	}
	return w.err
}

// complete: state, manifest; then their folder and the name (place). Each is on disk before the
// next begins, so what has the final name is whole.
func (w *snapshotWriter) complete() error {
	if err := w.buffer.Flush(); err != nil {
		return errors.Join(err, w.file.Close())
	}
	if err := w.store.disk.finish(w.file); err != nil {
		return err
	}
	w.manifest.SHA256 = hex.EncodeToString(w.hash.Sum(nil))
	return w.store.disk.newFile(filepath.Join(w.path, manifestName), encodeDocument(&w.manifest))
}

// vet asks about a snapshot of somebody else's, as it is on disk. It holds nobody up but who writes
// it: a newer one may be put into place meanwhile.
func (w *snapshotWriter) vet() error {
	if w.own || w.store.vet == nil {
		return nil
	}
	r, err := openState(filepath.Join(w.path, stateName), w.manifest)
	if err != nil {
		return err
	}
	return errors.Join(w.store.vet(*w.manifest.meta(), r), r.Close())
}

// Cancel removes the snapshot.
func (w *snapshotWriter) Cancel() error {
	if w.ended {
		return nil
	}
	w.ended = true
	defer w.store.ended(w)
	w.err = errEnded
	return errors.Join(w.file.Close(), w.store.disk.removeAll(w.path))
}

// A stateReader hands out a snapshot's state and keeps its last bytes back until the checksum was
// right: also a reader that counts bytes and never asks for the end can't take a damaged state for
// a whole one.
type stateReader struct {
	path string
	file *os.File
	from io.Reader
	hash hash.Hash
	want string
	left int64
	err  error // once set, every Read returns it
}

func openState(path string, m snapshotManifest) (*stateReader, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	info, err := f.Stat()
	if err == nil && info.Size() != m.Size {
		err = fmt.Errorf("%s is damaged: it is %d bytes long, and its manifest says %d", path,
			info.Size(), m.Size)
	}
	if err != nil {
		f.Close()
		return nil, fmt.Errorf("storage: %w", err)
	}
	return &stateReader{
		path: path, file: f, from: bufio.NewReaderSize(f, stateBuffer), hash: sha256.New(),
		want: m.SHA256, left: m.Size,
	}, nil
}

func (r *stateReader) Read(b []byte) (int, error) {
	if r.left == 0 && r.err == nil {
		r.err = r.end()
	}
	if r.err != nil || len(b) == 0 {
		return 0, r.err
	}
	n, err := r.from.Read(b[:min(int64(len(b)), r.left)])
	r.hash.Write(b[:n])
	r.left -= int64(n)
	switch {
	case err != nil:
		r.err = fmt.Errorf("storage: reading %s, %d bytes before its end: %w", r.path, r.left, noEOF(err))
	case r.left == 0:
		if r.err = r.end(); !errors.Is(r.err, io.EOF) {
			clear(b[:n])
			return 0, r.err
		}
	}
	return n, nil
}

// end is io.EOF for a state that is what was written.
func (r *stateReader) end() error {
	if hex.EncodeToString(r.hash.Sum(nil)) != r.want {
		return fmt.Errorf("storage: %s is %w", r.path, errDamaged)
	}
	return io.EOF
}

// noEOF keeps a file that ends early from looking like one that ends.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *stateReader) Close() error { return r.file.Close() }
