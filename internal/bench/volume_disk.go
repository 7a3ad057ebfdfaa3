package main

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// diskUse is what a data folder takes on disk, in bytes.
type diskUse struct {
	Total     int64 `json:"total"`
	Log       int64 `json:"raft_log"`
	Snapshots int64 `json:"snapshots"`
	Usage     int64 `json:"usage_log"`
}

func diskOf(h *harness, dir string) (use diskUse) {
	h.must(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		size := info.Size()
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			size = stat.Blocks * 512
		}
		use.Total += size
		switch {
		case d.Name() == "raft.db":
			use.Log += size
		case d.Name() == "audit.log":
			use.Usage += size
		case strings.Contains(path, "/snapshots/"):
			use.Snapshots += size
		}
		return nil
	}))
	return use
}

// A snapshot is the newest of a data folder. The node takes one by itself when the log since the
// last outweighs the state.
type snapshot struct {
	Index uint64        `json:"index"` // its last entry
	Size  int64         `json:"size"`
	Took  time.Duration `json:"took_ns"` // from its name's time to its manifest's, which is written last
}

func newestSnapshot(h *harness, dir string) (newest *snapshot) {
	manifests, err := filepath.Glob(filepath.Join(dir, "*", "snapshots", "*", "manifest.json"))
	h.must(err)
	for _, path := range manifests {
		text, err := os.ReadFile(path)
		h.must(err)
		var s snapshot
		h.must(json.Unmarshal(text, &s))
		info, err := os.Stat(path)
		h.must(err)
		name := filepath.Base(filepath.Dir(path)) // term-index-milliseconds
		ms, err := strconv.ParseInt(name[strings.LastIndexByte(name, '-')+1:], 10, 64)
		h.must(err)
		s.Took = info.ModTime().Sub(time.UnixMilli(ms))
		if newest == nil || s.Index > newest.Index {
			newest = &s
		}
	}
	return newest
}
