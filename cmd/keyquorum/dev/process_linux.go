package dev

import "syscall"

// ownGroup starts a process in a group of its own, which the kernel ends should we die without a
// word.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
