package operators

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/joining"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// raftRoutes are /v1/sys/storage/raft. The two bootstrap calls are what a joining node makes of a
// member.
func raftRoutes() []exchange.Route {
	const at = "sys/storage/raft/"
	return append(autopilotRoutes(), []exchange.Route{
		{Methods: write, Shape: at + "join", Operation: "sys/raft/join", Body: exchange.OpenBody,
			Open:   true,
			Within: joining.AttemptTime,
			Serve:  recorded(join, func(q *joinRequest) string { return q.Leader }, writeData)},
		{Methods: write, Shape: at + "bootstrap/challenge", Operation: "sys/raft/challenge",
			Body: exchange.TinyBody, Open: true,
			Serve: exchange.Serve(bootstrapChallenge, writeData)},
		{Methods: write, Shape: at + "bootstrap/answer", Operation: "sys/raft/answer",
			Body: exchange.OpenBody,
			Open: true,
			Serve: recorded(bootstrapAnswer, func(q *joining.AnswerBody) string { return q.ServerID },
				writeData)},
		{Methods: get, Shape: at + "configuration", Operation: "sys/raft/configuration",
			Held: true, Serve: recorded(configuration, nothing, writeData)},
		{Methods: write, Shape: at + "remove-peer", Operation: "sys/raft/remove-peer",
			Body: exchange.TinyBody,
			Serve: recorded(removePeer, func(q *removeRequest) string { return q.ServerID },
				exchange.NoContent)},
		{Methods: get, Shape: at + "snapshot", Operation: "sys/raft/snapshot",
			Serve: recorded(saveSnapshot, nothing, writeSnapshot)},
		{Methods: write, Shape: at + "snapshot", Operation: "sys/raft/restore", Body: maxRestored,
			Within: restoreTime,
			Serve:  recorded(restoreSnapshot, nothing, exchange.NoContent)},
	}...)
}

type joinRequest struct {
	Leader     string `json:"leader_api_addr"`
	CACert     string `json:"leader_ca_cert"` // PEM
	ClientCert string `json:"leader_client_cert"`
	ClientKey  string `json:"leader_client_key"`
	ServerName string `json:"leader_tls_servername"`
	AutoJoin   string `json:"auto_join"`
	Scheme     string `json:"auto_join_scheme"` // for auto_join alone
	Port       uint   `json:"auto_join_port"`   // likewise
	Retry      bool   `json:"retry"`
	NonVoter   bool   `json:"non_voter"`
}

type joinData struct {
	Joined bool `json:"joined"`
	Member bool `json:"member,omitempty"` // it was a member already, and needs no join

	Waits  string `json:"waits,omitempty"`         // with retry: what it does until it finds somebody
	Forgot int    `json:"forgot_shares,omitempty"` // so many that it was given for another join
}

// join makes this node collect shares for the cluster behind an address. With retry the answer
// comes soon, and the attempts go on until one succeeds, another join is asked for, the node is a
// member in another way, or the handler is closed.
func join(c *call, q *joinRequest) (joinData, error) {
	h := c.plane.n.Health()
	switch {
	case h.Initialized && !h.Sealed && !h.Removed:
		return joinData{}, &wire.Failure{Status: http.StatusInternalServerError,
			Message: "this node is a member of a cluster already, and unsealed: it joins nothing, and " +
				"need not be sealed. Ask the new node to join (--address, KEYQUORUM_ADDR)"}
	case q.AutoJoin != "" || q.ClientCert != "" || q.ClientKey != "":
		return joinData{}, wire.Refuse(http.StatusBadRequest, "",
			"auto_join and leader_client_cert are not supported")
	}
	ch, err := joining.NewChallenger(q.Leader, []byte(q.CACert), q.ServerName, c.plane.dial,
		c.plane.n.Says())
	if err != nil {
		return joinData{}, wire.Refuse(http.StatusBadRequest, "", err.Error())
	}
	if !c.nearby() && !c.plane.askers.Allow() {
		return joinData{}, &wire.Failure{Status: http.StatusTooManyRequests,
			Message: "too many attempts to join"}
	}
	if h.Initialized {
		return c.joinedAlready(ch)
	}
	if err := c.searching(); err != nil {
		return joinData{}, err
	}
	given := c.plane.n.SealStatus().Progress
	if q.Retry {
		return c.retries(ch, q, given)
	}
	c.plane.joins.End()
	if err := c.plane.n.Join(c.Ctx, ch, q.NonVoter); err != nil {
		if f := wire.FailureOf(nodeFailure(err)); f.Status == http.StatusBadRequest {
			return joinData{}, f
		}
		c.plane.Log.Warn("joining the cluster failed", "request_id", c.Req.ID, "error", err)
		return joinData{}, c.unjoined(err)
	}
	return joinData{Joined: true, Forgot: c.forgot(given)}, nil
}

