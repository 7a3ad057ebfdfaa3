package operators

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// autopilotRoutes are how the members are, by what they are judged, and who has a vote. Any node
// serves them: it asks the leader, and signs for what is to change.
func autopilotRoutes() []exchange.Route {
	const at = "sys/storage/raft/"
	named := func(q *voteRequest) string { return q.ServerID }
	return []exchange.Route{
		{Methods: get, Shape: at + "autopilot/state", Operation: "sys/raft/autopilot-state",
			Serve: recorded(autopilotState, nothing, writeData)},
		{Methods: get, Shape: at + "autopilot/configuration",
			Operation: "sys/raft/autopilot-configuration",
			Serve:     recorded(autopilotConfig, nothing, writeData)},
		{Methods: write, Shape: at + "autopilot/configuration",
			Operation: "sys/raft/autopilot-configure", Body: exchange.TinyBody,
			Serve: recorded(setAutopilotConfig, nothing, exchange.NoContent)},
		{Methods: write, Shape: at + "promote", Operation: "sys/raft/promote", Body: exchange.TinyBody,
			Serve: recorded(promotePeer, named, exchange.NoContent)},
		{Methods: write, Shape: at + "demote", Operation: "sys/raft/demote", Body: exchange.TinyBody,
			Serve: recorded(demotePeer, named, exchange.NoContent)},
	}
}

type voteRequest struct {
	ServerID string `json:"server_id"`
	Force    bool   `json:"force"`
	DRToken  string `json:"dr_operation_token"` // of Vault
}

func (q *voteRequest) check() error {
	if q.ServerID == "" {
		return wire.Refuse(http.StatusBadRequest, "", "no server id provided")
	}
	return nil
}

func promotePeer(c *call, q *voteRequest) (exchange.None, error) {
	if err := q.check(); err != nil {
		return exchange.None{}, err
	}
	return exchange.None{}, nodeFailure(c.plane.n.PromotePeer(c.Ctx, q.ServerID, q.Force))
}

func demotePeer(c *call, q *voteRequest) (exchange.None, error) {
	if err := q.check(); err != nil {
		return exchange.None{}, err
	}
	return exchange.None{}, nodeFailure(c.plane.n.DemotePeer(c.Ctx, q.ServerID, q.Force))
}

// autopilotData has the names of Vault and OpenBao. Nothing here changes what may be lost in the
// best case, so the optimistic tolerance is the other one.
type autopilotData struct {
	Healthy    bool                           `json:"healthy"`
	Tolerance  int                            `json:"failure_tolerance"`
	Optimistic int                            `json:"optimistic_failure_tolerance"`
	Leader     string                         `json:"leader"`
	Voters     []string                       `json:"voters"`
	NonVoters  []string                       `json:"non_voters"`
	Servers    map[string]autopilotServerData `json:"servers"`
}

type autopilotServerData struct {
	ID          string    `json:"id"`
	Name        string    `json:"name"`
	Address     string    `json:"address"`
	NodeStatus  string    `json:"node_status"` // alive, or failed after the dead threshold
	LastContact string    `json:"last_contact"`
	LastTerm    uint64    `json:"last_term"` // 0: it was not heard in this one
	LastIndex   uint64    `json:"last_index"`
	Healthy     bool      `json:"healthy"`
	StableSince time.Time `json:"stable_since"`
	Status      string    `json:"status"` // leader, voter or non-voter
	NodeType    string    `json:"node_type"`
	Version     string    `json:"version"`
	Demoted     bool      `json:"demoted,omitempty"` // it gets a vote by promote alone
}

func autopilotState(c *call, _ *exchange.None) (autopilotData, error) {
	s, err := c.plane.n.Autopilot(c.Ctx)
	d := autopilotData{
		Healthy: s.Healthy, Tolerance: s.Tolerance, Optimistic: s.Tolerance, Leader: s.Leader,
		Voters: []string{}, NonVoters: []string{},
		Servers: make(map[string]autopilotServerData, len(s.Servers)),
	}
	for _, server := range s.Servers {
		if server.Voter {
			d.Voters = append(d.Voters, server.ID)
		} else {
			d.NonVoters = append(d.NonVoters, server.ID)
		}
		d.Servers[server.ID] = autopilotServerOf(server)
	}
	return d, nodeFailure(err)
}

