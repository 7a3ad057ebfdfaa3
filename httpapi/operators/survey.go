package operators

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/internal/placement"
	"keyquorum/node"
)

// haStatusData is OpenBao's answer, and what a cluster over several regions has to tell beside it.
type haStatusData struct {
	Nodes      []haNode           `json:"nodes"`
	SurveyedBy string             `json:"surveyed_by"`               // the leader, or this node
	Leader     string             `json:"leader"`                    // node id, "" where none is known
	LeaseMS    int64              `json:"read_lease_ms"`             // 0 where nobody leads
	Spare      int                `json:"voters_to_spare"`           // negative: so many are missing
	Survives   []string           `json:"regions_to_spare"`          // any one of which may go
	Writes     map[string]float64 `json:"write_ms_by_region"`        // what one costs in messages
	Cheapest   *cheapestLeader    `json:"cheapest_leader,omitempty"` // another than the leader
	Outlook    []string           `json:"outlook"`                   // and who needs attention
	Accused    []accusation       `json:"accusations"`               // what nodes were caught at
	Level      int                `json:"level"`                     // that all nodes have agreed on; 0: not known
	Restoring  bool               `json:"restoring,omitempty"`       // a snapshot is
}

// accusation is what one node has caught another at, since it was started.
type accusation struct {
	Node  string    `json:"node_id"`
	Deed  string    `json:"deed"`
	Says  string    `json:"description"`
	By    string    `json:"seen_by"`
	Times uint64    `json:"times"`
	Last  time.Time `json:"last"`
}

// haNode is a member. Members of OpenBao's answer first.
type haNode struct {
	Hostname       string     `json:"hostname"`
	APIAddress     string     `json:"api_address"`
	ClusterAddress string     `json:"cluster_address"`
	Active         bool       `json:"active_node"`
	LastEcho       *time.Time `json:"last_echo"` // when the leader heard of it last; null for itself
	EchoMS         int64      `json:"echo_duration_ms"`
	SkewMS         int64      `json:"clock_skew_ms"`
	Version        string     `json:"version,omitempty"`
	Zone           string     `json:"redundancy_zone,omitempty"` // the region

	ID         string             `json:"node_id"`
	Region     string             `json:"region"`
	Level      int                `json:"newest_level"` // that its program knows; 0: not known
	Role       string             `json:"role"`         // leader, voter or non-voter
	State      string             `json:"state"`        // unsealed, sealed, trouble or unreachable
	Trouble    string             `json:"trouble,omitempty"`
	NoRoom     string             `json:"refuses_writes,omitempty"` // why, while it serves reads
	Lease      bool               `json:"read_lease"`               // it answers reads without a message
	Astray     bool               `json:"clock_astray"`             // its lease clock runs at a wrong rate
	BarredMS   int64              `json:"barred_ms"`                // for how long yet it gets no lease
	Applied    uint64             `json:"applied_index"`            // 0: not known
	Lag        uint64             `json:"lag"`                      // entries behind the one that is ahead
	RoundTrips map[string]float64 `json:"round_trips_ms"`           // to other members, by node id
}

type cheapestLeader struct {
	ID     string  `json:"node_id"`
	Region string  `json:"region"`
	Mean   float64 `json:"mean_write_ms"`
	Now    float64 `json:"mean_write_ms_now"`
}

// haStatus looks at the whole cluster. It takes a second where a member does not answer.
func haStatus(c *call, _ *exchange.None) (haStatusData, error) {
	s, err := c.plane.n.Survey(c.Ctx)
	if err != nil {
		return haStatusData{}, nodeFailure(err)
	}
	d := haStatusOf(s, c.plane.n.Health().Now)
	d.Outlook = append(d.Outlook, snapshotTroubles(c.plane.n.Scheduled())...)
	if d.Restoring = c.plane.n.Restoring(); d.Restoring {
		d.Outlook = append(d.Outlook, "A snapshot is being restored. Nothing has changed yet: all of it "+
			"comes into force at once. What a restore leaves that ends before, the leader removes.")
	}
	return d, nil
}

func haStatusOf(s node.Survey, now time.Time) haStatusData {
	d := haStatusData{
		SurveyedBy: s.By, Leader: s.Leader, LeaseMS: s.Life.Milliseconds(),
		Writes: map[string]float64{}, Survives: []string{}, Accused: []accusation{},
		Level: int(s.Level),
	}
	ahead := uint64(0)
	for _, p := range s.Members {
		if p.Answers {
			ahead = max(ahead, p.Status.Applied)
		}
	}
	for _, p := range s.Members {
		d.Nodes = append(d.Nodes, haNodeOf(p, ahead, now))
	}
	d.forgetTrips()
	servers := node.Servers(s)
	for _, region := range placement.Regions(servers) {
		if cost, known := placement.WriteFrom(servers, region, s.Leader, s.RoundTrip); known {
			d.Writes[region] = millis(cost)
		}
	}
	outlook := placement.Look(servers)
	d.Spare, d.Outlook = outlook.Spare, outlook.Sentences
	d.Survives = append(d.Survives, outlook.Survives...)
	if !s.Leads {
		d.Outlook = append([]string{"No leader answers this node. " +
			"What follows is what it can see itself; others may see more."}, d.Outlook...)
	}
	d.Outlook = append(d.Outlook, s.Programs()...)
	d.Cheapest = cheapest(s, servers)
	if c := d.Cheapest; c != nil {
		d.Outlook = append(d.Outlook, fmt.Sprintf("Writes would cost less if node %s led: "+
			"%.0f ms instead of %.0f on average.", nameIn(s, c.ID), c.Mean, c.Now))
	}
	d.accuse(s)
	if noRoom(s) {
		d.Outlook = append(d.Outlook, "No node takes writes: the voters that have room left on "+
			"their disks are no majority.")
	}
	for _, n := range d.Nodes {
		if sentence := n.attention(); sentence != "" {
			d.Outlook = append(d.Outlook, sentence)
		}
	}
	return d
}