// retries begins a series. What its first attempt comes to is told where that takes no time.
func (c *call) retries(ch node.Challenger, q *joinRequest, given int) (joinData, error) {
	s := c.plane.joins.Start(ch, q.Leader, q.NonVoter)
	if s == nil {
		return joinData{}, wire.Unavailable("this node is closing")
	}
	select {
	case <-s.First:
	case <-time.After(joining.FirstWait):
	case <-c.Ctx.Done():
	}
	if err := s.Refused(); err != nil {
		return joinData{}, nodeFailure(err)
	}
	if !c.plane.n.SealStatus().Initialized {
		return joinData{Joined: true, Waits: s.Says(c.nearby())}, nil
	}
	return joinData{Joined: true, Forgot: c.forgot(given)}, nil
}

// forgot is how many of the shares that were given before are lost: they don't open the cluster
// that the node joins now.
func (c *call) forgot(given int) int {
	if now := c.plane.n.SealStatus(); now.Joining && now.Progress < given {
		return given - now.Progress
	}
	return 0
}

// searching refuses what another machine asks of a node whose configuration names places, until one
// of these has let it join. With shares of his own, whoever asks would make it a member of his
// cluster for good. From then on the node refuses by itself what is not the same cluster.
func (c *call) searching() error {
	search := c.plane.joins.Search
	if search == nil || search.Found() || c.nearby() {
		return nil
	}
	c.plane.Log.Warn("refused a join that another machine asked for: no place that the configuration "+
		"names in retry_join has let this node join yet", "request_id", c.Req.ID)
	return wire.Refuse(http.StatusBadRequest, "", "this node joins the cluster that it finds at the "+
		"places that its configuration names in retry_join, and none has let it join yet: its status "+
		"and its log say why. To have it join another cluster, change the configuration, or ask from "+
		"its own machine (keyquorum operator raft join, at its loopback address)")
}

// joinedAlready answers a sealed member that is told to join, as scripts tell it at every start:
// it has joined, if the one at the address is of its cluster. That is looked at now and then, and
// said in few words: whoever asks has no token, and must not learn which ports of others are
// open.
func (c *call) joinedAlready(ch node.Challenger) (joinData, error) {
	err := c.plane.n.JoinedAlready(c.Ctx, ch)
	var refused *joining.Refused
	switch {
	case err == nil, errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable:
		// A sealed one can't tell: all are sealed, after a power cut.
		return joinData{Joined: true, Member: true}, nil
	case errors.Is(err, node.ErrOtherCluster):
		return joinData{}, nodeFailure(err)
	}
	var peer *node.PeerError
	if errors.As(err, &peer) {
		return joinData{}, nodeFailure(err)
	}
	c.plane.Log.Warn("a member was told to join again, and the one that was named could not be asked",
		"error", err)
	return joinData{}, &wire.Failure{
		Status: http.StatusInternalServerError,
		Message: "failed to join raft cluster: this node is a member of a cluster already, " +
			"and the one to join did not answer; this node's log says more",
	}
}

// unjoined tells why joining failed where the caller could have looked himself. Nobody is known at
// a node without data: to tell strangers would have it scan, for anybody, ports that it alone
// reaches.
func (c *call) unjoined(err error) error {
	why := "the log of this node says why"
	if c.nearby() {
		why = err.Error()
	}
	return &wire.Failure{Status: http.StatusInternalServerError,
		Message: "failed to join raft cluster: " + why}
}

// nearby: the caller is on this machine, and nobody else had to say so.
func (c *call) nearby() bool {
	from, err := netip.ParseAddrPort(c.Req.Remote)
	return err == nil && c.Req.Via == "" && from.Addr().Unmap().IsLoopback()
}

// validServerID: 128 bits in lower-case hex. What a stranger sends goes no further otherwise.
func validServerID(s string) bool {
	id, err := hex.DecodeString(s)
	return err == nil && len(id) == 16 && s == strings.ToLower(s)
}

// bootstrapChallenge gives nothing away and leaves nothing behind, so it writes no usage record:
// anyone could fill the log.
func bootstrapChallenge(c *call, q *joining.ChallengeBody) (joining.ChallengeData, error) {
	if c.Vaults == nil {
		return joining.ChallengeData{}, c.admitsNobody()
	}
	if !validServerID(q.ServerID) {
		return joining.ChallengeData{},
			wire.Refuse(http.StatusBadRequest, "", "server_id must be 32 hexadecimal digits")
	}
	if said := c.R.Header.Get(joining.ReleaseHeader); said != "" { // else the second call tells
		if err := c.plane.n.WorksWith(said); err != nil {
			return joining.ChallengeData{}, nodeFailure(err)
		}
	}
	ch, err := c.plane.n.MakeChallenge(q.ServerID)
	s := c.plane.n.SealStatus()
	return joining.ChallengeData{Challenge: ch.Lock, Nonce: ch.Nonce, Version: ch.Version,
		SealConfig: joining.SealConfigData{Type: "shamir", Shares: s.Shares, Threshold: s.Threshold},
	}, nodeFailure(err)
}

