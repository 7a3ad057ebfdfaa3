package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"keyquorum/testcluster"
)

// A backup is what a snapshot of the volume costs its operator, by the program's own commands.
type backup struct {
	Size       int64         `json:"size"`
	Save       time.Duration `json:"save_ns"`
	Verify     time.Duration `json:"verify_ns"` // each byte, without shares
	Restore    time.Duration `json:"restore_ns"`
	RestoreCPU time.Duration `json:"restore_cpu_ns"` // of the node
}

// keep saves a snapshot of the volume, verifies it, and goes back to it while the node serves.
func (v *volume) keep(h *harness, b *bed) {
	dir, err := os.MkdirTemp("", "keyquorum-load-")
	h.must(err)
	h.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "volume.snap")
	timed := func(word string) time.Duration {
		progress("snapshot %s", word)
		start := time.Now()
		b.command(h, "operator", "raft", "snapshot", word, file)
		return time.Since(start)
	}
	v.Backup.Save = timed("save")
	info, err := os.Stat(file)
	h.must(err)
	v.Backup.Size = info.Size()
	v.Backup.Verify = timed("verify")
	before := must(cpuTime(b.PID(0)))
	v.Backup.Restore = timed("restore")
	v.Backup.RestoreCPU = must(cpuTime(b.PID(0))) - before
}

// command runs the program as an operator of node 0 does.
func (b *bed) command(h *harness, args ...string) {
	cmd := exec.CommandContext(h.ctx, must(testcluster.Binary()), args...)
	cmd.Env = append(os.Environ(), "KEYQUORUM_ADDR="+b.URL(0), "KEYQUORUM_CACERT="+b.CAFile,
		"KEYQUORUM_TOKEN="+b.Token)
	if out, err := cmd.CombinedOutput(); err != nil {
		h.Fatalf("keyquorum %v: %v\n%s", args, err, out)
	}
}
