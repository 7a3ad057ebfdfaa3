// Package throttle bounds how often each of many does something, with a bounded memory of who did.
package throttle

import (
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Limit bounds how many requests this node takes from one application to one vault.
type Limit struct {
	Rate  float64 // requests a second; 0: no bound
	Burst int     // at once; 0: what Rate gives in a second
}

// Buckets has a bucket for each application and vault that was heard of lately.
type Buckets struct {
	rate  rate.Limit
	burst int

	mu         sync.Mutex
	young, old map[Who]*rate.Limiter
}

// Who is throttled: an application in front of a vault, "" standing for all that do not exist.
// Inventing names gets nobody more.
type Who struct{ OID, Vault string }

// maxBuckets bounds each of the two generations. Whoever is forgotten begins with a full bucket:
// that many others came after it.
const maxBuckets = 1 << 14

// New returns nil where there is no bound.
func New(t Limit) *Buckets {
	if !(t.Rate > 0) { // whatever is not a number bounds nobody either
		return nil
	}
	burst := t.Burst
	if burst <= 0 {
		burst = max(1, int(math.Min(t.Rate, math.MaxInt32)))
	}
	return &Buckets{rate: rate.Limit(t.Rate), burst: burst, young: map[Who]*rate.Limiter{}}
}

// Same says whether both bound alike.
func (t *Buckets) Same(other *Buckets) bool {
	return t.rate == other.rate && t.burst == other.burst
}

// Take says whether one more request is taken now. exists is asked about the vault of a bucket that
// is not there yet.
func (t *Buckets) Take(w Who, now time.Time, exists func(vault string) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.young[w]
	if !ok {
		if !exists(w.Vault) {
			w.Vault = ""
		}
		b = t.bucket(w)
	}
	return b.AllowN(now, 1)
}

// bucket finds or makes one in the young generation. The names are copied: they lie in the
// request's memory.
func (t *Buckets) bucket(w Who) *rate.Limiter {
	if b, ok := t.young[w]; ok {
		return b
	}
	b, ok := t.old[w]
	if !ok {
		b = rate.NewLimiter(t.rate, t.burst)
	}
	if len(t.young) >= maxBuckets {
		t.young, t.old = map[Who]*rate.Limiter{}, t.young
	}
	t.young[Who{strings.Clone(w.OID), strings.Clone(w.Vault)}] = b
	return b
}

// Pause is after how long a bucket that is empty has one request more.
func (t *Buckets) Pause() time.Duration {
	return time.Duration(math.Min(float64(time.Second)/float64(t.rate), float64(time.Hour)))
}
