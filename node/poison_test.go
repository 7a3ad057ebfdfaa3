package node_test

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/vault"
)

// breakDisk puts a full device in the place of the log's file, for the process's every write to it.
func breakDisk(t *testing.T, path string) {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	must(t, err)
	defer full.Close()
	descriptors, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, d := range descriptors {
		if target, _ := os.Readlink("/proc/self/fd/" + d.Name()); target == path {
			fd, err := strconv.Atoi(d.Name())
			must(t, err)
			must(t, syscall.Dup3(int(full.Fd()), fd, syscall.O_CLOEXEC))
			return
		}
	}
	t.Fatalf("%s is not open", path)
}

// The first write that the disk refuses ends the node: Failed closes, and nothing more is
// acknowledged.
func TestFailedDiskEndsTheNode(t *testing.T) {
	bubble(t, func(t *testing.T, s *site) {
		s.start(1)
		v, o := s.operator(0)
		for i := range 4 {
			must(t, create(v, o, "kept"+strconv.Itoa(i)))
		}
		n := s.nodes[0]
		breakDisk(t, filepath.Join(s.root, "host0", "cluster", "raft.db"))
		begun := time.Now()
		results := make(chan error, 4)
		for i := range 4 {
			go func() { results <- create(v, o, "lost"+strconv.Itoa(i)) }()
		}
		<-n.Failed()
		if took := time.Since(begun); took > time.Second {
			t.Errorf("the failure showed after %v", took)
		}
		// Where bolt's file has to grow, which depends on what is in it, bolt looks at its size first:
		// of the device that takes its place that is 0.
		reason := n.Err().Error()
		full := strings.Contains(reason, syscall.ENOSPC.Error()) ||
			strings.Contains(reason, "file size too small 0")
		if !full || !strings.Contains(reason, s.root) {
			t.Errorf("the reason does not name the folder and the failure: %v", reason)
		}
		s.stop(0) // as the program does
		for range 4 {
			if err := <-results; err == nil {
				t.Error("a write was acknowledged that the disk refused")
			}
		}
		s.open(0)
		s.unseal(0)
		v, o = s.operator(0)
		list, err := v.ListVaults(t.Context(), o)
		if err != nil || len(list) != 4 {
			t.Fatalf("after a restart: %d vaults, %v", len(list), err)
		}
	})
}

func create(v *vault.Vaults, o vault.Operator, name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	_, err := v.CreateVault(ctx, o, name, 90, false)
	return err
}
