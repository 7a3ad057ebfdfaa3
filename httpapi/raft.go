package httpapi

import (
	"encoding/hex"
	"errors"
	"net/http"
	"net/netip"
	"strings"

	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// raftRoutes are /v1/sys/storage/raft. The two bootstrap calls are what a joining node makes of a
// member.
func raftRoutes() []route {
	const at = "sys/storage/raft/"
	return append(autopilotRoutes(), []route{
		{methods: opWrite, shape: at + "join", operation: "sys/raft/join", body: openBody, open: true,
			within: attemptTime,
			serve:  recorded(join, func(q *joinRequest) string { return q.Leader }, writeData)},
		{methods: opWrite, shape: at + "bootstrap/challenge", operation: "sys/raft/challenge",
			body: tinyBody, open: true,
			serve: serve(bootstrapChallenge, writeData)},
		{methods: opWrite, shape: at + "bootstrap/answer", operation: "sys/raft/answer", body: openBody,
			open:  true,
			serve: recorded(bootstrapAnswer, func(q *answerBody) string { return q.ServerID }, writeData)},
		{methods: opGet, shape: at + "configuration", operation: "sys/raft/configuration",
			serve: recorded(configuration, nothing, writeData)},
		{methods: opWrite, shape: at + "remove-peer", operation: "sys/raft/remove-peer", body: tinyBody,
			serve: recorded(removePeer, func(q *removeRequest) string { return q.ServerID }, noContent)},
		{methods: opGet, shape: at + "snapshot", operation: "sys/raft/snapshot",
			serve: recorded(saveSnapshot, nothing, writeSnapshot)},
		{methods: opWrite, shape: at + "snapshot", operation: "sys/raft/restore", body: maxRestored,
			within: restoreTime,
			serve:  recorded(restoreSnapshot, nothing, noContent)},
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
}

// join makes this node collect shares for the cluster behind an address. With retry the answer
// comes at once, and the attempts go on until one succeeds, another join is asked for, or the
// handler is closed.
func join(c *opCall, q *joinRequest) (joinData, error) {
	h := c.ops.n.Health()
	switch {
	case h.Initialized && !h.Sealed && !h.Removed:
		return joinData{}, &wire.Failure{Status: http.StatusInternalServerError,
			Message: "node must be sealed before joining"}
	case q.AutoJoin != "" || q.ClientCert != "" || q.ClientKey != "":
		return joinData{}, wire.Refuse(http.StatusBadRequest, "",
			"auto_join and leader_client_cert are not supported")
	}
	ch, err := newChallenger(q.Leader, []byte(q.CACert), q.ServerName, c.ops.dial, c.ops.n.Says())
	if err != nil {
		return joinData{}, wire.Refuse(http.StatusBadRequest, "", err.Error())
	}
	if !c.nearby() && !c.ops.askers.Allow() {
		return joinData{}, &wire.Failure{Status: http.StatusTooManyRequests,
			Message: "too many attempts to join"}
	}
	if h.Initialized {
		return c.joinedAlready(ch)
	}
	if err := c.searching(); err != nil {
		return joinData{}, err
	}
	if q.Retry {
		c.ops.joins.start(ch, q.NonVoter)
		return joinData{Joined: true}, nil
	}
	if err := c.ops.n.Join(c.ctx, ch, q.NonVoter); err != nil {
		if f := wire.FailureOf(nodeFailure(err)); f.Status == http.StatusBadRequest {
			return joinData{}, f
		}
		c.ops.log.Warn("joining the cluster failed", "request_id", c.req.ID, "error", err)
		return joinData{}, c.unjoined(err)
	}
	return joinData{Joined: true}, nil
}

// searching refuses what another machine asks of a node whose configuration names places, until one
// of these has let it join. With shares of his own, whoever asks would make it a member of his
// cluster for good. From then on the node refuses by itself what is not the same cluster.
func (c *opCall) searching() error {
	search := c.ops.joins.search
	if search == nil || search.Found() || c.nearby() {
		return nil
	}
	c.ops.log.Warn("refused a join that another machine asked for: no place that the configuration "+
		"names in retry_join has let this node join yet", "request_id", c.req.ID)
	return wire.Refuse(http.StatusBadRequest, "", "this node joins the cluster that it finds at the "+
		"places that its configuration names in retry_join, and none has let it join yet: its status "+
		"and its log say why. To have it join another cluster, change the configuration, or ask from "+
		"its own machine (keyquorum operator raft join, at its loopback address)")
}

// joinedAlready answers a sealed member that is told to join, as scripts tell it at every start:
// it has joined, if the one at the address is of its cluster. That is looked at now and then, and
// said in few words: whoever asks has no token, and must not learn which ports of others are
// open.
func (c *opCall) joinedAlready(ch node.Challenger) (joinData, error) {
	err := c.ops.n.JoinedAlready(c.ctx, ch)
	var refused *joinRefused
	switch {
	case err == nil, errors.As(err, &refused) && refused.status == http.StatusServiceUnavailable:
		return joinData{true, true}, nil // a sealed one can't tell: all are, after a power cut
	case errors.Is(err, node.ErrOtherCluster):
		return joinData{}, nodeFailure(err)
	}
	var peer *node.PeerError
	if errors.As(err, &peer) {
		return joinData{}, nodeFailure(err)
	}
	c.ops.log.Warn("a member was told to join again, and the one that was named could not be asked",
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
func (c *opCall) unjoined(err error) error {
	why := "the log of this node says why"
	if c.nearby() {
		why = err.Error()
	}
	return &wire.Failure{Status: http.StatusInternalServerError,
		Message: "failed to join raft cluster: " + why}
}

// nearby: the caller is on this machine, and nobody else had to say so.
func (c *opCall) nearby() bool {
	from, err := netip.ParseAddrPort(c.req.Remote)
	return err == nil && c.req.Via == "" && from.Addr().Unmap().IsLoopback()
}

// validServerID: 128 bits in lower-case hex. What a stranger sends goes no further otherwise.
func validServerID(s string) bool {
	id, err := hex.DecodeString(s)
	return err == nil && len(id) == 16 && s == strings.ToLower(s)
}

type challengeBody struct {
	ServerID string `json:"server_id"`
}

type challengeData struct {
	Challenge  []byte         `json:"challenge"` // the seal's lock
	Nonce      []byte         `json:"nonce"`
	SealConfig sealConfigData `json:"seal_config"`
	Version    string         `json:"version"`
}

type sealConfigData struct {
	Type      string `json:"type"`
	Shares    int    `json:"secret_shares"`
	Threshold int    `json:"secret_threshold"`
}

// bootstrapChallenge gives nothing away and leaves nothing behind, so it writes no usage record:
// anyone could fill the log.
func bootstrapChallenge(c *opCall, q *challengeBody) (challengeData, error) {
	if c.vaults == nil {
		return challengeData{}, wire.Unavailable("Vault is sealed")
	}
	if !validServerID(q.ServerID) {
		return challengeData{},
			wire.Refuse(http.StatusBadRequest, "", "server_id must be 32 hexadecimal digits")
	}
	if said := c.r.Header.Get(releaseHeader); said != "" { // else the second call tells
		if err := c.ops.n.WorksWith(said); err != nil {
			return challengeData{}, nodeFailure(err)
		}
	}
	ch, err := c.ops.n.MakeChallenge(q.ServerID)
	s := c.ops.n.SealStatus()
	return challengeData{ch.Lock, ch.Nonce, sealConfigData{"shamir", s.Shares, s.Threshold},
		ch.Version}, nodeFailure(err)
}

// answerBody is node.Answer on the wire; bytes are standard base64.
type answerBody struct {
	ServerID    string `json:"server_id"`
	Nonce       []byte `json:"nonce"`
	Answer      []byte `json:"answer"`
	CSR         []byte `json:"csr"`
	ClusterAddr string `json:"cluster_addr"`
	Label       string `json:"label,omitempty"`
}

type admissionData struct {
	Certificate []byte `json:"certificate"`
	CA          []byte `json:"ca"`
	GossipKey   []byte `json:"gossip_key"`
	SealRecord  []byte `json:"seal_record"`
	Trust       []byte `json:"trust"`
	Proof       []byte `json:"proof"`
}

// bootstrapAnswer admits a node that has proved that it was given the unseal shares (decision 17).
func bootstrapAnswer(c *opCall, q *answerBody) (admissionData, error) {
	if c.vaults == nil {
		return admissionData{}, wire.Unavailable("Vault is sealed")
	}
	if !validServerID(q.ServerID) {
		return admissionData{},
			wire.Refuse(http.StatusBadRequest, "", "server_id must be 32 hexadecimal digits")
	}
	if err := c.ops.n.WorksWith(c.r.Header.Get(releaseHeader)); err != nil {
		return admissionData{}, nodeFailure(err)
	}
	a, err := c.ops.n.AdmitAnswer(c.ctx, node.Answer{
		ServerID: q.ServerID, Nonce: q.Nonce, MAC: q.Answer, CSR: q.CSR, ClusterAddr: q.ClusterAddr,
		Label: q.Label,
	})
	c.proved = err == nil
	return admissionData(a), nodeFailure(err)
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

func configuration(c *opCall, _ *none) (configurationData, error) {
	peers, index, err := c.ops.n.Peers()
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

func removePeer(c *opCall, q *removeRequest) (none, error) {
	if q.ServerID == "" {
		return none{}, wire.Refuse(http.StatusBadRequest, "", "no server id provided")
	}
	return none{}, nodeFailure(c.ops.n.RemovePeer(c.ctx, q.ServerID, q.Force))
}
