package doctor

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"keyquorum/cmd/keyquorum/operator"
)

// farBehind is behind how many entries a member may be and count as healthy: autopilot's default in
// Vault.
const farBehind = 1000

// maxMembers bounds how many are asked. No cluster has as many.
const maxMembers = 64

// clusterChecks are those that need the operators' token. serving says whether the node can verify
// it.
func clusterChecks(ctx context.Context, k *operator.Connection, api *operator.Client,
	serving bool) []Check {
	p := &page{of: ofCluster}
	switch {
	case !serving:
		p.skip("members", "", "an unsealed node is needed to ask")
		return p.checks
	case api.Token == "":
		p.skip("members", "set KEYQUORUM_TOKEN", "the cluster tells operators alone how it is")
		return p.checks
	}
	s, err := operator.Survey(ctx, api)
	if err != nil {
		p.add("members", Failed, "", "%v", err)
		return p.checks
	}
	p.quorum(s)
	p.versions(s)
	for _, n := range s.Nodes {
		p.member(n)
	}
	if len(s.Accused) > 0 {
		p.add("accusations", Failed, "keyquorum status says who, of what, and what to do",
			"members were caught at what no node does: %d times", len(s.Accused))
	}
	p.eachMember(ctx, k, s)
	p.tokens(ctx, api)
	return p.checks
}

// quorum is what may be lost.
func (p *page) quorum(s operator.ClusterStatus) {
	const check = "voters to spare"
	switch {
	case s.Leader == "":
		p.add(check, Failed, "start nodes until a majority of the voters runs", "no leader is known")
	case s.Spare < 0:
		p.add(check, Failed, "start them: there is no majority", "%d voters are missing", -s.Spare)
	case s.Spare == 0 && len(s.Nodes) == 1:
		p.add(check, Warning, "add two nodes to survive the loss of one", "the cluster has one node")
	case s.Spare == 0:
		p.add(check, Warning, "bring back those that are missing", "no voter may be lost")
	default:
		p.ok(check, "%d may be lost", s.Spare)
	}
}

func (p *page) versions(s operator.ClusterStatus) {
	const check = "versions"
	var all []string
	for _, n := range s.Nodes {
		if n.Version != "" && !slices.Contains(all, n.Version) {
			all = append(all, n.Version)
		}
	}
	if len(all) > 1 {
		p.add(check, Warning, "finish the upgrade", "the members have %s", strings.Join(all, ", "))
		return
	}
	p.ok(check, "%s", cmp.Or(strings.Join(all, ""), "not told"))
}

// member is how the cluster finds one of its own.
func (p *page) member(n operator.NodeStatus) {
	check := "member " + cmp.Or(n.Name, n.ID)
	switch {
	case n.State == "unreachable":
		p.add(check, Failed, "start it, or look at the network between the nodes",
			"it does not answer the others")
	case n.State == "trouble":
		p.add(check, Failed, "", "it serves nobody: %s", n.Trouble)
	case n.State == "sealed":
		p.add(check, Warning, "give it its unseal shares", "it is sealed, and serves nobody")
	case n.NoRoom != "":
		p.add(check, Failed, "make room", "it takes no writes: %s", n.NoRoom)
	case n.Lag > farBehind:
		p.add(check, Warning, "look at its disk and its network", "it is %d entries behind", n.Lag)
	default:
		p.ok(check, "%s, %s, %d entries behind", n.Role, n.State, n.Lag)
	}
}

// eachMember asks all members at their own addresses, at once.
func (p *page) eachMember(ctx context.Context, k *operator.Connection, s operator.ClusterStatus) {
	nodes := s.Nodes[:min(len(s.Nodes), maxMembers)]
	pages := make([]page, len(nodes))
	var asking sync.WaitGroup
	for i, n := range nodes {
		pages[i].of = ofCluster
		asking.Go(func() { pages[i].visit(ctx, k, n) })
	}
	asking.Wait()
	for _, each := range pages {
		p.checks = append(p.checks, each.checks...)
	}
}

// visit looks at what a member alone can tell.
func (p *page) visit(ctx context.Context, k *operator.Connection, n operator.NodeStatus) {
	name := cmp.Or(n.Name, n.ID)
	if n.API == "" || n.State == "unreachable" {
		return // which was said
	}
	api, err := k.Member(n.API)
	var h health
	if err == nil {
		h, err = healthOf(ctx, api)
	}
	if err != nil {
		p.add("API of "+name, Warning, "look at the firewall and the certificate",
			"from here it is not reached: %v", err)
		return
	}
	p.ok("API of "+name, "%s answers in %s", n.API, rounded(h.trip))
	p.certificate("certificate of "+name, h)
	p.clocks("clock of "+name, h)
	if !h.Sealed {
		p.figures(ctx, api, name)
	}
}

// tokens counts what ends soon, and names nobody.
func (p *page) tokens(ctx context.Context, api *operator.Client) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var own struct {
		Data struct {
			TTL int64 `json:"ttl"` // seconds; 0: it does not end
		} `json:"data"`
	}
	var all struct {
		Data struct {
			Apps []struct {
				Credentials []struct {
					Expires *time.Time `json:"expires"`
				} `json:"credentials"`
			} `json:"apps"`
		} `json:"data"`
	}
	err := api.Call(ctx, http.MethodGet, "/v1/auth/token/lookup-self", nil, &own)
	if left := time.Duration(own.Data.TTL) * time.Second; err == nil && left > 0 && left < EndIsNear {
		p.add("operators' token", Warning, "make another", "it ends in %s", left)
	} else if err == nil {
		p.ok("operators' token", "it is good, and does not end soon")
	}
	if err = api.Call(ctx, http.MethodGet, "/v1/keyquorum/apps", nil, &all); err != nil {
		p.skip("client secrets", "", "%v", err)
		return
	}
	soon := 0
	for _, a := range all.Data.Apps {
		for _, c := range a.Credentials {
			if c.Expires != nil && time.Until(*c.Expires) > 0 && time.Until(*c.Expires) < EndIsNear {
				soon++
			}
		}
	}
	if soon > 0 {
		p.add("client secrets", Warning, "keyquorum app show APP says which; make others, and remove "+
			"these", "of applications, %d end within 14 days", soon)
		return
	}
	p.ok("client secrets", "none of an application ends within 14 days")
}