func autopilotServerOf(s node.AutopilotServer) autopilotServerData {
	d := autopilotServerData{
		ID: s.ID, Name: s.Name, Address: s.Address, NodeStatus: "alive",
		LastContact: s.Silent.Round(time.Millisecond).String(), LastTerm: s.Term, LastIndex: s.Index,
		Healthy: s.Healthy, StableSince: time.Unix(0, s.Since).UTC(), Status: "non-voter",
		NodeType: "non-voter", Version: s.Version, Demoted: s.Held,
	}
	if s.Dead {
		d.NodeStatus = "failed"
	}
	if s.Voter {
		d.Status, d.NodeType = "voter", "voter"
	}
	if s.Leader {
		d.Status = "leader"
	}
	return d
}

// autopilotConfigData: times are texts as Go writes them.
type autopilotConfigData struct {
	CleanUp       bool   `json:"cleanup_dead_servers"`
	LastContact   string `json:"last_contact_threshold"`
	DeadAfter     string `json:"dead_server_last_contact_threshold"`
	MaxTrailing   uint64 `json:"max_trailing_logs"`
	MinQuorum     uint64 `json:"min_quorum"`
	Stabilization string `json:"server_stabilization_time"`
}

func autopilotConfig(c *call, _ *exchange.None) (autopilotConfigData, error) {
	a, err := c.plane.n.AutopilotConfig(c.Ctx)
	return autopilotConfigData{
		CleanUp: a.CleanUp, LastContact: a.LastContact.String(), DeadAfter: a.DeadAfter.String(),
		MaxTrailing: a.MaxTrailing, MinQuorum: a.MinQuorum, Stabilization: a.Stabilization.String(),
	}, nodeFailure(err)
}

// autopilotConfigRequest changes what it names.
type autopilotConfigRequest struct {
	CleanUp       *bool      `json:"cleanup_dead_servers"`
	LastContact   *wire.Life `json:"last_contact_threshold"`
	DeadAfter     *wire.Life `json:"dead_server_last_contact_threshold"`
	MaxTrailing   *uint64    `json:"max_trailing_logs"`
	MinQuorum     *uint64    `json:"min_quorum"`
	Stabilization *wire.Life `json:"server_stabilization_time"`
	NoMigration   bool       `json:"disable_upgrade_migration"` // of Vault Enterprise
	DRToken       string     `json:"dr_operation_token"`        // of Vault
}

// edit is what the request makes of a configuration.
func (q *autopilotConfigRequest) edit(a *node.AutopilotConfig) error {
	set(&a.CleanUp, q.CleanUp)
	set(&a.LastContact, (*time.Duration)(q.LastContact))
	set(&a.DeadAfter, (*time.Duration)(q.DeadAfter))
	set(&a.MaxTrailing, q.MaxTrailing)
	set(&a.MinQuorum, q.MinQuorum)
	set(&a.Stabilization, (*time.Duration)(q.Stabilization))
	if err := a.Check(); err != nil {
		return wire.Refuse(http.StatusBadRequest, "", err.Error())
	}
	return nil
}

func set[T any](to, value *T) {
	if value != nil {
		*to = *value
	}
}

// says lists, for the usage log, what the request sets.
func (q *autopilotConfigRequest) says() string {
	list := slices.Concat(
		said("cleanup_dead_servers", q.CleanUp),
		said("last_contact_threshold", (*time.Duration)(q.LastContact)),
		said("dead_server_last_contact_threshold", (*time.Duration)(q.DeadAfter)),
		said("max_trailing_logs", q.MaxTrailing),
		said("min_quorum", q.MinQuorum),
		said("server_stabilization_time", (*time.Duration)(q.Stabilization)),
	)
	return strings.Join(list, " ")
}

func said[T any](name string, value *T) []string {
	if value == nil {
		return nil
	}
	return []string{fmt.Sprintf("%s=%v", name, *value)}
}

func setAutopilotConfig(c *call, q *autopilotConfigRequest) (exchange.None, error) {
	c.detail = q.says()
	if q.NoMigration {
		return exchange.None{}, wire.Refuse(http.StatusBadRequest, "",
			"disable_upgrade_migration is not supported: autopilot here replaces no nodes by others")
	}
	return exchange.None{}, nodeFailure(c.plane.n.SetAutopilotConfig(c.Ctx, q.edit))
}
