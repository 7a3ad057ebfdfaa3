package dev

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// memoryPlaces are where clusters that keep nothing may have their folders, the best first.
func memoryPlaces() (places []string) {
	for _, place := range []string{os.Getenv("XDG_RUNTIME_DIR"), "/dev/shm"} {
		var s unix.Statfs_t
		if place != "" && unix.Statfs(place, &s) == nil && s.Type == unix.TMPFS_MAGIC {
			places = append(places, place)
		}
	}
	return append(places, os.TempDir())
}

// takeMemory makes a folder for one cluster and locks it. What killed processes have left there is
// removed first. release removes the folder.
func takeMemory() (folder Folder, release func(), err error) {
	var refused []error
	for _, place := range memoryPlaces() {
		if folder, release, err = takeIn(place); err == nil {
			return folder, release, nil
		}
		refused = append(refused, err)
	}
	return "", nil, fmt.Errorf("a folder for the cluster: %w", errors.Join(refused...))
}

// takeIn keeps all of a user's folders in one that is theirs alone, and goes with the last of them.
// Whoever makes or sweeps holds its lock, so that no sweep meets a folder that has no lock yet.
func takeIn(place string) (folder Folder, release func(), err error) {
	home := filepath.Join(place, "keyquorum-dev-"+strconv.Itoa(os.Getuid()))
	for range 10 {
		folder, release, err = makeIn(home)
		if !errors.Is(err, os.ErrNotExist) { // else it went while we were about to use it
			break
		}
	}
	return folder, release, err
}

func makeIn(home string) (folder Folder, release func(), err error) {
	if err := ownDirectory(home); err != nil {
		return "", nil, err
	}
	guard, err := os.Open(home)
	if err != nil {
		return "", nil, err
	}
	defer guard.Close()
	if err := unix.Flock(int(guard.Fd()), unix.LOCK_EX); err != nil {
		return "", nil, err
	}
	sweep(home)
	dir, err := os.MkdirTemp(home, memoryPrefix)
	if err != nil {
		return "", nil, err
	}
	folder = Folder(dir)
	lock, err := folder.lock()
	if err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	return folder, func() {
		os.RemoveAll(dir)
		os.Remove(home) // unless it holds others
		lock.Close()
	}, nil
}

const memoryPrefix = "memory-"

// ownDirectory makes a folder that nobody else can enter, or finds that it is one: in a place where
// everybody may write somebody could have been faster.
func ownDirectory(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	owner, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || info.Mode().Perm() != 0o700 || !ok || int(owner.Uid) != os.Getuid() {
		return fmt.Errorf("%s is not a folder of yours alone (0700)", dir)
	}
	return nil
}

// sweep removes the folders whose owner runs no more.
func sweep(home string) {
	entries, err := os.ReadDir(home)
	if err != nil {
		return
	}
	for _, e := range entries {
		folder := Folder(filepath.Join(home, e.Name()))
		if !strings.HasPrefix(e.Name(), memoryPrefix) {
			continue
		}
		if lock, err := folder.lock(); err == nil {
			os.RemoveAll(string(folder))
			lock.Close()
		}
	}
}
