package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// A process is the one that has a data folder in use, as /proc shows it to everybody.
type process struct {
	id    int
	user  uint32
	files uint64 // most descriptors that it may have; 0: not known
	core  uint64 // most bytes of a core dump
}

// holderOf is the process that has the lock of a folder's log; nil where none has, or it can't be
// seen from here.
func holderOf(data string) *process {
	info, err := os.Stat(filepath.Join(data, "cluster", "raft.db"))
	if err != nil {
		return nil
	}
	file := strconv.FormatUint(info.Sys().(*syscall.Stat_t).Ino, 10)
	table, _ := os.ReadFile("/proc/locks")
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line) // 1: FLOCK ADVISORY WRITE 1234 08:01:5678 0 EOF
		if len(fields) < 6 || fields[1] != "FLOCK" || !strings.HasSuffix(fields[5], ":"+file) {
			continue
		}
		if p := processOf(fields[4]); p != nil {
			return p
		}
	}
	return nil
}

// processOf reads what is known of a process, which must be one of this program's: a lock's device
// is not always that of its file, so another's may look the same.
func processOf(id string) *process {
	own, _ := os.ReadFile("/proc/self/comm")
	comm, err := os.ReadFile(filepath.Join("/proc", id, "comm"))
	if err != nil || string(comm) != string(own) {
		return nil
	}
	p := &process{}
	if p.id, err = strconv.Atoi(id); err != nil {
		return nil
	}
	status, _ := os.ReadFile(p.file("status"))
	for line := range strings.Lines(string(status)) {
		if ids, is := strings.CutPrefix(line, "Uid:"); is {
			_, _ = fmt.Sscan(ids, &p.user)
		}
	}
	p.files, p.core = p.limit("Max open files"), p.limit("Max core file size")
	return p
}

func (p *process) file(name string) string {
	return filepath.Join("/proc", strconv.Itoa(p.id), name)
}

// limit is a soft limit; 1<<64-1 for none.
func (p *process) limit(name string) (n uint64) {
	table, _ := os.ReadFile(p.file("limits"))
	for line := range strings.Lines(string(table)) {
		values, is := strings.CutPrefix(line, name)
		if !is {
			continue
		}
		if soft, _, _ := strings.Cut(strings.TrimSpace(values), " "); soft == "unlimited" {
			return 1<<64 - 1
		}
		_, _ = fmt.Sscan(values, &n)
	}
	return n
}

// swapForbidden says whether the process's group may use no swap.
func (p *process) swapForbidden() bool {
	groups, _ := os.ReadFile(p.file("cgroup"))
	for line := range strings.Lines(string(groups)) {
		if group, is := strings.CutPrefix(strings.TrimSpace(line), "0::"); is {
			most, err := os.ReadFile(filepath.Join("/sys/fs/cgroup", group, "memory.swap.max"))
			return err == nil && strings.TrimSpace(string(most)) == "0"
		}
	}
	return false
}

// fewFiles is what a node keeps for itself, and a few connections.
const fewFiles = 4096

// limits are those of the running node.
func (p *page) limits(holder *process) {
	const files, dumps = "descriptors of the process", "core dumps"
	if holder == nil {
		p.skip(files, "", "no process is seen that has the data folder in use")
		p.skip(dumps, "", "no process is seen that has the data folder in use")
		return
	}
	if holder.files < fewFiles {
		p.add(files, Warning, "allow it more (LimitNOFILE= under systemd)", "process %d may have %d",
			holder.id, holder.files)
	} else {
		p.ok(files, "process %d may have %d", holder.id, holder.files)
	}
	if holder.core > 0 {
		p.add(dumps, Failed, "start it again; a node switches them off itself",
			"process %d may write one, and it would hold every key", holder.id)
	} else {
		p.ok(dumps, "process %d writes none", holder.id)
	}
}
