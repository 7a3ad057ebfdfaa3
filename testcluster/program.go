package testcluster

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	"keyquorum/internal/overlay"
	"keyquorum/internal/powercut"
)

// Binary builds the program as the Makefile does, once, and returns its path, which is good for as
// long as this process lives. The next that builds one removes it.
var Binary = sync.OnceValues(func() (string, error) {
	if os.Getenv(overlay.Everywhere) == "" {
		return build()
	}
	return buildEdited(nil)
})

// BreakableBinary builds the program with hooks for faults, once.
var BreakableBinary = sync.OnceValues(func() (string,
	error) {
	return buildEdited(append(powercut.Hooks(), breakable...))
})

func buildEdited(edits []overlay.Edit) (string, error) {
	dir, err := os.MkdirTemp("", "keyquorum-overlay-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	path, err := overlay.Write(dir, edits)
	if err != nil {
		return "", err
	}
	return build("-trimpath", "-overlay", path)
}

func build(flags ...string) (string, error) {
	_, here, _, _ := runtime.Caller(0)
	dir, err := ownFolder()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "keyquorum")
	build := exec.Command("go",
		append(append([]string{"build", "-o", path}, flags...), "./cmd/keyquorum")...)
	build.Dir = filepath.Dir(filepath.Dir(here))
	build.Env = append(os.Environ(), "GOEXPERIMENT=runtimesecret", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
}

// Folders of programs. A test binary can't be told when its last test has ended, so the next one
// clears away.
const folders = "keyquorum-program-"

// ownFolder makes a folder that is locked until this process ends, and removes those of processes
// that have ended.
func ownFolder() (string, error) {
	all, err := filepath.Glob(filepath.Join(os.TempDir(), folders+"*"))
	if err != nil {
		return "", err
	}
	for _, dir := range all {
		removeUnused(dir)
	}
	dir, err := os.MkdirTemp("", folders)
	if err != nil {
		return "", err
	}
	_, err = lock(dir)
	return dir, err
}

// lock returns the descriptor whose end is that of the lock.
func lock(dir string) (int, error) {
	fd, err := syscall.Open(dir, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err := syscall.Flock(fd, syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return -1, errors.Join(err, syscall.Close(fd))
	}
	return fd, nil
}

// removeUnused leaves a new folder alone, for its owner may be about to lock it.
func removeUnused(dir string) {
	about, err := os.Stat(dir)
	if err != nil || time.Since(about.ModTime()) < time.Minute {
		return
	}
	if fd, err := lock(dir); err == nil {
		_ = os.RemoveAll(dir)
		_ = syscall.Close(fd)
	}
}
