package audit

import (
	"fmt"
	"os"
	"syscall"
)

// openFile opens the log file for appending and says whether it ends where a line ends: a process that was killed, or
// a disk that was full, may have left half a line.
func openFile(path string) (f *os.File, atLineStart bool, err error) {
	// O_RDWR to read the last byte; O_NOFOLLOW so that nobody turns the log into a way to append to another file.
	f, err = os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, false, fmt.Errorf("audit: opening the usage log: %w", err)
	}
	atLineStart, err = endsWithNewline(f)
	if err != nil {
		f.Close()
		return nil, false, fmt.Errorf("audit: reading the end of the usage log: %w", err)
	}
	return f, atLineStart, nil
}

// endsWithNewline is true for an empty file, and for what is not a regular file (a pipe, /dev/stdout).
func endsWithNewline(f *os.File) (bool, error) {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return true, err
	}
	var last [1]byte
	if _, err := f.ReadAt(last[:], info.Size()-1); err != nil {
		return false, err
	}
	return last[0] == '\n', nil
}
