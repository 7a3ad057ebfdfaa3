//go:build !linux

package main

import (
	"errors"
	"time"
)

var errLinux = errors.New("CPU time and memory of other processes are read on Linux only")

func cpuTime(int) (time.Duration, error) { return 0, errLinux }
func resident(int) (int64, error)        { return 0, errLinux }
func peak(int) (int64, error)            { return 0, errLinux }
func processor() string                  { return "unknown" }
func load() string                       { return "unknown" }
