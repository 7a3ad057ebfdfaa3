package fsm_test

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	iradix "github.com/hashicorp/go-immutable-radix/v2"
	"github.com/tidwall/btree"
)

// The benchmarks here chose the tree. They compare, on 100,000 records of 1 KiB, what one record
// costs beyond its path and value, what a read costs, and what a batch of 64 writes into a copy
// costs. DESIGN.md quotes them.

// treeRecords are few where a benchmark is only to show that it runs (-short).
func treeRecords() int {
	if testing.Short() {
		return 1000
	}
	return 100_000
}

type treeRecord struct {
	value        []byte
	logical, mod uint64
}

// treePaths has the shape of real paths: ten vaults, a thousand names each, ten versions of each.
func treePaths() []string {
	r := rand.New(rand.NewPCG(1, 2))
	hex32 := func() string {
		var b [16]byte
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return hex.EncodeToString(b[:])
	}
	paths := make([]string, 0, treeRecords())
	for range 10 {
		vault := hex32()
		for n := range treeRecords() / 100 {
			for range 10 {
				paths = append(paths,
					fmt.Sprintf("vault/%s/secret/database-password-%d/version/%s", vault, n, hex32()))
			}
		}
	}
	r.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
	return paths
}

func heapInUse() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// A tree is what the candidates have in common; batch writes the paths and keeps a copy of what was
// before.
type tree struct {
	put   func(path string, r treeRecord)
	get   func(path string) bool
	batch func(paths []string)
}

func btreeOf(degree int) tree {
	m := btree.NewMap[string, treeRecord](degree)
	return tree{
		put: func(p string, r treeRecord) { m.Set(p, r) },
		get: func(p string) bool { _, ok := m.Get(p); return ok },
		batch: func(paths []string) {
			for _, p := range paths {
				m.Set(p, treeRecord{mod: 1})
			}
			runtime.KeepAlive(m.Copy())
		},
	}
}

func btreePointers(degree int) tree {
	m := btree.NewMap[string, *treeRecord](degree)
	return tree{
		put: func(p string, r treeRecord) { m.Set(p, &r) },
		get: func(p string) bool { _, ok := m.Get(p); return ok },
		batch: func(paths []string) {
			for _, p := range paths {
				m.Set(p, &treeRecord{mod: 1})
			}
			runtime.KeepAlive(m.Copy())
		},
	}
}

func radix() tree {
	t := iradix.New[treeRecord]()
	return tree{
		put: func(p string, r treeRecord) { t, _, _ = t.Insert([]byte(p), r) },
		get: func(p string) bool { _, ok := t.Get([]byte(p)); return ok },
		batch: func(paths []string) {
			x := t.Txn()
			for _, p := range paths {
				x.Insert([]byte(p), treeRecord{mod: 1})
			}
			t = x.Commit()
		},
	}
}

func BenchmarkTree(b *testing.B) {
	paths := treePaths()
	for _, c := range []struct {
		name string
		make func() tree
	}{
		{"btree-8", func() tree { return btreeOf(8) }},
		{"btree-16", func() tree { return btreeOf(16) }},
		{"btree-32", func() tree { return btreeOf(32) }},
		{"btree-8-pointers", func() tree { return btreePointers(8) }},
		{"btree-16-pointers", func() tree { return btreePointers(16) }},
		{"btree-32-pointers", func() tree { return btreePointers(32) }},
		{"radix", radix},
	} {
		before := heapInUse()
		t := c.make()
		for _, p := range paths {
			t.put(string([]byte(p)), treeRecord{value: make([]byte, 1024)})
		}
		own := 0
		for _, p := range paths {
			own += len(p) + 1024
		}
		overhead := float64(heapInUse()-before-uint64(own)) / float64(treeRecords())

		b.Run(c.name+"/get", func(b *testing.B) {
			measure(b, func(i int) {
				if !t.get(paths[i*7919%treeRecords()]) {
					b.Fatal("lost a record")
				}
			})
			b.ReportMetric(overhead, "overhead-B/record")
		})
		for _, n := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/batch-%d", c.name, n), func(b *testing.B) {
				measure(b, func(i int) {
					at := i * 7919 % (treeRecords() - n)
					t.batch(paths[at : at+n])
				})
			})
		}
		runtime.KeepAlive(t)
	}
}
