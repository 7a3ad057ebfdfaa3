package audit

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// A file is the log's file, and what must stay true of it while it is in use: it has a name, it
// stands under the name that it was opened by, and nothing that was written to it is gone. Whoever
// rotates the log renames it and sends SIGHUP at once.
type file struct {
	*os.File
	path    string
	regular bool  // else it is a pipe or a device, which keeps nothing
	size    int64 // bytes that it has at least: what it was opened with, and what was written since
	moved   bool  // at the last look something else stood at path, or nothing
	lost    error // why nothing is written any more, until the log is opened anew
	fd      int
	stat    syscall.Stat_t // each line's look at the file makes no garbage
}

// openFile opens the log file for appending and says whether it ends where a line ends: a process
// that was killed, or a disk that was full, may have left half a line.
func openFile(path string) (f *file, atLineStart bool, err error) {
	// O_RDWR to read the last byte; O_NOFOLLOW so that nobody turns the log into a way to append to
	// another file.
	const how = os.O_RDWR | os.O_APPEND | os.O_CREATE | syscall.O_NOFOLLOW
	opened, err := os.OpenFile(path, how, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("audit: opening the usage log: %w", err)
	}
	f = &file{File: opened, path: path}
	if atLineStart, err = f.begin(); err != nil {
		opened.Close()
		return nil, false, fmt.Errorf("audit: reading the end of the usage log: %w", err)
	}
	return f, atLineStart, nil
}

// begin takes the file as it is. It says whether it ends with a newline: an empty one does, and
// what is not a regular file.
func (f *file) begin() (atLineStart bool, err error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return true, err
	}
	f.regular, f.size, f.fd = true, info.Size(), int(f.Fd())
	if f.size == 0 {
		return true, nil
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], f.size-1); err != nil {
		return false, err
	}
	return last[0] == '\n', nil
}

// Write takes lines only while they are kept: bytes in a deleted file are nobody's record.
func (f *file) Write(lines []byte) (int, error) {
	if f.lost != nil {
		return 0, f.lost
	}
	n, err := f.File.Write(lines)
	f.size += int64(n)
	if err == nil {
		err = f.whole()
	}
	return n, err
}

// Sync is for what keeps anything: fsync of a pipe is an error.
func (f *file) Sync() error {
	if !f.regular {
		return nil
	}
	return f.File.Sync()
}

// whole notices that the open file was deleted, or cut.
func (f *file) whole() error {
	if !f.regular {
		return nil
	}
	switch err := syscall.Fstat(f.fd, &f.stat); {
	case err != nil:
		return fmt.Errorf("fstat %s: %w", f.path, err)
	case f.stat.Nlink == 0:
		return f.lose("was deleted")
	case f.stat.Size < f.size:
		return f.lose("was cut")
	}
	return nil
}

// look notices as well that the file was renamed, or that another was put in its place. Whoever
// rotates the log has from one look to the next for the signal.
func (f *file) look() error {
	if f.lost != nil {
		return f.lost
	}
	if err := f.whole(); err != nil || !f.regular {
		return err
	}
	own, err := f.Stat()
	if err != nil {
		return err
	}
	there, err := os.Lstat(f.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	moved := err != nil || !os.SameFile(there, own)
	if moved && f.moved {
		return f.lose("was renamed or replaced, and no SIGHUP came after it")
	}
	f.moved = moved
	return nil
}

func (f *file) lose(what string) error {
	f.lost = fmt.Errorf("%s %s; what can't be recorded is not served: find out what happened to the "+
		"file, then send this process SIGHUP, so that it opens it anew", f.path, what)
	return f.lost
}
