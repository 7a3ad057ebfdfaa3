package commands_test

import (
	"context"

	vault "github.com/hashicorp/vault/api"
	bao "github.com/openbao/openbao/api/v2"
)

// insteadRows are commands of what Keyquorum has not. Each must end with an error and words: a
// command that ends well has not been understood.
func insteadRows() []command {
	const policies, devices, methods = "There are no policies", "There are no audit devices",
		"There are no auth methods"
	row := func(name, asks string, call call, words string) command {
		return command{name: name, steps: []step{
			{asks: asks, call: call, answers: refusal{501, words}},
		}}
	}
	body := func(b map[string]any) func(*scene) map[string]any {
		return func(*scene) map[string]any { return b }
	}
	name := func(*scene) string { return "team" }
	return []command{
		row("policy list", "GET policies/acl",
			get((*bao.Sys).ListPolicies, (*vault.Sys).ListPolicies), policies),
		row("policy read NAME", "GET policies/acl/team",
			give(name, (*bao.Sys).GetPolicy, (*vault.Sys).GetPolicy), policies),
		row("policy write NAME FILE", "PUT policies/acl/team", each(
			func(_ *scene, on *bao.Client) (any, error) { return nil, on.Sys().PutPolicy("team", "") },
			func(_ *scene, on *vault.Client) (any, error) { return nil, on.Sys().PutPolicy("team", "") },
		), policies),
		row("policy delete NAME", "DELETE policies/acl/team", each(
			func(_ *scene, on *bao.Client) (any, error) { return nil, on.Sys().DeletePolicy("team") },
			func(_ *scene, on *vault.Client) (any, error) { return nil, on.Sys().DeletePolicy("team") },
		), policies),
		row("audit list", "GET audit", get((*bao.Sys).ListAudit, (*vault.Sys).ListAudit), devices),
		row("audit enable file", "PUT audit/file", each(
			func(_ *scene, on *bao.Client) (any, error) {
				return nil, on.Sys().EnableAuditWithOptions("file", &bao.EnableAuditOptions{Type: "file"})
			},
			func(_ *scene, on *vault.Client) (any, error) {
				return nil, on.Sys().EnableAuditWithOptions("file",
					&vault.EnableAuditOptions{Type: "file"})
			}), devices),
		row("audit disable file", "DELETE audit/file", each(
			func(_ *scene, on *bao.Client) (any, error) { return nil, on.Sys().DisableAudit("file") },
			func(_ *scene, on *vault.Client) (any, error) { return nil, on.Sys().DisableAudit("file") },
		), devices),
		row("login -method=userpass", "PUT auth/userpass/login/ann",
			write("auth/userpass/login/ann", body(map[string]any{"password": "x"})), methods),
		row("token lookup TOKEN", "POST auth/token/lookup", each(
			func(s *scene, on *bao.Client) (any, error) { return on.Auth().Token().Lookup(s.c.Token) },
			func(s *scene, on *vault.Client) (any, error) {
				return on.Auth().Token().Lookup(s.c.Token)
			}), methods),
		row("token create", "POST auth/token/create", each(
			func(_ *scene, on *bao.Client) (any, error) {
				return on.Auth().Token().Create(&bao.TokenCreateRequest{})
			},
			func(_ *scene, on *vault.Client) (any, error) {
				return on.Auth().Token().Create(&vault.TokenCreateRequest{})
			}), methods),
		row("token renew", "PUT auth/token/renew-self", each(
			func(_ *scene, on *bao.Client) (any, error) { return on.Auth().Token().RenewSelf(0) },
			func(_ *scene, on *vault.Client) (any, error) { return on.Auth().Token().RenewSelf(0) },
		), methods),
		row("token revoke -self", "PUT auth/token/revoke-self", each(
			func(_ *scene, on *bao.Client) (any, error) { return nil, on.Auth().Token().RevokeSelf("") },
			func(_ *scene, on *vault.Client) (any, error) {
				return nil, on.Auth().Token().RevokeSelf("")
			}), methods),
		row("token capabilities PATH", "POST capabilities-self",
			give(name, (*bao.Sys).CapabilitiesSelf, (*vault.Sys).CapabilitiesSelf), policies),
		row("auth list", "GET auth", get((*bao.Sys).ListAuth, (*vault.Sys).ListAuth), methods),
		row("secrets list", "GET mounts", get((*bao.Sys).ListMounts, (*vault.Sys).ListMounts),
			"There are no mounts"),
		row("kv get -mount=secret NAME", "GET internal/ui/mounts/secret",
			read("sys/internal/ui/mounts/secret"), "There are no mounts"),
		row("namespace list", "GET namespaces", list("sys/namespaces"), "There are no namespaces"),
		row("write -f sys/rotate/root", "PUT rotate/root",
			write("sys/rotate/root", body(nil)), "A new root key has new shares: keyquorum operator rekey"),
		row("write sys/storage/raft/snapshot-auto/config/NAME",
			"PUT storage/raft/snapshot-auto/config/daily",
			write("sys/storage/raft/snapshot-auto/config/daily", body(map[string]any{"interval": "6h"})),
			"The configuration of each node says how often the cluster takes snapshots"),
	}
}

// monitor would read lines until the context ends.
func monitor(_ *scene, at session) (any, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if at.bao != nil {
		return at.bao.Sys().Monitor(ctx, "info", "standard")
	}
	return at.vault.Sys().Monitor(ctx, "info", "standard")
}
