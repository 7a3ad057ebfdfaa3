package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// cpuTime is the user and system time of a process since it began, to the nanosecond where
// /proc/PID/stat would give hundredths of a second (clock_getcpuclockid(3)).
func cpuTime(pid int) (time.Duration, error) {
	const perProcessSched = 2
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|perProcessSched), &t); err != nil {
		return 0, fmt.Errorf("CPU clock of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

// resident is the memory of a process in use, in bytes, the program's own pages included.
func resident(pid int) (int64, error) { return memory(pid, "VmRSS:") }

// peak is the most that was ever resident.
func peak(pid int) (int64, error) { return memory(pid, "VmHWM:") }

func memory(pid int, which string) (int64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(b)) {
		if fields := strings.Fields(line); len(fields) == 3 && fields[0] == which {
			kib, err := strconv.ParseInt(fields[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("process %d has no %s", pid, which)
}

// processor names the machine's.
func processor() string {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// load is how many processes want to run, over the last minute: how busy the machine is with other
// things.
func load() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}
