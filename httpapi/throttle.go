package httpapi

import (
	"math"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Throttle bounds how many requests this node takes from one application to one vault.
type Throttle struct {
	Rate  float64 // requests a second; 0: no bound
	Burst int     // at once; 0: what Rate gives in a second
}

// throttle has a bucket for each application and vault that was heard of lately.
type throttle struct {
	rate  rate.Limit
	burst int

	mu         sync.Mutex
	young, old map[who]*rate.Limiter
}

// who is throttled: an application in front of a vault, "" standing for all that do not exist.
// Inventing names gets nobody more.
type who struct{ oid, vault string }

// maxBuckets bounds each of the two generations. Whoever is forgotten begins with a full bucket:
// that many others came after it.
const maxBuckets = 1 << 14

// newThrottle returns nil where there is no bound.
func newThrottle(t Throttle) *throttle {
	if !(t.Rate > 0) { // whatever is not a number bounds nobody either
		return nil
	}
	burst := t.Burst
	if burst <= 0 {
		burst = max(1, int(math.Min(t.Rate, math.MaxInt32)))
	}
	return &throttle{rate: rate.Limit(t.Rate), burst: burst, young: map[who]*rate.Limiter{}}
}

// take says whether one more request is taken now. exists is asked about the vault of a bucket that
// is not there yet.
func (t *throttle) take(w who, now time.Time, exists func(vault string) bool) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	b, ok := t.young[w]
	if !ok {
		if !exists(w.vault) {
			w.vault = ""
		}
		b = t.bucket(w)
	}
	return b.AllowN(now, 1)
}

// bucket finds or makes one in the young generation. The names are copied: they lie in the
// request's memory.
func (t *throttle) bucket(w who) *rate.Limiter {
	if b, ok := t.young[w]; ok {
		return b
	}
	b, ok := t.old[w]
	if !ok {
		b = rate.NewLimiter(t.rate, t.burst)
	}
	if len(t.young) >= maxBuckets {
		t.young, t.old = map[who]*rate.Limiter{}, t.young
	}
	t.young[who{strings.Clone(w.oid), strings.Clone(w.vault)}] = b
	return b
}

// pause is after how long a bucket that is empty has one request more.
func (t *throttle) pause() time.Duration {
	return time.Duration(math.Min(float64(time.Second)/float64(t.rate), float64(time.Hour)))
}
