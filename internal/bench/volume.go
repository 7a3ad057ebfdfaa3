package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"keyquorum/testcluster"
)

const volumeWord = "load" // tells this program to fill one vault instead of comparing requests

// A volume is what one node holds and what that costs it: a vault of so many secrets of 1 KiB,
// written through the API. Memory and disk are in bytes, times in nanoseconds.
type volume struct {
	Machine string `json:"machine"`
	Secrets int    `json:"secrets"`
	Clients int    `json:"clients"`

	Filling    time.Duration `json:"filling_ns"`
	PerSecond  float64       `json:"writes_per_second"`
	WriteP50   time.Duration `json:"write_p50_ns"`
	WriteP99   time.Duration `json:"write_p99_ns"`
	Empty      int64         `json:"resident_empty"`     // before the first write
	Filled     int64         `json:"resident_filled"`    // right after the last
	Peak       int64         `json:"resident_peak"`      // until the end of the listings
	Restarted  int64         `json:"resident_restarted"` // after a restart, unsealed and at rest
	Disk       diskUse       `json:"disk"`
	Snapshot   *snapshot     `json:"snapshot,omitempty"` // the newest; nil where the log never weighed enough for one
	Applied    uint64        `json:"applied_index"`
	Start      time.Duration `json:"start_ns"` // from the start of the process until it answers seal-status
	StartCPU   time.Duration `json:"start_cpu_ns"`
	Lead       time.Duration `json:"leads_ns"`  // until it leads, still sealed
	Unseal     time.Duration `json:"unseal_ns"` // from the first share until a secret is read
	Backup     backup        `json:"backup"`
	Listings   []listing     `json:"listings"`    // whole vaults, in pages
	PageMemory []pageMemory  `json:"page_memory"` // first pages, and last ones
}

// fillVolume is the command.
func fillVolume(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet(volumeWord, flag.ExitOnError)
	n := flags.Int("n", 100_000, "how many secrets of 1 KiB")
	clients := flags.Int("clients", 64, "how many write at once")
	asJSON := flags.Bool("json", false, "print JSON instead of a table")
	if err := flags.Parse(args); err != nil {
		return err
	}
	v := volume{Machine: machine(), Secrets: max(*n, 10), Clients: *clients}
	if err := withProgram(func() error { return v.look(ctx) }); err != nil {
		return err
	}
	if *asJSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(v)
	}
	v.print()
	return nil
}

func (v *volume) look(ctx context.Context) error {
	return inHarness(ctx, func(h *harness) {
		h.within(func(h *harness) { v.measure(h) })
		h.within(func(h *harness) { v.measurePages(h) })
	})
}

// measure fills a node of its own process, and looks at it.
func (v *volume) measure(h *harness) {
	b := newBed(h, testcluster.Processes(h, 1))
	v.Empty = must(resident(b.PID(0)))
	var latencies []time.Duration
	for from, to := range eachOf(v.Secrets/10, v.Secrets) {
		progress("writing secrets up to %d", to)
		start := time.Now()
		latencies = append(latencies, b.fill(h, from, to, v.Clients)...)
		v.Filling += time.Since(start)
		v.Filled = must(resident(b.PID(0)))
		progress("listing them")
		v.Listings = append(v.Listings, b.list(h, to))
	}
	v.PerSecond = float64(v.Secrets) / v.Filling.Seconds()
	slices.Sort(latencies)
	v.WriteP50, v.WriteP99 = latencies[len(latencies)/2], latencies[len(latencies)*99/100]
	v.Peak = must(peak(b.PID(0)))
	v.Applied = b.applied()
	v.Disk, v.Snapshot = diskOf(h, b.Data(0)), newestSnapshot(h, b.Data(0))
	v.restart(h, b)
	v.keep(h, b)
}

// eachOf yields ranges that end with each of marks.
func eachOf(marks ...int) func(yield func(from, to int) bool) {
	return func(yield func(from, to int) bool) {
		from := 0
		for _, to := range marks {
			if !yield(from, to) {
				return
			}
			from = to
		}
	}
}

