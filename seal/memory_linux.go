package seal

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Harden switches core dumps off and makes the process non-dumpable, so that no other process of
// the same user can read its memory and no crash leaves it on disk. Call it once at start, before
// the first key; children that the program starts inherit the limit but not the flag.
func Harden() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("seal: switch core dumps off: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("seal: make the process non-dumpable: %w", err)
	}
	return nil
}