// admitsNobody says to a joiner why this node can't let it join.
func (c *call) admitsNobody() error {
	if c.plane.n.Health().Initialized {
		return wire.Unavailable("Vault is sealed")
	}
	return wire.Unavailable("this node is no member of a cluster yet: name one that is, or make a " +
		"cluster of this one first (keyquorum operator init)")
}

// bootstrapAnswer admits a node that has proved that it was given the unseal shares (decision 17).
func bootstrapAnswer(c *call, q *joining.AnswerBody) (joining.AdmissionData, error) {
	if c.Vaults == nil {
		return joining.AdmissionData{}, c.admitsNobody()
	}
	if !validServerID(q.ServerID) {
		return joining.AdmissionData{},
			wire.Refuse(http.StatusBadRequest, "", "server_id must be 32 hexadecimal digits")
	}
	if err := c.plane.n.WorksWith(c.R.Header.Get(joining.ReleaseHeader)); err != nil {
		return joining.AdmissionData{}, nodeFailure(err)
	}
	a, err := c.plane.n.AdmitAnswer(c.Ctx, node.Answer{
		ServerID: q.ServerID, Nonce: q.Nonce, MAC: q.Answer, CSR: q.CSR, ClusterAddr: q.ClusterAddr,
		Label: q.Label,
	})
	c.proved = err == nil
	return joining.AdmissionData(a), nodeFailure(err)
}

type configurationData struct {
	Config raftConfig `json:"config"`
}

type raftConfig struct {
	Index   uint64       `json:"index"`
	Servers []raftServer `json:"servers"`
}

// raftServer: clients assert that the first five are there. The rest is what gossip says, where it
// says anything.
type raftServer struct {
	NodeID          string `json:"node_id"`
	Address         string `json:"address"`
	Leader          bool   `json:"leader"`
	Voter           bool   `json:"voter"`
	ProtocolVersion string `json:"protocol_version"`
	Label           string `json:"label,omitempty"`
	APIAddress      string `json:"api_address,omitempty"`
	Version         string `json:"version,omitempty"`
	Sealed          *bool  `json:"sealed,omitempty"`
	Applied         uint64 `json:"applied_index,omitempty"`
}

func configuration(c *call, _ *exchange.None) (configurationData, error) {
	peers, index, err := c.plane.n.Peers()
	return configurationData{raftConfig{index, each(peers, raftServerOf)}}, nodeFailure(err)
}

func raftServerOf(p node.Peer) raftServer {
	about := p.Status.About
	s := raftServer{
		NodeID: p.ID, Address: p.Address, Leader: p.Leader, Voter: p.Voter, ProtocolVersion: "3",
		Label: about.Label, APIAddress: about.API, Version: about.Version, Applied: p.Status.Applied,
	}
	if p.Known {
		s.Sealed = &p.Status.Sealed
	}
	return s
}

type removeRequest struct {
	ServerID string `json:"server_id"`
	Force    bool   `json:"force"`
	DRToken  string `json:"dr_operation_token"` // Vault's command sends it; it is nothing here
}

func removePeer(c *call, q *removeRequest) (exchange.None, error) {
	if q.ServerID == "" {
		return exchange.None{}, wire.Refuse(http.StatusBadRequest, "", "no server id provided")
	}
	return exchange.None{}, nodeFailure(c.plane.n.RemovePeer(c.Ctx, q.ServerID, q.Force))
}

// joinWaits says what this node waits for on its way to become a member, "" where it is not on it.
// What was found at other machines it tells nobody who is not on this one.
func (c *call) joinWaits() string {
	now, search, asked := c.plane.n.SealStatus(), c.plane.joins.Search, c.plane.joins.Asked()
	switch {
	case now.Joining:
		return "this node has found its cluster, and becomes a member with enough unseal shares"
	case now.Initialized:
		return ""
	case asked != nil:
		return asked.Says(c.nearby())
	case search == nil:
		return ""
	}
	waits := fmt.Sprintf("this node asks at the places that its configuration names in retry_join "+
		"(%d), in turn, until a member lets it join", search.Places())
	why := search.Why()
	switch {
	case why == nil:
		return waits
	case c.nearby():
		return waits + "; at last: " + why.Error()
	}
	return waits + "; none has yet, and its log says why"
}
