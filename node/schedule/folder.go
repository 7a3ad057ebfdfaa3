package schedule

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// A Folder is a store in a folder, which has to be there: one that is made where nothing is mounted
// fills another disk.
type Folder string

// Kind is "folder".
func (d Folder) Kind() string { return "folder" }

func (d Folder) String() string { return string(d) }

// Path is where a snapshot lies.
func (d Folder) Path(name Name) string { return filepath.Join(string(d), name.String()) }

// List reads the folder, and no file in it.
func (d Folder) List(ctx context.Context) (kept []Kept, err error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		name, ours := ParseName(e.Name())
		if !ours || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		kept = append(kept, Kept{name, info.Size()})
	}
	return kept, ctx.Err()
}

// parts are the names of files that are being written for a cluster, or were when their writer was
// killed. No snapshot has such a name.
func parts(cluster string) string { return "." + prefix + cluster + "-part-" }

// Put writes beside the name, syncs, checks, and gives the file its name, unless that is taken.
func (d Folder) Put(ctx context.Context, name Name, write func(io.Writer) error,
	check func(io.Reader) error) (bytes int64, err error) {
	if err := d.tidy(name.Cluster); err != nil {
		return 0, err
	}
	f, err := os.CreateTemp(string(d), parts(name.Cluster)+"*") // mode 0600
	if err != nil {
		return 0, err
	}
	defer func() {
		f.Close()
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_ = lock(f) // where no file can be locked, nobody removes what can't be locked either
	if err := write(whileAllowed{ctx, f}); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	if bytes, err = readBack(ctx, f, check); err != nil {
		return 0, err
	}
	return bytes, d.give(f.Name(), d.Path(name))
}

// readBack has the file checked from its beginning, and says how long it is.
func readBack(ctx context.Context, f *os.File,
	check func(io.Reader) error) (bytes int64, err error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	if err := check(stillAllowed{ctx, f}); err != nil {
		return 0, fmt.Errorf("what was written reads back otherwise: %w", err)
	}
	return f.Seek(0, io.SeekEnd)
}

// give gives a file its name, for good.
func (d Folder) give(part, name string) error {
	err := os.Link(part, name)
	if errors.Is(err, fs.ErrExist) {
		return ErrThere
	}
	if err != nil {
		err = move(part, name)
	}
	return errors.Join(err, d.sync())
}

// move is what there is on a file system without links. Two that lead for a moment could both get
// here; then the later one stays.
func move(part, name string) error {
	if _, err := os.Lstat(name); err == nil {
		return ErrThere
	}
	return os.Rename(part, name)
}

// sync makes names durable: else a power cut takes the new one, when an old one is removed already.
func (d Folder) sync() error {
	dir, err := os.Open(string(d))
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}

// tidy removes what killed writers left. Who still writes has the lock of its file.
func (d Folder) tidy(cluster string) error {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), parts(cluster)) || !e.Type().IsRegular() {
			continue
		}
		path := filepath.Join(string(d), e.Name())
		f, err := os.OpenFile(path, os.O_RDWR, 0) // NFS locks nothing that can't be written
		if err != nil {
			continue // it is gone, or somebody else's
		}
		if lock(f) == nil {
			_ = os.Remove(path) // if not, the next call tries
		}
		f.Close()
	}
	return nil
}

func lock(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) }

// Get copies the file.
func (d Folder) Get(ctx context.Context, name Name, w io.Writer) error {
	f, err := os.Open(d.Path(name))
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(whileAllowed{ctx, w}, f)
	return err
}

// Remove removes the file.
func (d Folder) Remove(_ context.Context, name Name) error {
	if err := os.Remove(d.Path(name)); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// whileAllowed writes as long as its context lasts.
type whileAllowed struct {
	ctx context.Context
	w   io.Writer
}

func (w whileAllowed) Write(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(b)
}

// stillAllowed reads as long as its context lasts.
type stillAllowed struct {
	ctx context.Context
	r   io.Reader
}

func (r stillAllowed) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(b)
}
