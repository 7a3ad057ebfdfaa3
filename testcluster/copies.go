package testcluster

import (
	"os"
	"path/filepath"
)

// PutBack puts a copy in the place of the data folder of node i, which does not run.
func (c *Cluster) PutBack(i int, dir string) {
	c.t.Helper()
	c.must(os.RemoveAll(c.Data(i)))
	c.must(os.CopyFS(c.Data(i), os.DirFS(dir)))
}

// StartCopy starts one node more on a copy of another one's folder. It counts as no member.
func (c *Cluster) StartCopy(dir string) (i int) {
	c.t.Helper()
	if c.size == maxSize {
		c.t.Fatalf("testcluster: a cluster grows to %d nodes at most", maxSize)
	}
	i = c.size
	c.size++
	c.removed[i] = true
	c.PutBack(i, dir)
	c.Start(i)
	return i
}

// CopyData copies the data folder of node i, which may run: a copy that can't be opened is made
// again.
func (c *Cluster) CopyData(i int) (dir string) {
	c.t.Helper()
	for range 100 {
		dir, err := c.copyFolder(c.Data(i))
		c.must(err)
		if _, err = readLoot(filepath.Join(dir, "cluster")); err == nil {
			return dir
		}
		c.must(os.RemoveAll(dir))
	}
	c.t.Fatalf("testcluster: no copy of node %d's folder is whole", i)
	return ""
}
