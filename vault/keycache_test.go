package vault

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
)

func keyOf(size int64) *openedKey { return &openedKey{size: size} }

// checkCache compares the three accounts of what a quiet cache holds.
func checkCache(t *testing.T, c *keyCache) {
	t.Helper()
	var sum int64
	for i, e := range c.ring {
		sum += e.size
		if e.slot != i {
			t.Fatalf("entry %d thinks it is %d", i, e.slot)
		}
		if v, ok := c.entries.Load(e.path); !ok || v.(*cachedKey) != e {
			t.Fatalf("%s is in the ring but can't be found", e.path)
		}
	}
	n := 0
	c.entries.Range(func(any, any) bool { n++; return true })
	if sum != c.bytes || n != len(c.ring) || c.bytes > c.max {
		t.Fatalf("%d bytes counted, %d in the ring, %d at most; %d entries, %d in the ring", c.bytes, sum,
			c.max, n, len(c.ring))
	}
}

func TestCachedKeyAnswersOnlyForItsOwnRecord(t *testing.T) {
	c, k := newKeyCache(1000), keyOf(10)
	c.keep("p", stamp{1, 7}, k)
	for _, at := range []struct {
		generation, mod uint64
		path            string
		hit             bool
	}{{1, 7, "p", true}, {1, 8, "p", false}, {1, 6, "p", false}, {2, 7, "p", false},
		{0, 7, "p", false}, {1, 7, "q", false}} {
		got, ok := c.find(at.path, stamp{at.generation, at.mod})
		if ok != at.hit || (ok && got != k) {
			t.Errorf("generation %d, %s at %d: %v", at.generation, at.path, at.mod, ok)
		}
	}
}

func TestNewerRecordReplacesOlderAndNotTheOtherWay(t *testing.T) {
	c := newKeyCache(1000)
	c.keep("p", stamp{1, 7}, keyOf(10))
	c.keep("p", stamp{1, 9}, keyOf(20))
	c.keep("p", stamp{1, 8}, keyOf(30)) // a slow reader of an older view
	if _, ok := c.find("p", stamp{1, 9}); !ok {
		t.Error("the newer record is gone")
	}
	c.keep("p", stamp{2, 3}, keyOf(40)) // restored: indexes start lower
	if _, ok := c.find("p", stamp{2, 3}); !ok {
		t.Error("the restored record was not stored")
	}
	if len(c.ring) != 1 || c.bytes != 41 {
		t.Errorf("%d entries, %d bytes", len(c.ring), c.bytes)
	}
	checkCache(t, c)
}

func TestCacheIsBoundedByBytesAndKeepsWhatIsUsed(t *testing.T) {
	c := newKeyCache(10 * 101)
	c.keep("h", stamp{1, 1}, keyOf(100))
	for i := range 1000 {
		if _, ok := c.find("h", stamp{1, 1}); !ok {
			t.Fatalf("the key in constant use was dropped after %d", i)
		}
		c.keep(string(rune('0'+i%10)), stamp{1, uint64(i)}, keyOf(100))
		checkCache(t, c)
	}
	c.keep("big", stamp{1, 1}, keyOf(2000))
	if _, ok := c.find("big", stamp{1, 1}); ok {
		t.Error("an entry above the bound was stored")
	}
	if len(c.ring) != 10 {
		t.Errorf("%d entries of 100 bytes in 1010", len(c.ring))
	}
}

func TestClosedCacheIsEmptyAndStaysSo(t *testing.T) {
	c := newKeyCache(1000)
	c.keep("p", stamp{1, 7}, keyOf(10))
	c.close()
	c.keep("q", stamp{1, 8}, keyOf(10))
	for path, mod := range map[string]uint64{"p": 7, "q": 8} {
		if _, ok := c.find(path, stamp{1, mod}); ok {
			t.Errorf("%s is still there", path)
		}
	}
	checkCache(t, c)
}

func TestCacheUnderManyReadersAndWriters(t *testing.T) {
	c := newKeyCache(5000)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(uint64(w), 1))
			for range 5000 {
				path, mod := fmt.Sprint(r.IntN(40)), uint64(r.IntN(4))
				if k, ok := c.find(path, stamp{1, mod}); ok {
					if k.record.Kty != fmt.Sprint(path, mod) {
						t.Errorf("%s at %d gave %s", path, mod, k.record.Kty)
					}
					continue
				}
				k := keyOf(int64(100 + r.IntN(200)))
				k.record.Kty = fmt.Sprint(path, mod)
				c.keep(path, stamp{1, mod}, k)
			}
		})
	}
	wg.Wait()
	checkCache(t, c)
	c.close()
	checkCache(t, c)
}

func BenchmarkKeyCacheHit(b *testing.B) {
	c := newKeyCache(keyCacheBytes)
	paths := make([]string, 1000)
	for i := range paths {
		paths[i] = fmt.Sprintf("vault/0123456789abcdef/key/name/version/%032x", i)
		c.keep(paths[i], stamp{1, 1}, keyOf(5000))
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, ok := c.find(paths[i%1000], stamp{1, 1}); !ok {
				b.Error("missed")
			}
		}
	})
}
