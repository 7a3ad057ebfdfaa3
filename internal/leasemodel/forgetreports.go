package leasemodel

import (
	"time"

	"keyquorum/cluster/lease"
)

// forgetReports keeps of the reports what support and quiet are made of. While the voters stay the
// same, support is one number, whoever it came from.
func (m *Model) forgetReports(n *node, t *lease.Table) {
	if !m.voters {
		m.levelSupport(n, t)
	}
	if !t.Quiet && m.quietBefore(n, t) {
		t.Begun = n.now
	}
	kept := t.Reports[:0]
	for _, r := range t.Reports {
		if t.Quiet {
			r.Free = 0
			if r.Support <= n.now {
				continue
			}
		}
		kept = append(kept, r)
	}
	t.Reports = kept
}

// quietBefore says whether a leader will be quiet by what voters told it no later than by the time
// that it leads.
func (m *Model) quietBefore(n *node, t *lease.Table) bool {
	voters, soon := 0, 0
	for _, s := range t.Members {
		if !s.Voter {
			continue
		}
		voters++
		for _, r := range t.Reports {
			if r.Node == s.ID && r.Free <= max(n.now, t.Begun+time.Duration(m.whole())*tick) {
				soon++
			}
		}
	}
	return soon > voters/2
}

// levelSupport has every voter in the table give the leader as much as its majority does.
func (m *Model) levelSupport(n *node, t *lease.Table) {
	_, voters := m.initial()
	var few [maxNodes]time.Duration
	until := few[:0]
	for _, r := range t.Reports {
		if voters.has(number(r.Node)) {
			until = append(until, r.Support)
		}
	}
	support, need := time.Duration(0), voters.majority()
	if len(until) >= need && n.leads() {
		sortDown(until)
		support = until[need-1]
	}
	if t.Quiet { // who has reported does not matter any more
		t.Reports = t.Reports[:0]
		for i := range m.Nodes {
			if voters.has(i) {
				t.Reports = append(t.Reports, lease.Report{Node: ids[i]})
			}
		}
	}
	for i := range t.Reports {
		t.Reports[i].Support = 0
		if voters.has(number(t.Reports[i].Node)) {
			t.Reports[i].Support = support
		}
	}
}

// sortDown sorts a few, the greatest first.
func sortDown(a []time.Duration) {
	for i := range a {
		for j := i; j > 0 && a[j] > a[j-1]; j-- {
			a[j], a[j-1] = a[j-1], a[j]
		}
	}
}
