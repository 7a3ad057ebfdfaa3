package commands_test

import (
	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

const sealedText = "Vault is sealed" // byte for byte what the commands look for

// blankRows are played at a node that nobody has initialised, before anything else.
func blankRows() []command {
	return []command{
		{name: "status", open: true, steps: []step{
			{asks: "GET seal-status", call: get((*bao.Sys).SealStatus, (*vault.Sys).SealStatus),
				answers: prints{"Initialized": false, "Sealed": true, "T": 0, "N": 0, "Progress": 0,
					"Type": "shamir", "StorageType": "raft", "Version": "test"}},
			{asks: "GET leader", call: get((*bao.Sys).Leader, (*vault.Sys).Leader),
				answers: refusal{503, sealedText}},
		}},
		initStatus(false),
		{name: "operator key-status", open: true, steps: []step{
			{asks: "GET key-status", call: get((*bao.Sys).KeyStatus, (*vault.Sys).KeyStatus),
				answers: refusal{503, "not initialized"}},
		}},
		initWith("operator init (a threshold above the shares)", 3, 4,
			refusal{400, "secret_threshold must be"}),
		initWith("operator init (no shares)", 0, 0, refusal{400, "secret_shares must be"}),
		recoveryShares(),
	}
}

func initStatus(initialized bool) command {
	return command{name: "operator init -status", open: true, steps: []step{
		{asks: "GET seal-status", call: get((*bao.Sys).SealStatus, (*vault.Sys).SealStatus),
			answers: prints{"Initialized": initialized, "RecoverySeal": false}},
		{asks: "GET init", call: get((*bao.Sys).InitStatus, (*vault.Sys).InitStatus),
			answers: prints{"": initialized}},
	}}
}

// initRow makes the cluster, with shares and a root token for the eyes of their holders. It can be
// played once.
func initRow() command {
	c := initWith("operator init -pgp-keys=… -root-token-pgp-key=…", 3, 2, prints{
		"Keys": long(3), "KeysB64": long(3), "RecoveryKeys": long(0), "RootToken": judge(some),
	})
	c.steps[1].keep = func(s *scene, answer any) {
		keys, err := field(answer, "KeysB64")
		must(s.t, err)
		s.shares = s.decrypted(keys.([]string))
		s.c.Token = decrypted(s.t, s.holders[3], text(answer, "RootToken"))
	}
	return c
}

// initAgain: who comes second is told so.
func initAgain() command {
	return initWith("operator init (again)", 3, 2, refusal{400, "Vault is already initialized"})
}

func initWith(name string, shares, threshold int, answers expectation) command {
	return command{name: name, open: true, steps: []step{
		{asks: "GET seal-status", call: get((*bao.Sys).SealStatus, (*vault.Sys).SealStatus)},
		{asks: "PUT init", answers: answers, call: each(
			func(s *scene, on *bao.Client) (any, error) {
				return on.Sys().Init(&bao.InitRequest{SecretShares: shares, SecretThreshold: threshold,
					PGPKeys: s.publicKeys(shares), RootTokenPGPKey: publicKey(s.t, s.holders[3])})
			},
			func(s *scene, on *vault.Client) (any, error) {
				return on.Sys().Init(&vault.InitRequest{SecretShares: shares, SecretThreshold: threshold,
					PGPKeys: s.publicKeys(shares), RootTokenPGPKey: publicKey(s.t, s.holders[3])})
			})},
	}}
}

func recoveryShares() command {
	return command{name: "operator init -recovery-shares=5", open: true, steps: []step{
		{asks: "GET seal-status", call: get((*bao.Sys).SealStatus, (*vault.Sys).SealStatus)},
		{asks: "PUT init", answers: refusal{400, "not applicable to seal type shamir"}, call: each(
			func(s *scene, on *bao.Client) (any, error) {
				return on.Sys().Init(&bao.InitRequest{RecoveryShares: 5, RecoveryThreshold: 3})
			},
			func(s *scene, on *vault.Client) (any, error) {
				return on.Sys().Init(&vault.InitRequest{RecoveryShares: 5, RecoveryThreshold: 3})
			})},
	}}
}

// unsealRows open a sealed node: the first share of two, and the second. Given again, a share
// changes nothing, and at an unsealed node it is answered with the status.
func unsealRows() []command {
	// What is printed is the same on a node that joins, which is not initialised before.
	return []command{
		unsealWith("operator unseal KEY", 0, prints{"Sealed": true, "T": 2, "N": 3, "Progress": 1},
			refusal{503, sealedText}),
		unsealWith("operator unseal KEY (the last one)", 1, prints{"Initialized": true,
			"Sealed": false, "T": 2, "N": 3, "Progress": 0, "ClusterID": judge(some),
			"ClusterName": judge(some)}, prints{"HAEnabled": true, "LeaderAddress": judge(some)}),
	}
}

func unsealWith(name string, n int, answers, leader expectation) command {
	_, sealed := leader.(refusal)
	key := func(s *scene) string { return s.shares[n] }
	return command{name: name, open: true, steps: []step{
		{asks: "PUT unseal", call: give(key, (*bao.Sys).Unseal, (*vault.Sys).Unseal),
			answers: answers, eventually: true},
		{asks: "GET leader", call: get((*bao.Sys).Leader, (*vault.Sys).Leader), answers: leader,
			eventually: !sealed},
	}}
}

// unsealRefusals are played at a member that is sealed.
func unsealRefusals() []command {
	text := func(t string) func(*scene) string { return func(*scene) string { return t } }
	refused := func(name string, call call, why string) command {
		return command{name: name, open: true, steps: []step{
			{asks: "PUT unseal", call: call, answers: refusal{400, why}},
		}}
	}
	wrong := refused("operator unseal KEY (a wrong one)",
		give(text(wrongShare), (*bao.Sys).Unseal, (*vault.Sys).Unseal), "invalid key")
	wrong.note = "the others stay"
	return []command{
		refused("operator unseal KEY (no share)",
			give(text("no share!"), (*bao.Sys).Unseal, (*vault.Sys).Unseal),
			"'key' must be a valid hex or base64 string"),
		wrong,
		refused("operator unseal -reset",
			get((*bao.Sys).ResetUnsealProcess, (*vault.Sys).ResetUnsealProcess),
			"a reset takes a share too"),
		refused("operator unseal -migrate KEY", each(
			func(s *scene, on *bao.Client) (any, error) {
				return on.Sys().UnsealWithOptions(&bao.UnsealOpts{Key: s.shares[0], Migrate: true})
			},
			func(s *scene, on *vault.Client) (any, error) {
				return on.Sys().UnsealWithOptions(&vault.UnsealOpts{Key: s.shares[0], Migrate: true})
			}), "seal migration is not supported"),
	}
}

// joinRows make a node without data a member, through the one that is visited, with a vote or
// without one.
func joinRows(votes bool) []command {
	name := "operator raft join ADDRESS"
	if !votes {
		name = "operator raft join -non-voter -retry ADDRESS"
	}
	rows := append([]command{{name: name, open: true, steps: []step{
		{asks: "POST storage/raft/join", call: join(func(s *scene) int { return s.node }, votes),
			answers: prints{"Joined": true}},
	}}}, unsealRows()...)
	for i := range rows {
		rows[i].spare = true
	}
	return rows
}

// joinedAlready: scripts tell a member at every start to join. That is right, while it is sealed.
func joinedAlready() command {
	return command{name: "operator raft join ADDRESS (a member)", open: true,
		note: "sealed, it says that it has joined", steps: []step{
			{asks: "POST storage/raft/join", call: join(func(s *scene) int { return s.other }, true),
				answers: refusal{500, "this node is a member of a cluster already, and unsealed"},
				sealed:  prints{"Joined": true}},
		}}
}

// join waits for nothing where the member is not to vote: the node tries until it is one.
func join(through func(s *scene) int, votes bool) call {
	return each(
		func(s *scene, on *bao.Client) (any, error) {
			return on.Sys().RaftJoin(&bao.RaftJoinRequest{LeaderAPIAddr: s.c.URL(through(s)),
				LeaderCACert: s.ca, NonVoter: !votes, Retry: !votes})
		},
		func(s *scene, on *vault.Client) (any, error) {
			return on.Sys().RaftJoin(&vault.RaftJoinRequest{LeaderAPIAddr: s.c.URL(through(s)),
				LeaderCACert: s.ca, NonVoter: !votes, Retry: !votes})
		})
}
