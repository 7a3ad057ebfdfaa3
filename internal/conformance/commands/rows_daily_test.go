package commands_test

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"time"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

// dailyRows are what is asked of a member, sealed or not.
func dailyRows() []command {
	return []command{
		statusRow(), initStatus(true), initAgain(), joinedAlready(),
		{name: "login TOKEN", steps: []step{{asks: "GET auth/token/lookup-self", call: lookupSelf,
			answers: itsToken()}}},
		{name: "token lookup", steps: []step{{asks: "GET auth/token/lookup-self", call: lookupSelf,
			answers: itsToken()}}},
		{name: "operator members", steps: []step{
			{asks: "GET ha-status", call: get((*bao.Sys).HAStatus, (*vault.Sys).HAStatus),
				answers: prints{"Nodes": judge(members)}, eventually: true},
		}},
		{name: "operator key-status", steps: []step{keyStatus(1)}},
		{name: "operator rotate", steps: []step{
			{asks: "POST rotate/keyring", vaultAsks: "POST rotate",
				call: do((*bao.Sys).RotateKeyring, (*vault.Sys).Rotate)},
			keyStatus(2),
		}},
	}
}

// statusRow: the printed leader is the one of the cluster, whoever is asked.
func statusRow() command {
	return command{name: "status", open: true, steps: []step{
		{asks: "GET seal-status", call: get((*bao.Sys).SealStatus, (*vault.Sys).SealStatus),
			answers: prints{"Initialized": true, "Sealed": false, "T": 2, "N": 3, "Progress": 0,
				"Type": "shamir", "StorageType": "raft", "Version": "test", "RecoverySeal": false,
				"ClusterName": judge(some), "ClusterID": judge(some)},
			sealed: prints{"Initialized": true, "Sealed": true, "T": 2, "N": 3, "Progress": 0}},
		{asks: "GET leader", call: get((*bao.Sys).Leader, (*vault.Sys).Leader),
			answers: prints{"HAEnabled": true, "IsSelf": judge(isLeader), "ActiveTime": judge(since),
				"LeaderAddress":        own((*scene).leaderURL),
				"LeaderClusterAddress": judge(some), "RaftCommittedIndex": judge(some),
				"RaftAppliedIndex": judge(some)},
			sealed: refusal{503, sealedText}},
	}}
}

func isLeader(s *scene, got any) bool { return got == s.leads }

// since when it leads the leader alone tells.
func since(s *scene, got any) bool {
	return s.leads && recent(s, got) || !s.leads && got.(time.Time).IsZero()
}

func (s *scene) leaderURL() string { return s.c.URL(s.c.Leader()) }

func keyStatus(atLeast int) step {
	return step{asks: "GET key-status", call: get((*bao.Sys).KeyStatus, (*vault.Sys).KeyStatus),
		answers: prints{
			"Term":        judge(func(_ *scene, got any) bool { return got.(int) >= atLeast }),
			"InstallTime": judge(recent), "Encryptions": judge(some),
		}}
}

func lookupSelf(_ *scene, at session) (any, error) {
	if at.bao != nil {
		return baoData(at.bao.Auth().Token().LookupSelf())
	}
	return vaultData(at.vault.Auth().Token().LookupSelf())
}

func itsToken() prints {
	return prints{"id": own(func(s *scene) string { return s.c.Token }), "accessor": judge(some),
		"policies": []any{"root"}, "ttl": 0, "type": "service", "path": "auth/token/root",
		"meta": judge(func(_ *scene, got any) bool { return got == nil })}
}

// members: each has its line, and one leads, which has no echo.
func members(_ *scene, got any) bool {
	lines := printed(got)
	slices.Sort(lines)
	return len(slices.Compact(lines)) == spares && slices.Contains(lines, "leads") &&
		!slices.Contains(lines, "bad")
}

// printed is what the table of members has of each, in a form for both clients.
func printed(nodes any) (lines []string) {
	switch nodes := nodes.(type) {
	case []bao.HANode:
		for _, n := range nodes {
			lines = append(lines, line(n.Hostname, n.APIAddress, n.ClusterAddress, n.Version,
				n.ActiveNode, n.LastEcho))
		}
	case []vault.HANode:
		for _, n := range nodes {
			lines = append(lines, line(n.Hostname, n.APIAddress, n.ClusterAddress, n.Version,
				n.ActiveNode, n.LastEcho))
		}
	}
	return lines
}

func line(host, api, cluster, version string, active bool, echo *time.Time) string {
	switch {
	case host == "" || version != "test" || !strings.HasPrefix(api, "https://") || cluster == "":
		return "bad"
	case active && echo == nil:
		return "leads"
	case !active && echo != nil && time.Since(*echo) < time.Minute:
		return host
	}
	return "bad"
}

// raftRows are about the members, as they are and as they are judged.
func raftRows() []command {
	return []command{
		{name: "operator raft list-peers", steps: []step{
			{asks: "GET storage/raft/configuration", call: read("sys/storage/raft/configuration"),
				answers: prints{"config": peers(spares)}},
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
					"DeadServerLastContactThreshold": time.Hour, "MaxTrailingLogs": 500,
					"MinQuorum": 3, "ServerStabilizationTime": 0 * time.Second}},
		}},
		{name: "operator raft autopilot set-config (no quorum)", steps: []step{
			{asks: "POST storage/raft/autopilot/configuration", call: configure(2),
				answers: refusal{400, "min_quorum"}},
		}},
	}
}

