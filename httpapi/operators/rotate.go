package operators

import (
	"context"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/node"
)

// rotateRoutes change the keys of the cluster itself. A PUT begins, where no change of that key is
// under way, and a GET says how far it is: what is begun goes on by itself.
func rotateRoutes() []exchange.Route {
	const at = "keyquorum/rotate/"
	var routes []exchange.Route
	for _, k := range clusterKeys {
		routes = append(routes,
			exchange.Route{Methods: write, Shape: at + k.name, Operation: "admin/rotate/" + k.name,
				Body:  k.body,
				Serve: k.begin},
			exchange.Route{Methods: get, Shape: at + k.name, Operation: "admin/rotation/" + k.name,
				Serve: k.look})
	}
	return routes
}

// A clusterKey is one of the keys that can be changed while all nodes serve.
type clusterKey struct {
	name        string
	body        int64
	begin, look exchange.Endpoint
}

var clusterKeys = []clusterKey{
	{"keyring", exchange.TinyBody, recorded(beginKeyring, nothing, writeRotation),
		recorded(lookKeyring, nothing, writeRotation)},
	{"token-key", exchange.TinyBody, exchange.Serve(rotateTokenKey, writeRotation),
		exchange.Serve(tokenKeyStatus, writeRotation)},
	byNode("gossip-key", (*node.Node).RotateGossipKey, (*node.Node).GossipRotation),
	byNode("node-keys", (*node.Node).RotateNodeKeys, (*node.Node).NodeKeysRotation),
	byNode("authority", (*node.Node).RotateAuthority, (*node.Node).AuthorityRotation),
}

type rotateTokensRequest struct {
	Forget bool `json:"forget"` // of older keys, at once
}

type rotationData struct {
	ID      string        `json:"id"`             // of the newest key: a number, or the beginning of a hash
	Since   time.Time     `json:"since,omitzero"` // absent: not known
	Older   int           `json:"older"`          // keys that are still good for what they were used for
	Done    bool          `json:"done"`           // nothing is under way
	Step    string        `json:"step,omitempty"` // what is done now
	Waiting []laggardData `json:"waiting"`        // members that have yet to follow
}

type laggardData struct {
	NodeID  string `json:"node_id"`
	Label   string `json:"label,omitempty"`
	Answers bool   `json:"answers"` // one that does not is away, and follows when it is back
}

func writeRotation(c *call, r *node.Rotation) error {
	return writeData(c, &rotationData{r.ID, r.Since, r.Older, r.Step == "", r.Step,
		each(r.Waiting, func(l node.Laggard) laggardData { return laggardData(l) })})
}

func rotateTokenKey(c *call, q *rotateTokensRequest) (node.Rotation, error) {
	k, err := c.Vaults.RotateTokenKey(c.Ctx, c.operator, q.Forget)
	return node.Rotation{ID: k.ID, Since: k.Since, Older: k.Older}, err
}

func tokenKeyStatus(c *call, _ *exchange.None) (node.Rotation, error) {
	k, err := c.Vaults.TokenKeyStatus(c.Ctx, c.operator)
	return node.Rotation{ID: k.ID, Since: k.Since, Older: k.Older}, err
}

// byNode is a key whose change node carries out.
func byNode(name string, begin,
	look func(*node.Node, context.Context) (node.Rotation, error)) clusterKey {
	asked := func(ask func(*node.Node, context.Context) (node.Rotation, error)) exchange.Endpoint {
		return recorded(func(c *call, _ *exchange.None) (node.Rotation, error) {
			r, err := ask(c.plane.n, c.Ctx)
			return r, nodeFailure(err)
		}, nothing, writeRotation)
	}
	return clusterKey{name, 0, asked(begin), asked(look)}
}

func lookKeyring(c *call, _ *exchange.None) (node.Rotation, error) {
	r, err := c.plane.n.KeyringRotation()
	return r, nodeFailure(err)
}

type keyStatusData struct {
	Term        uint64    `json:"term"`
	InstallTime time.Time `json:"install_time"`
	Encryptions uint64    `json:"encryptions"`              // about: entries of the log since then
	OlderTerms  int       `json:"older_terms"`              // that still open something
	OlderSealed int       `json:"sealed_under_older_terms"` // records; the leader seals them anew
}

func keyStatus(c *call, _ *exchange.None) (keyStatusData, error) {
	s, err := c.plane.n.KeyStatus()
	return keyStatusData{uint64(s.Term), s.Since, s.Entries, s.Older, s.Left}, nodeFailure(err)
}

func rotateKeyring(c *call, _ *exchange.None) (exchange.None, error) {
	_, err := c.plane.n.RotateKeyring(c.Ctx)
	return exchange.None{}, nodeFailure(err)
}
