package cluster

import (
	"time"

	"golang.org/x/sys/unix"
)

// bootTime is the lease clock of a machine: time since it started, suspended or not
// (CLOCK_BOOTTIME, clock_gettime(2)). Nobody sets it. What counts is that two machines' clocks run
// at nearly the same rate for a second.
func bootTime() time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &t); err != nil {
		panic("cluster: CLOCK_BOOTTIME can't be read: " + err.Error()) // Linux has had it since 2.6.39
	}
	return time.Duration(t.Nano())
}
