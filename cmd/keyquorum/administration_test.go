package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/testcluster"
)

// TestVaultCommands takes a vault through its life as an operator does, with both formats.
func TestVaultCommands(t *testing.T) {
	c := testcluster.Loopback(t, 1, nil)
	run := func(code int, args ...string) outcome {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		cmd := keyquorum(ctx, t.TempDir(),
			append(append([]string{"vault"}, args...), "-address="+c.URL(0), "-ca-cert="+c.CAFile)...)
		cmd.Env = append(cmd.Env, "KEYQUORUM_TOKEN="+c.Token)
		o := ended(t, cmd)
		expectCode(t, strings.Join(args, " "), o, code)
		return o
	}
	is := func(o outcome, state string, protected, weak bool) {
		t.Helper()
		v := o.object(t)
		if v["name"] != "demo" || v["state"] != state || v["purge_protection"] != protected ||
			v["weak_algorithms"] != weak || (v["deleted"] != nil) != (state != "live") {
			t.Errorf("%v", v)
		}
	}
	listed := func(o outcome) (vaults []operator.VaultInfo) {
		t.Helper()
		if err := json.Unmarshal([]byte(o.stdout), &vaults); err != nil {
			t.Errorf("%v: %s", err, o.stdout)
		}
		return vaults
	}
	is(run(0, "create", "demo", "-retention-days=7", "-format=json"), "live", false, true)
	is(run(0, "update", "demo", "-weak-algorithms=false", "-format=json"), "live", false, false)
	if o := run(1, "update", "demo"); !strings.Contains(o.complaint(), "must be given") {
		t.Errorf("an update of nothing: %s", o.stderr)
	}
	is(run(0, "delete", "demo", "-format=json"), "deleted", false, false)
	run(2, "show", "demo")
	if o := run(2, "create", "demo"); !strings.Contains(o.complaint(),
		"It can be recovered, or purged") {
		t.Errorf("its name is taken: %s", o.stderr)
	}
	if o := run(0, "list", "-deleted"); !strings.Contains(o.stdout, "Purge") ||
		!strings.Contains(o.stdout, "demo  deleted") {
		t.Errorf("deleted: %s", o.stdout)
	}
	if live, gone := listed(run(0, "list", "-format=json")),
		listed(run(0, "list", "-deleted", "-format=json")); len(live) != 0 || len(gone) != 1 ||
		gone[0].ScheduledPurge.Sub(*gone[0].Deleted) != 7*24*time.Hour {
		t.Errorf("live %+v, deleted %+v", live, gone)
	}
	is(run(0, "show", "demo", "-deleted", "-format=json"), "deleted", false, false)
	is(run(0, "recover", "demo", "-format=json"), "live", false, false)
	run(0, "delete", "demo")
	if o := run(0, "purge", "demo"); !strings.HasPrefix(o.stdout, "Vault demo is purged: ") {
		t.Errorf("purge says %q", o.stdout)
	}
	run(2, "recover", "demo")
	run(0, "create", "demo")
	is(run(0, "update", "demo", "-purge-protection", "-format=json"), "live", true, true)
	run(2, "update", "demo", "-purge-protection=false")
	run(0, "delete", "demo")
	if o := run(2, "purge", "demo"); !strings.Contains(o.complaint(), "before its retention is over") {
		t.Errorf("a protected vault: %s", o.stderr)
	}
}

// TestGrantCommands: what an application may do is taken away only by somebody who says so.
func TestGrantCommands(t *testing.T) {
	c := testcluster.Loopback(t, 1, nil)
	run := func(code int, args ...string) outcome {
		t.Helper()
		cmd := keyquorum(t.Context(), t.TempDir(),
			append(args, "-address="+c.URL(0), "-ca-cert="+c.CAFile)...)
		cmd.Env = append(cmd.Env, "KEYQUORUM_TOKEN="+c.Token)
		o := ended(t, cmd)
		expectCode(t, strings.Join(args, " "), o, code)
		return o
	}
	held := func() (grants []operator.GrantInfo) {
		t.Helper()
		o := run(0, "grant", "list", "demo", "-format=json")
		if err := json.Unmarshal([]byte(o.stdout), &grants); err != nil {
			t.Errorf("%v: %s", err, o.stdout)
		}
		return grants
	}
	run(0, "vault", "create", "demo")
	run(0, "app", "create", "billing")
	run(0, "grant", "set", "demo", "billing", "-secrets=get,list", "-keys=sign")
	if o := run(1, "grant", "set", "demo", "billing"); !strings.Contains(o.complaint(),
		"grant remove") {
		t.Errorf("a grant of nothing: %s", o.stderr)
	}
	if g := held(); len(g) != 1 || len(g[0].Secrets) != 2 || len(g[0].Keys) != 1 {
		t.Errorf("after a refusal it holds %+v", g)
	}
	run(0, "grant", "set", "demo", "billing", "-secrets=get") // replaces both kinds
	if g := held(); len(g) != 1 || len(g[0].Secrets) != 1 || len(g[0].Keys) != 0 {
		t.Errorf("after one kind it holds %+v", g)
	}
	run(0, "grant", "remove", "demo", "billing")
	if g := held(); len(g) != 0 {
		t.Errorf("after remove it holds %+v", g)
	}
	run(0, "grant", "set", "demo", "billing", "-secrets=get")
	run(0, "grant", "set", "demo", "billing", "-secrets=", "-keys=")
	if g := held(); len(g) > 0 && len(g[0].Secrets)+len(g[0].Keys) > 0 {
		t.Errorf("after empty lists it holds %+v", g)
	}
}
