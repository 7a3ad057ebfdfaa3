package commands_test

import (
	"fmt"
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
		{name: "operator members", note: "the active node is the leader, and all of them serve",
			steps: []step{
				{asks: "GET ha-status", call: get((*bao.Sys).HAStatus, (*vault.Sys).HAStatus),
					answers: prints{"Nodes": judge(members)}, eventually: true},
			}},
		{name: "operator key-status", note: "the encryptions are entries of the log",
			steps: []step{keyStatus(some)}},
		{name: "operator rotate", note: "records are sealed anew in the background", steps: []step{
			{asks: "POST rotate/keyring", vaultAsks: "POST rotate",
				call: do((*bao.Sys).RotateKeyring, (*vault.Sys).Rotate)},
			keyStatus(next),
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

// keyStatus has the term of the keyring, which the scene keeps.
func keyStatus(term judge) step {
	return step{asks: "GET key-status", call: get((*bao.Sys).KeyStatus, (*vault.Sys).KeyStatus),
		answers: prints{"Term": term, "InstallTime": judge(recent), "Encryptions": judge(some)},
		keep: func(s *scene, answer any) {
			got, err := field(answer, "Term")
			must(s.t, err)
			s.term = got.(int)
		}}
}

// next: a rotation has made one term more.
func next(s *scene, got any) bool { return got == s.term+1 }

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

// stepDownRow changes who leads: it is the last one of a visit.
func stepDownRow() command {
	return command{name: "operator step-down", steps: []step{
		{asks: "PUT step-down", call: do((*bao.Sys).StepDown, (*vault.Sys).StepDown),
			then: func(s *scene) error {
				if now := s.c.Leader(); now == s.led {
					return fmt.Errorf("node %d leads on", now)
				}
				return nil
			}},
	}}
}

// sealRow seals the node that is asked. Sealed already it says the same, to anybody.
func sealRow() command {
	return command{name: "operator seal", note: "the node that is asked, which may lead on",
		steps: []step{{asks: "PUT seal", call: do((*bao.Sys).Seal, (*vault.Sys).Seal)}}}
}
