package proving

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"keyquorum/cmd/keyquorum/console"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/httpapi"
	"keyquorum/prove"
)

// A provenNode is a node that the clients work through.
type provenNode struct {
	*operator.Client // reaches this node and no other
	id               string
	name             string // its label, where that is known
}

// A nodeState is an answer of keyquorum/state: nodes with the same digest at the same index hold
// the same.
type nodeState struct {
	ID     string `json:"node_id"`
	Index  uint64 `json:"index"`
	Digest string `json:"digest"`
}

// state is what the node holds, after an entry where index is not 0.
func (n *provenNode) state(ctx context.Context, index uint64) (nodeState, error) {
	path := operator.Administration + "state"
	if index > 0 {
		path = fmt.Sprintf("%s?index=%d", path, index)
	}
	var s nodeState
	err := n.Call(ctx, http.MethodGet, path, nil, &s)
	return s, err
}

// findNodes finds all nodes, or those named, and makes sure that the clients can work through each.
func findNodes(ctx context.Context, k *operator.Connection, s *proveSettings) (nodes []*provenNode,
	err error) {
	members, err := findMembers(ctx, k, len(s.nodes) == 0)
	if err != nil {
		return nil, err
	}
	addresses := s.nodes
	if len(addresses) == 0 {
		for _, m := range members {
			addresses = append(addresses, m.API)
		}
	}
	for _, address := range addresses {
		n, err := newProvenNode(ctx, k, address, s.clients)
		if err != nil {
			return nil, err
		}
		if err := n.introduce(members, nodes); err != nil {
			return nil, err
		}
		if err := n.serves(ctx, s.served, s.vault); err != nil {
			return nil, err
		}
		nodes = append(nodes, n)
	}
	return nodes, nil
}

// gossipPatience is how long a node may not have heard yet where others' APIs are: it or they have
// just been started.
const gossipPatience = 5 * time.Second

// findMembers asks the node at --address who its cluster is, and where their APIs are.
func findMembers(ctx context.Context, k *operator.Connection, addresses bool) ([]operator.Peer,
	error) {
	api, err := k.Client()
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(gossipPatience); ; {
		conf, err := operator.Configuration(ctx, api)
		if err != nil {
			return nil, at(api.Base, err)
		}
		members := conf.Data.Config.Servers
		unknown := slices.IndexFunc(members, func(p operator.Peer) bool { return p.API == "" })
		if unknown < 0 || !addresses {
			return members, nil
		}
		if time.Now().After(end) {
			return nil, fmt.Errorf("%s does not know where the API of node %s is: it is down, or cannot be reached from there, or has not said; start it, or name with --node all that are to be proven",
				api.Base, cmp.Or(members[unknown].Label, members[unknown].ID))
		}
		if err := wait(ctx, 100*time.Millisecond); err != nil {
			return nil, err
		}
	}
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// newProvenNode is the node at an address, called by its id. Its client dials that address whatever
// name it is asked for, so that vaults need no DNS, and no proxy or name with several addresses
// comes between.
func newProvenNode(
	ctx context.Context, k *operator.Connection, address string, connections int,
) (*provenNode, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("--node: %w", err)
	}
	api, err := k.ClientOf(address)
	if err != nil {
		return nil, err
	}
	transport := api.HTTP.Transport.(*http.Transport)
	transport.Proxy, transport.MaxIdleConnsPerHost = nil, connections+1
	dialer := net.Dialer{Timeout: 5 * time.Second}
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "443")))
	}
	n := &provenNode{Client: api}
	s, err := n.state(ctx, 0)
	if err != nil {
		return nil, at(address, err)
	}
	n.id, n.name = s.ID, s.ID
	return n, nil
}

// at says of which node an error is that does not say so itself.
func at(address string, err error) error {
	if strings.Contains(err.Error(), address) {
		return err
	}
	return fmt.Errorf("%s: %w", address, err)
}

// introduce finds the node among the members, and makes sure that it is none of the others.
func (n *provenNode) introduce(members []operator.Peer, others []*provenNode) error {
	i := slices.IndexFunc(members, func(p operator.Peer) bool { return p.ID == n.id })
	if i < 0 {
		return fmt.Errorf("node %s at %s is no member of the cluster that was asked", n.id, n.Base)
	}
	n.name = cmp.Or(members[i].Label, n.id)
	if twin := slices.IndexFunc(others, func(o *provenNode) bool { return o.id == n.id }); twin >= 0 {
		return fmt.Errorf("%s and %s are the same node, %s: each must be named by an address of its own",
			others[twin].Base, n.Base, n.name)
	}
	return nil
}

// serves asks for the vault without a token: the challenge in the answer tells the zone.
func (n *provenNode) serves(ctx context.Context, zone httpapi.Zone, vault string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet,
		vaultURL(zone, vault)+"/secrets?api-version=7.5", nil)
	if err != nil {
		return err
	}
	answer, err := n.HTTP.Do(request)
	if err != nil {
		return console.Exit(2, fmt.Errorf("%s as %s: %w; say with --zone where its vaults are", n.name,
			request.URL.Host, err))
	}
	answer.Body.Close()
	if !strings.Contains(answer.Header.Get("WWW-Authenticate"),
		`authorization="https://`+zone.Login+`/`) {
		return console.Exit(2,
			fmt.Errorf("%s does not serve vaults under %s with tokens from %s: say with --zone where they are",
				n.name, zone.Suffix, zone.Login))
	}
	return nil
}

func vaultURL(zone httpapi.Zone,
	vault string) string {
	return "https://" + vault + "." + zone.Suffix
}

// proveTarget is the cluster as the clients see it.
func proveTarget(nodes []*provenNode, zone httpapi.Zone) prove.Target {
	t := prove.Target{
		VaultURL: func(vault string) string { return vaultURL(zone, vault) },
		LoginURL: "https://" + zone.Login,
		Token:    nodes[0].Token,
	}
	for _, n := range nodes {
		t.Nodes = append(t.Nodes, prove.Node{Name: n.name, URL: n.Base, HTTP: n.HTTP})
	}
	return t
}
