package main

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A cell is one load on one server: so many clients, each of which sends its next request when it
// has its answer.
type cell struct {
	name    string
	to      address
	pids    []int // processes whose CPU time counts; the asked one's first
	clients int
	request func(client int) request

	callers []*caller
	seen    seen
}

// seen is what a cell's slices came to.
type seen struct {
	latencies []time.Duration // of every request, sorted by done
	refused   int64           // answers of 503, each asked again at once
	elapsed   time.Duration
	cpu       []time.Duration // by process
}

// compare measures cells in turn, slice by slice, so that whatever else the machine does meanwhile
// falls on all alike.
func compare(h *harness, p plan, cells ...*cell) {
	for _, c := range cells {
		h.must(c.open(h))
	}
	for range p.rounds {
		for _, c := range cells {
			h.must(c.slice(h, p.slice, p.most))
		}
	}
	for _, c := range cells {
		slices.Sort(c.seen.latencies)
		for _, caller := range c.callers {
			caller.close()
		}
	}
}

// open connects every client and warms its way through the server.
func (c *cell) open(h *harness) error {
	for i := range c.clients {
		next, err := dial(h.ctx, c.to)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		c.callers = append(c.callers, next)
		for range 3 {
			if _, err := next.call(c.request(i)); err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
		}
	}
	c.seen.cpu = make([]time.Duration, len(c.pids))
	return nil
}

// slice adds one stretch of load, bounded by time and by the number of requests.
func (c *cell) slice(h *harness, length time.Duration, most int) error {
	before, err := c.cpu()
	if err != nil {
		return err
	}
	start := time.Now()
	end := start.Add(length)
	mine := make([][]time.Duration, c.clients)
	errs := make([]error, c.clients)
	var wg sync.WaitGroup
	for i := range c.clients {
		wg.Go(func() { mine[i], errs[i] = c.drive(h, i, end, max(1, most/c.clients)) })
	}
	wg.Wait()
	c.seen.elapsed += time.Since(start)
	after, err := c.cpu()
	if err != nil {
		return err
	}
	for i := range after {
		c.seen.cpu[i] += after[i] - before[i]
	}
	for i := range c.clients {
		if errs[i] != nil {
			return fmt.Errorf("%s: %w", c.name, errs[i])
		}
		c.seen.latencies = append(c.seen.latencies, mine[i]...)
	}
	return nil
}

// drive is one client.
func (c *cell) drive(h *harness, i int, end time.Time, most int) (latencies []time.Duration,
	err error) {
	r := c.request(i)
	for now := time.Now(); len(latencies) < most && now.Before(end); {
		if err := h.ctx.Err(); err != nil {
			return nil, err
		}
		if _, err := c.callers[i].call(r); unavailable(err) && time.Since(now) < callTimeout {
			atomic.AddInt64(&c.seen.refused, 1)
			continue
		} else if err != nil {
			return nil, err
		}
		next := time.Now()
		latencies = append(latencies, next.Sub(now))
		now = next
	}
	return latencies, nil
}

func (c *cell) cpu() (all []time.Duration, err error) {
	for _, pid := range c.pids {
		t, err := cpuTime(pid)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return all, nil
}

// asked is the CPU time of a request in the process that was asked, total that in all of them.
func (s *seen) asked() time.Duration { return s.cpu[0] / time.Duration(len(s.latencies)) }

func (s *seen) total() (sum time.Duration) {
	for _, t := range s.cpu {
		sum += t
	}
	return sum / time.Duration(len(s.latencies))
}

// percentile needs sorted latencies.
func (s *seen) percentile(p int) time.Duration {
	return s.latencies[min(len(s.latencies)*p/100, len(s.latencies)-1)]
}

func (s *seen) perSecond() float64 { return float64(len(s.latencies)) / s.elapsed.Seconds() }