// nameIn is what people call a member, with its region if it has one.
func nameIn(s node.Survey, id string) string {
	for _, p := range s.Members {
		if p.ID != id {
			continue
		}
		if region := p.Status.About.Region; region != "" {
			return p.Name() + " in region " + region
		}
		return p.Name()
	}
	return id
}

// noRoom says that too few voters have room for anybody to take writes. Who does not answer is not
// known to be short.
func noRoom(s node.Survey) bool {
	voters, roomy := 0, 0
	for _, p := range s.Members {
		if p.Voter {
			voters++
		}
		if p.Voter && p.Status.Short == "" {
			roomy++
		}
	}
	return roomy < voters/2+1 && voters > 0
}

// accuse names who was caught at something, in the list by node and in words once. Who was removed
// since then has no words: nothing is left to be done.
func (d *haStatusData) accuse(s node.Survey) {
	names, told := map[string]string{}, map[string]bool{}
	for _, p := range s.Members {
		names[p.ID] = p.Name()
	}
	for _, p := range s.Members {
		for _, a := range p.Status.Accused {
			d.Accused = append(d.Accused, accusation{a.Node, a.Deed, a.Says, p.ID, a.Times, a.Last.UTC()})
			name, there := names[a.Node]
			if told[a.Node+a.Deed] || !there && !a.Nameless() {
				continue
			}
			told[a.Node+a.Deed] = true
			name = cmp.Or(name, a.Node)
			d.Outlook = append(d.Outlook, fmt.Sprintf("Node %s %s. %s", name, a.Says, a.Advice()))
		}
	}
}

// haNodeOf tells of a member. ahead is the greatest index that anybody who answered has applied.
func haNodeOf(p node.Peer, ahead uint64, now time.Time) haNode {
	about, status, account := p.Status.About, p.Status, p.Account
	n := haNode{
		Hostname: about.Label, APIAddress: about.API, ClusterAddress: "https://" + p.Address,
		Active: p.Leader, EchoMS: p.RoundTrip.Milliseconds(), SkewMS: p.Skew.Milliseconds(),
		Version: about.Version, Zone: about.Region, Level: int(p.Release.Newest),
		ID: p.ID, Region: about.Region, Role: role(p), State: stateOf(p), Trouble: status.Trouble,
		NoRoom: status.Short,
		Lease:  account.Lease, Astray: status.ClockAstray, BarredMS: account.Barred.Milliseconds(),
		RoundTrips: map[string]float64{},
	}
	if p.Answers {
		n.Applied, n.Lag = status.Applied, ahead-status.Applied
	}
	if account.Heard >= 0 && !p.Leader {
		at := now.Add(-account.Heard).UTC()
		n.LastEcho = &at
	}
	for _, trip := range status.RoundTrips {
		n.RoundTrips[trip.To] = millis(trip.Took)
	}
	return n
}

// forgetTrips drops what was measured to members that do not answer.
func (d *haStatusData) forgetTrips() {
	for _, gone := range d.Nodes {
		for _, n := range d.Nodes {
			if gone.State == "unreachable" {
				delete(n.RoundTrips, gone.ID)
			}
		}
	}
}

func role(p node.Peer) string {
	switch {
	case p.Leader:
		return "leader"
	case p.Voter:
		return "voter"
	}
	return "non-voter"
}

func stateOf(p node.Peer) string {
	switch {
	case !p.Answers:
		return "unreachable"
	case p.Status.Trouble != "":
		return "trouble"
	case p.Status.Sealed:
		return "sealed"
	}
	return "unsealed"
}

// attention is what an operator should know of a node; "" for one that is well.
func (n haNode) attention() string {
	name := cmp.Or(n.Hostname, n.ID)
	switch {
	case n.State == "unreachable":
		return fmt.Sprintf("Node %s does not answer.", name)
	case n.State == "trouble":
		return fmt.Sprintf("Node %s is in trouble: %s.", name, n.Trouble)
	case n.State == "sealed":
		return fmt.Sprintf("Node %s is sealed: it keeps the data and votes, but serves nobody.", name)
	case n.NoRoom != "":
		return fmt.Sprintf("Node %s takes no writes, while reads go on: %s.", name, n.NoRoom)
	case n.Astray:
		return fmt.Sprintf("The clock of node %s, or the leader's, runs at a wrong rate: "+
			"%s asks the leader for each read.", name, name)
	case n.BarredMS > 0:
		return fmt.Sprintf("Node %s does not keep up: writes had to wait for it. "+
			"It asks the leader for each read for %d s yet.", name, n.BarredMS/1000+1)
	case math.Abs(float64(n.SkewMS)) > 1000:
		return fmt.Sprintf("The clocks of node %s and of the one that looked differ by %s.",
			name, time.Duration(n.SkewMS)*time.Millisecond)
	}
	return ""
}

// cheapest is the voter from which writes cost clearly less, if there is one.
func cheapest(s node.Survey, servers []placement.Server) *cheapestLeader {
	move, found := placement.Cheaper(servers, s.Leader, s.RoundTrip)
	if !found {
		return nil
	}
	at := slices.IndexFunc(servers, func(p placement.Server) bool { return p.ID == move.To })
	return &cheapestLeader{
		ID: move.To, Region: servers[at].Region, Mean: millis(move.Then), Now: millis(move.Now),
	}
}

// millis are milliseconds with two decimals.
func millis(d time.Duration) float64 {
	return math.Round(float64(d)/float64(10*time.Microsecond)) / 100
}
