//go:build !linux

package testcluster

import (
	"errors"
	"testing"
)

// Namespaces needs Linux.
func Namespaces(t testing.TB, _ int, _ ...func(i int) []string) *Cluster {
	t.Helper()
	t.Skip("a network that really loses packets takes network namespaces, and only Linux has them")
	return nil
}

// SmallDisk needs Linux.
func (c *Cluster) SmallDisk(int, int64) {
	c.t.Helper()
	c.t.Skip("a small disk is a file system of its own, and only on Linux the test knows how to mount one")
}

var errElsewhere = errors.New("testcluster: only on Linux")

func (*processes) takeRoom(int) error { return errElsewhere }
func (*processes) giveRoom(int) error { return errElsewhere }
