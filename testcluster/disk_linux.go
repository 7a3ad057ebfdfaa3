package testcluster

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// SmallDisk moves the data of node i, a process that does not run, to a file system of its own of
// so many bytes, at the same path. FillDisk then fills that. It takes root; where mounting is
// refused the test is skipped, and says why.
func (c *Cluster) SmallDisk(i int, bytes int64) {
	c.t.Helper()
	c.mustHave("SmallDisk", i)
	p := can[*processes](c, "SmallDisk")
	if p.running(i) {
		c.t.Fatalf("testcluster: node %d runs: its files can't be moved", i)
	}
	dir, before := c.Data(i), c.Data(i)+".before"
	c.must(os.Rename(dir, before))
	c.must(os.Mkdir(dir, 0o700))
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0,
		fmt.Sprintf("size=%d,mode=700", bytes)); err != nil {
		c.t.Skipf("a small disk is a file system of its own, and mounting one failed: %v", err)
	}
	c.t.Cleanup(func() {
		c.Kill(i)
		if err := unix.Unmount(dir, 0); err != nil {
			c.t.Errorf("testcluster: unmounting node %d's disk: %v", i, err)
		}
	})
	if out, err := exec.Command("cp", "-a", before+"/.", dir).CombinedOutput(); err != nil {
		c.t.Fatalf("testcluster: moving node %d's data: %v\n%s", i, err, out)
	}
	c.must(os.RemoveAll(before))
	p.small[i] = true
}

// ballast is a file that takes all the room there is on node i's small disk.
func (p *processes) ballast(i int) string { return filepath.Join(p.c.Data(i), "ballast") }

func (p *processes) takeRoom(i int) error {
	f, err := os.Create(p.ballast(i))
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err = io.Copy(f, zeros{}); errors.Is(err, unix.ENOSPC) {
		return nil
	}
	return fmt.Errorf("filling node %d's disk: %w", i, err)
}

func (p *processes) giveRoom(i int) error {
	if err := os.Remove(p.ballast(i)); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// zeros never end.
type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
