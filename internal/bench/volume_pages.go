package main

import (
	"runtime"

	"keyquorum/testcluster"
)

// pageMemory is what is allocated for a page of 25, by the node and by the client that asks for it:
// both are in this process.
type pageMemory struct {
	Pages   string `json:"pages"`
	Bytes   uint64 `json:"allocated_bytes"`
	Mallocs uint64 `json:"allocations"`
}

// mostInside bounds the vault whose node runs in this process.
const mostInside = 10_000

// measurePages compares the first pages of a vault with the last: a page costs the same however
// much is before or behind it.
func (v *volume) measurePages(h *harness) {
	n := min(v.Secrets, mostInside)
	progress("counting what a page allocates, in a vault of %d", n)
	b := newBed(h, testcluster.Loopback(h, 1, nil))
	b.fill(h, 0, n, v.Clients)
	line := must(dial(h.ctx, b.at(h, 0)))
	defer line.close()
	pages := (n + 24) / 25
	some := min(somePages, pages/2)
	var before, after runtime.MemStats
	target := listTarget
	for i := range pages {
		if i == 0 || i == pages-some {
			runtime.ReadMemStats(&before)
		}
		_, target = b.page(h, line, target)
		if i == some-1 || i == pages-1 {
			runtime.ReadMemStats(&after)
			name := "first"
			if i == pages-1 {
				name = "last"
			}
			v.PageMemory = append(v.PageMemory, pageMemory{
				Pages: name, Bytes: (after.TotalAlloc - before.TotalAlloc) / uint64(some),
				Mallocs: (after.Mallocs - before.Mallocs) / uint64(some),
			})
		}
	}
}
