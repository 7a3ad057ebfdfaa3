package figures

import (
	"strings"
	"time"

	"keyquorum/node"
)

// A member has what the leader's books say of it.
type member = node.Peer

// lapsed is how long a member may be silent and count as there.
const lapsed = 10 * time.Second

// byMember are a member's labels: its name, which others may have too, and its id.
var byMember = []string{"node", "peer_id"}

func names(m *member) []string { return []string{strings.ToValidUTF8(m.Name(), "?"), m.ID} }

func peerID(m *member) []string { return []string{m.ID} }

// ofMembers has a sample for each member, the leader itself included.
func ofMembers(value func(f *facts, m *member) float64) func(f *facts, e emit) {
	return func(f *facts, e emit) {
		for i := range f.Cluster.Members {
			m := &f.Cluster.Members[i]
			e(value(f, m), names(m)...)
		}
	}
}

// ofHeard has a sample for each member that has checked in with this leader in its term.
func ofHeard(value func(f *facts, m *member) float64,
	labels func(m *member) []string) func(f *facts, e emit) {
	return func(f *facts, e emit) {
		for i := range f.Cluster.Members {
			if m := &f.Cluster.Members[i]; m.Account.Heard >= 0 {
				e(value(f, m), labels(m)...)
			}
		}
	}
}

func lag(f *facts, m *member) float64 {
	return float64(f.Cluster.Applied - min(f.Cluster.Applied, m.Account.Applied))
}

// lately says whether a member has been heard of.
func lately(m *member) bool { return m.Account.Heard >= 0 && m.Account.Heard < lapsed }