func configure(quorum uint) call {
	return each(
		func(_ *scene, on *bao.Client) (any, error) {
			return nil, on.Sys().PutRaftAutopilotConfiguration(&bao.AutopilotConfig{
				CleanupDeadServers: true, LastContactThreshold: 5 * time.Second,
				DeadServerLastContactThreshold: time.Hour, MaxTrailingLogs: 500, MinQuorum: quorum,
			})
		},
		func(_ *scene, on *vault.Client) (any, error) {
			return nil, on.Sys().PutRaftAutopilotConfiguration(&vault.AutopilotConfig{
				CleanupDeadServers: true, LastContactThreshold: 5 * time.Second,
				DeadServerLastContactThreshold: time.Hour, MaxTrailingLogs: 500, MinQuorum: quorum,
			})
		})
}

// peers asserts what the table printer of list-peers asserts, which dies where it is otherwise. One
// of n leads, and all of the first nodes vote.
func peers(n int) judge {
	return func(s *scene, got any) bool {
		config, _ := got.(map[string]any)
		all, _ := config["servers"].([]any)
		var leads []string
		for _, one := range all {
			peer, _ := one.(map[string]any)
			id, ok1 := peer["node_id"].(string)
			_, ok2 := peer["address"].(string)
			leader, ok3 := peer["leader"].(bool)
			_, ok4 := peer["voter"].(bool)
			if !ok1 || !ok2 || !ok3 || !ok4 {
				return false
			}
			if leader {
				leads = append(leads, id)
			}
		}
		return len(all) == n && slices.Equal(leads, []string{s.leaderID()})
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

// memberRows change who is a member, while a node more is one.
func memberRows() []command {
	named := func(who func(s *scene) string) func(*scene) map[string]any {
		return func(s *scene) map[string]any { return map[string]any{"server_id": who(s)} }
	}
	change := func(verb string, who func(*scene) string, words string) command {
		c := command{name: "operator raft " + verb + " ID", steps: []step{
			{asks: "PUT storage/raft/" + verb, call: write("sys/storage/raft/"+verb, named(who))},
		}}
		if words != "" {
			c.name = "operator raft " + verb + " ID (nobody's)"
			c.steps[0].answers = refusal{400, words}
		}
		return c
	}
	nobody := func(*scene) string { return "nobody" }
	joiner := func(s *scene) string { return s.ids[s.spare] }
	return []command{
		{name: "operator raft list-peers", steps: []step{
			{asks: "GET storage/raft/configuration", call: read("sys/storage/raft/configuration"),
				answers: prints{"config": peers(spares + 1)}, eventually: true,
				keep: func(s *scene, _ any) { s.learn(s.spare) }},
		}},
		change("demote", joiner, ""), change("demote", nobody, "nobody"),
		change("promote", joiner, ""), change("promote", nobody, "nobody"),
		change("remove-peer", nobody, "nobody"), change("remove-peer", joiner, ""),
	}
}

// snapshotRows save a file and go back to it.
func snapshotRows() []command {
	restore := func(force bool, file func(*scene) []byte) call {
		return func(s *scene, at session) (any, error) {
			if at.bao != nil {
				return nil, at.bao.Sys().RaftSnapshotRestore(bytes.NewReader(file(s)), force)
			}
			return nil, at.vault.Sys().RaftSnapshotRestore(bytes.NewReader(file(s)), force)
		}
	}
	saved := func(s *scene) []byte { return s.snapshot }
	half := func(s *scene) []byte { return s.snapshot[:len(s.snapshot)/2] }
	return []command{
		{name: "operator raft snapshot save FILE", steps: []step{
			{asks: "GET storage/raft/snapshot", call: save, answers: prints{"": judge(some)},
				keep: func(s *scene, answer any) { s.snapshot = answer.([]byte) }},
		}},
		{name: "operator raft snapshot restore FILE", steps: []step{
			{asks: "POST storage/raft/snapshot", call: restore(false, saved)},
		}},
		{name: "operator raft snapshot restore FILE (half of one)", steps: []step{
			{asks: "POST storage/raft/snapshot", call: restore(false, half),
				answers: refusal{400, "Nothing was restored"}},
		}},
		{name: "operator raft snapshot restore -force FILE", steps: []step{
			{asks: "POST storage/raft/snapshot-force", call: restore(true, saved),
				answers: refusal{501, "keyquorum operator recover"}},
		}},
	}
}

// save is whole or an error: both clients look for the last member of the file.
func save(_ *scene, at session) (any, error) {
	var file bytes.Buffer
	var err error
	if at.bao != nil {
		err = at.bao.Sys().RaftSnapshot(&file)
	} else {
		err = at.vault.Sys().RaftSnapshot(&file)
	}
	return file.Bytes(), err
}

// stepDownRow changes who leads: it is the last one of a visit.
func stepDownRow() command {
	return command{name: "operator step-down", steps: []step{
		{asks: "PUT step-down", call: do((*bao.Sys).StepDown, (*vault.Sys).StepDown)},
	}}
}

// sealRow seals the node that is asked. Sealed already it says the same, to anybody.
func sealRow() command {
	return command{name: "operator seal", steps: []step{
		{asks: "PUT seal", call: do((*bao.Sys).Seal, (*vault.Sys).Seal)},
	}}
}