// restart ends the node in order, as an upgrade does, and waits for what an application waits for.
func (v *volume) restart(h *harness, b *bed) {
	progress("restarting the node")
	b.Stop(0)
	start := time.Now()
	b.Start(0)
	v.Start, v.StartCPU = time.Since(start), must(cpuTime(b.PID(0)))
	b.Leader()
	v.Lead = time.Since(start)
	start = time.Now()
	b.Unseal(0)
	line := must(dial(h.ctx, b.at(h, 0)))
	defer line.close()
	for {
		_, err := line.call(request{method: "GET", target: secretTarget(0), token: b.token})
		if err == nil {
			break
		}
		if time.Since(start) > time.Minute {
			h.Fatal(err)
		}
		h.wait(time.Millisecond)
	}
	v.Unseal = time.Since(start)
	h.wait(settle)
	v.Restarted = must(resident(b.PID(0)))
}

func (b *bed) applied() uint64 {
	var leader struct {
		Applied uint64 `json:"raft_applied_index"`
	}
	b.Call(0, "GET", "/v1/sys/leader", nil, &leader)
	return leader.Applied
}

func secretTarget(i int) string { return fmt.Sprintf("/secrets/s-%06d%s", i, apiVersion) }

// fill writes secrets from to to-1, and returns how long each took.
func (b *bed) fill(h *harness, from, to, clients int) (latencies []time.Duration) {
	var next atomic.Int64
	next.Store(int64(from))
	mine, errs := make([][]time.Duration, clients), make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		line := must(dial(h.ctx, b.at(h, 0)))
		h.Cleanup(line.close)
		wg.Go(func() { mine[i], errs[i] = b.write1KiB(h, line, &next, to) })
	}
	wg.Wait()
	for i := range clients {
		h.must(errs[i])
		latencies = append(latencies, mine[i]...)
	}
	return latencies
}

// write1KiB is one client. It takes the number of its next secret from next.
func (b *bed) write1KiB(h *harness, line *caller, next *atomic.Int64,
	to int) (latencies []time.Duration, err error) {
	for h.ctx.Err() == nil {
		i := int(next.Add(1)) - 1
		if i >= to {
			return latencies, nil
		}
		start := time.Now()
		if _, err := line.call(request{method: "PUT", target: secretTarget(i), token: b.token,
			body: secretBody}); err != nil {
			return nil, err
		}
		latencies = append(latencies, time.Since(start))
	}
	return nil, h.ctx.Err()
}

// A listing is a whole vault in pages of 25, one after the other. A page's time is the median of
// some at the beginning, or the end.
type listing struct {
	Secrets int           `json:"secrets"`
	Pages   int           `json:"pages"`
	Took    time.Duration `json:"took_ns"`
	CPU     time.Duration `json:"cpu_ns"` // of the node, all pages
	First   time.Duration `json:"first_pages_ns"`
	Last    time.Duration `json:"last_pages_ns"`
}

// somePages is how many are looked at at either end.
const somePages = 40

func (b *bed) list(h *harness, want int) listing {
	before := must(cpuTime(b.PID(0)))
	line := must(dial(h.ctx, b.at(h, 0)))
	defer line.close()
	l := listing{}
	var took []time.Duration
	start := time.Now()
	for target := listTarget; target != ""; l.Pages++ {
		asked := time.Now()
		var n int
		n, target = b.page(h, line, target)
		took = append(took, time.Since(asked))
		l.Secrets += n
	}
	l.Took = time.Since(start)
	if l.Secrets != want {
		h.Fatalf("%d secrets are listed, %d are there", l.Secrets, want)
	}
	l.CPU = must(cpuTime(b.PID(0))) - before
	some := min(somePages, len(took))
	l.First, l.Last = median(took[:some]), median(took[len(took)-some:])
	return l
}

const listTarget = "/secrets" + apiVersion

// page asks for one page, and returns how many secrets it has and the target of the next, "" after
// the last.
func (b *bed) page(h *harness, line *caller, target string) (n int, next string) {
	body, err := line.call(request{method: "GET", target: target, token: b.token})
	h.must(err)
	var page struct {
		Value []struct{} `json:"value"`
		Next  string     `json:"nextLink"`
	}
	h.must(json.Unmarshal(body, &page))
	return len(page.Value), strings.TrimPrefix(page.Next, "https://"+line.to.host)
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// progress says what goes on where a long run would be silent.
func progress(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
