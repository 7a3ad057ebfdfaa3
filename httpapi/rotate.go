package httpapi

import (
	"context"
	"time"

	"keyquorum/node"
)

// rotateRoutes change the keys of the cluster itself. A PUT begins, where no change of that key is
// under way, and a GET says how far it is: what is begun goes on by itself.
func rotateRoutes() []route {
	const at = "keyquorum/rotate/"
	var routes []route
	for _, k := range clusterKeys {
		routes = append(routes,
			route{methods: opWrite, shape: at + k.name, operation: "admin/rotate/" + k.name, body: k.body,
				serve: k.begin},
			route{methods: opGet, shape: at + k.name, operation: "admin/rotation/" + k.name, serve: k.look})
	}
	return routes
}

// A clusterKey is one of the keys that can be changed while all nodes serve.
type clusterKey struct {
	name        string
	body        int64
	begin, look endpoint
}

var clusterKeys = []clusterKey{
	{"keyring", tinyBody, recorded(beginKeyring, nothing, writeRotation),
		recorded(lookKeyring, nothing, writeRotation)},
	{"token-key", tinyBody, serve(rotateTokenKey, writeRotation),
		serve(tokenKeyStatus, writeRotation)},
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

func writeRotation(c *opCall, r *node.Rotation) error {
	return writeData(c, &rotationData{r.ID, r.Since, r.Older, r.Step == "", r.Step,
		each(r.Waiting, func(l node.Laggard) laggardData { return laggardData(l) })})
}

func rotateTokenKey(c *opCall, q *rotateTokensRequest) (node.Rotation, error) {
	k, err := c.vaults.RotateTokenKey(c.ctx, c.operator, q.Forget)
	return node.Rotation{ID: k.ID, Since: k.Since, Older: k.Older}, err
}

func tokenKeyStatus(c *opCall, _ *none) (node.Rotation, error) {
	k, err := c.vaults.TokenKeyStatus(c.ctx, c.operator)
	return node.Rotation{ID: k.ID, Since: k.Since, Older: k.Older}, err
}

// byNode is a key whose change node carries out.
func byNode(name string, begin,
	look func(*node.Node, context.Context) (node.Rotation, error)) clusterKey {
	asked := func(ask func(*node.Node, context.Context) (node.Rotation, error)) endpoint {
		return recorded(func(c *opCall, _ *none) (node.Rotation, error) {
			r, err := ask(c.ops.n, c.ctx)
			return r, nodeFailure(err)
		}, nothing, writeRotation)
	}
	return clusterKey{name, 0, asked(begin), asked(look)}
}

func lookKeyring(c *opCall, _ *none) (node.Rotation, error) {
	r, err := c.ops.n.KeyringRotation()
	return r, nodeFailure(err)
}

type keyStatusData struct {
	Term        uint64    `json:"term"`
	InstallTime time.Time `json:"install_time"`
	Encryptions uint64    `json:"encryptions"`              // about: entries of the log since then
	OlderTerms  int       `json:"older_terms"`              // that still open something
	OlderSealed int       `json:"sealed_under_older_terms"` // records; the leader seals them anew
}

func keyStatus(c *opCall, _ *none) (keyStatusData, error) {
	s, err := c.ops.n.KeyStatus()
	return keyStatusData{uint64(s.Term), s.Since, s.Entries, s.Older, s.Left}, nodeFailure(err)
}

func rotateKeyring(c *opCall, _ *none) (none, error) {
	_, err := c.ops.n.RotateKeyring(c.ctx)
	return none{}, nodeFailure(err)
}
