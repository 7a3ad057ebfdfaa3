// Package tally counts how long things take, for packages that don't know how such figures are
// shown.
//
// Noting costs two atomic additions, no lock and no memory: it may stand in the way of every
// request.
package tally

import (
	"sync/atomic"
	"time"
)

// Bounds are the upper edges of the buckets, themselves included; one more bucket takes what is
// longer.
var Bounds = [...]time.Duration{
	100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond,
	10 * time.Millisecond, 25 * time.Millisecond, 50 * time.Millisecond,
	100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second,
}

// Durations counts durations by size. The zero value has none. It must not be copied.
type Durations struct {
	buckets [len(Bounds) + 1]atomic.Uint64
	sum     atomic.Int64 // nanoseconds
}

// Note adds one.
func (d *Durations) Note(took time.Duration) {
	i := 0
	for i < len(Bounds) && took > Bounds[i] {
		i++
	}
	d.buckets[i].Add(1)
	d.sum.Add(int64(took))
}

// A Distribution is what was noted up to some moment.
type Distribution struct {
	Buckets [len(Bounds) + 1]uint64 // how many lie between each edge and the one before it
	Sum     time.Duration
}

// Read takes what was noted so far. What is noted meanwhile may be in the sum and not yet in its
// bucket, or the other way round.
func (d *Durations) Read() (r Distribution) {
	for i := range d.buckets {
		r.Buckets[i] = d.buckets[i].Load()
	}
	r.Sum = time.Duration(d.sum.Load())
	return r
}

// Count is how many there are.
func (r Distribution) Count() (n uint64) {
	for _, b := range r.Buckets {
		n += b
	}
	return n
}

// Plus is both together.
func (r Distribution) Plus(other Distribution) Distribution {
	for i, b := range other.Buckets {
		r.Buckets[i] += b
	}
	r.Sum += other.Sum
	return r
}
