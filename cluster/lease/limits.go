package lease

import "time"

// Limits are the times of the protocol. All nodes of a cluster go by the same ones.
type Limits struct {
	// Base is how long a lease lasts where messages take no time.
	Base time.Duration
	// PerTrip is how many of the longest round trips among the members come on top of Base.
	PerTrip int
	// Most bounds a lease, however far the members are from each other.
	Most time.Duration
	// MarginTenths is by how many tenths longer the one who waits for the end of a lease counts
	// than the one who uses it.
	MarginTenths int
	// MaxDrift is by how much the rates of a member's clock and of the leader's may differ. Of two
	// members, each within it, one waits long enough for the other: (1+MaxDrift) / (1-MaxDrift) is
	// less than the margin.
	MaxDrift float64
	// Settling is how long a new leader keeps to the life of leases under its predecessor, if that
	// is longer: ways are known when members have checked in a few times.
	Settling time.Duration
	// Patience is how many tenths of a life writers wait for a holder before it gets no other
	// lease; 0: as long as it takes.
	PatienceTenths int
	// A member for which writers had to wait gets no lease for LeastBackoff, and each time for
	// twice as long, up to MostBackoff. 0: it gets one at once.
	LeastBackoff, MostBackoff time.Duration
}

// Standard is what clusters go by. A voter that starts again may have promised Most, and 1.04/0.96
// is less than 1.1.
var Standard = Limits{
	Base: 500 * time.Millisecond, PerTrip: 5, Most: 2 * time.Second,
	MarginTenths: 1, MaxDrift: 0.04, Settling: 5 * time.Second,
	PatienceTenths: 5, LeastBackoff: time.Second, MostBackoff: 32 * time.Second,
}

// margin is what comes on top of a life for the one who waits: its clock may be the faster one.
func (l *Limits) margin(life time.Duration) time.Duration {
	return life * time.Duration(l.MarginTenths) / 10
}

// longest is a lease and its margin at their longest.
func (l *Limits) longest() time.Duration { return l.Most + l.margin(l.Most) }
