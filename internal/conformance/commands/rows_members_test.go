package commands_test

import (
	"maps"
	"slices"
	"strings"
	"time"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

// raftRows are about the members, as they are and as they are judged.
func raftRows() []command {
	return []command{
		{name: "operator raft list-peers", steps: []step{
			{asks: "GET storage/raft/configuration", call: read("sys/storage/raft/configuration"),
				answers: prints{"config": peers(spares, spares)}, eventually: true},
		}},
		{name: "operator raft autopilot state", steps: []step{
			{asks: "GET storage/raft/autopilot/state",
				call: get((*bao.Sys).RaftAutopilotState, (*vault.Sys).RaftAutopilotState),
				answers: prints{"Healthy": true, "FailureTolerance": 1,
					"OptimisticFailureTolerance": 1, "Leader": own((*scene).leaderID),
					"Voters": long(spares), "NonVoters": long(0), "Servers": judge(servers)},
				eventually: true},
		}},
		{name: "operator raft autopilot set-config", steps: []step{
			{asks: "POST storage/raft/autopilot/configuration", call: configure(3)},
		}},
		{name: "operator raft autopilot get-config", steps: []step{
			{asks: "GET storage/raft/autopilot/configuration", call: get(
				(*bao.Sys).RaftAutopilotConfiguration, (*vault.Sys).RaftAutopilotConfiguration),
				answers: prints{"CleanupDeadServers": true, "LastContactThreshold": 5 * time.Second,
					"DeadServerLastContactThreshold": time.Hour, "MaxTrailingLogs": judge(trailing),
					"MinQuorum": 3, "ServerStabilizationTime": 0 * time.Second}},
		}},
		{name: "operator raft autopilot set-config (no quorum)", steps: []step{
			{asks: "POST storage/raft/autopilot/configuration", call: configure(2),
				answers: refusal{400, "min_quorum must be set when cleanup_dead_servers is"}},
		}},
	}
}

// trailing: each visit sets another number.
func trailing(s *scene, got any) bool { return got == s.trailing() }

func (s *scene) trailing() uint64 {
	if s.leads {
		return 500
	}
	return 600
}

func configure(quorum uint) call {
	return each(
		func(s *scene, on *bao.Client) (any, error) {
			return nil, on.Sys().PutRaftAutopilotConfiguration(&bao.AutopilotConfig{
				CleanupDeadServers: true, LastContactThreshold: 5 * time.Second,
				DeadServerLastContactThreshold: time.Hour, MaxTrailingLogs: s.trailing(),
				MinQuorum: quorum,
			})
		},
		func(s *scene, on *vault.Client) (any, error) {
			return nil, on.Sys().PutRaftAutopilotConfiguration(&vault.AutopilotConfig{
				CleanupDeadServers: true, LastContactThreshold: 5 * time.Second,
				DeadServerLastContactThreshold: time.Hour, MaxTrailingLogs: s.trailing(),
				MinQuorum: quorum,
			})
		})
}

// peers asserts what the table printer of list-peers asserts, which dies where it is otherwise. One
// of n leads, and so many of them vote.
func peers(n, voters int) judge {
	return func(s *scene, got any) bool {
		config, _ := got.(map[string]any)
		all, _ := config["servers"].([]any)
		var leads []string
		vote := 0
		for _, one := range all {
			peer, _ := one.(map[string]any)
			id, ok1 := peer["node_id"].(string)
			_, ok2 := peer["address"].(string)
			leader, ok3 := peer["leader"].(bool)
			voter, ok4 := peer["voter"].(bool)
			if !ok1 || !ok2 || !ok3 || !ok4 {
				return false
			}
			if leader {
				leads = append(leads, id)
			}
			if voter {
				vote++
			}
		}
		return len(all) == n && vote == voters && slices.Equal(leads, []string{s.leaderID()})
	}
}

func (s *scene) leaderID() string { return s.ids[s.c.Leader()] }

// servers are what autopilot's table has of each.
func servers(s *scene, got any) bool {
	good := func(id, name, address, status, contact, stable, version, kind string, healthy bool,
		term, index uint64) bool {
		_, err := time.ParseDuration(contact)
		return err == nil && id != "" && strings.HasPrefix(name, "node") && address != "" &&
			status == "alive" && recent(s, stable) && version == "test" && kind == "voter" && healthy &&
			term > 0 && index > 0
	}
	switch all := got.(type) {
	case map[string]*bao.AutopilotServer:
		for _, v := range all {
			if !good(v.ID, v.Name, v.Address, v.NodeStatus, v.LastContact, v.StableSince, v.Version,
				v.NodeType, v.Healthy, v.LastTerm, v.LastIndex) {
				return false
			}
		}
		return s.sameIDs(slices.Collect(maps.Keys(all)))
	case map[string]*vault.AutopilotServer:
		for _, v := range all {
			if !good(v.ID, v.Name, v.Address, v.NodeStatus, v.LastContact, v.StableSince, v.Version,
				v.NodeType, v.Healthy, v.LastTerm, v.LastIndex) {
				return false
			}
		}
		return s.sameIDs(slices.Collect(maps.Keys(all)))
	}
	return false
}

func (s *scene) sameIDs(ids []string) bool {
	want := []string{s.ids[0], s.ids[1], s.ids[2]}
	slices.Sort(want)
	slices.Sort(ids)
	return slices.Equal(want, ids)
}

// memberRows change who is a member, while a node more is one. Whether that votes is changed both
// ways, and what was changed is looked at.
func memberRows(votes bool) []command {
	listed := func(n, voters int) command {
		return command{name: "operator raft list-peers", steps: []step{
			{asks: "GET storage/raft/configuration", call: read("sys/storage/raft/configuration"),
				answers: prints{"config": peers(n, voters)}, eventually: true,
				keep: func(s *scene, _ any) { s.learn(s.spare) }},
		}}
	}
	joiner := func(s *scene) string { return s.ids[s.spare] }
	demoted := []command{change("demote", joiner, ""), listed(spares+1, spares)}
	promoted := []command{change("promote", joiner, ""), listed(spares+1, spares+1)}
	rows := slices.Concat([]command{listed(spares+1, spares)}, promoted, demoted)
	if votes {
		rows = slices.Concat([]command{listed(spares+1, spares+1)}, demoted, promoted)
	}
	gone := listed(spares, spares)
	gone.steps[0].keep = nil
	return append(rows, nobodys("demote"), nobodys("promote"), nobodys("remove-peer"),
		change("remove-peer", joiner, ""), gone)
}

func change(verb string, who func(*scene) string, words string) command {
	named := func(s *scene) map[string]any { return map[string]any{"server_id": who(s)} }
	c := command{name: "operator raft " + verb + " ID", steps: []step{
		{asks: "PUT storage/raft/" + verb, call: write("sys/storage/raft/"+verb, named)},
	}}
	if words != "" {
		c.name += " (nobody's)"
		c.steps[0].answers = refusal{400, words}
	}
	return c
}

func nobodys(verb string) command {
	return change(verb, func(*scene) string { return "nobody" },
		"is not in the configuration; its servers are")
}
