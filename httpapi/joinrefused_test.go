package httpapi_test

import (
	"strings"
	"testing"

	"keyquorum/internal/release"
	"keyquorum/node"
)

// Where a join can't work it is refused at once, with what to do: before any share is given where
// that is no secret, and at the last share where only members may know.
func TestJoinThatCannotWorkIsRefused(t *testing.T) {
	member := newService(t)
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	addr, ca := member.listen(t)
	newer := newService(t, func(c *node.Config) {
		c.Release = release.Release{Version: "9.1.0", Oldest: 8, Newest: 9}
	})
	if err := newer.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	newerAddr, newerCA := newer.listen(t)
	join := func(s *service, addr, ca string) answer {
		return s.operate("PUT", "/v1/sys/storage/raft/join", "", `{"leader_api_addr":"`+addr+
			`","leader_ca_cert":"`+strings.ReplaceAll(ca, "\n", `\n`)+`"}`)
	}
	give := func(s *service) (a answer) {
		for _, share := range member.shares[:2] {
			a = s.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+share+`"}`)
		}
		return a
	}
	taken := member.address(t)
	removed := newService(t, named("removed"))
	if a := join(removed, addr, ca); a.status != 200 {
		t.Fatalf("join: %d %s", a.status, a.body)
	}
	if a := give(removed); a.json["sealed"] != false {
		t.Fatalf("unseal: %d %s", a.status, a.body)
	}
	id := removed.operate("GET", "/v1/keyquorum/state", member.token, "").text("node_id")
	if a := member.operate("PUT", "/v1/sys/storage/raft/remove-peer", member.token,
		`{"server_id":"`+id+`"}`); a.status != 204 {
		t.Fatalf("remove-peer: %d %s", a.status, a.body)
	}
	removed.n.Seal(t.Context()) // as after a restart: it may not have heard that it was removed
	for _, row := range []struct {
		name     string
		joiner   *service
		addr, ca string
		shares   bool // the refusal comes with the last one
		says     string
	}{
		{"a removed node", removed, addr, ca, false, "this node was removed from its cluster"},
		{"a cluster of another version", newService(t), newerAddr, newerCA, false,
			"the log of this node says why"},
		{"the name of a member", newService(t), addr, ca, true,
			"a member that runs is called one ("},
		{"the address of a member", newService(t, func(c *node.Config) {
			c.Label, c.ClusterAddr = "four", taken
		}), addr, ca, true, "belongs to node one ("},
		{"an address that nobody reaches", newService(t, func(c *node.Config) {
			c.Label, c.ClusterAddr = "five", "0.0.0.0:8201"
		}), addr, ca, false, "this node's cluster address"},
	} {
		a := join(row.joiner, row.addr, row.ca)
		if row.shares {
			if a.status != 200 {
				t.Errorf("%s: join: %d %s", row.name, a.status, a.body)
			}
			a = give(row.joiner)
		}
		if a.status < 400 || !strings.Contains(a.body, row.says) {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
	}
	if n := member.members(); n != 1 {
		t.Errorf("there are %d members", n)
	}
}

// address is where a node's cluster port is.
func (s *service) address(t *testing.T) string {
	t.Helper()
	a := s.operate("GET", "/v1/sys/storage/raft/configuration", s.token, "")
	servers, _ := a.at("data", "config", "servers").([]any)
	if len(servers) == 0 {
		t.Fatalf("no members: %d %s", a.status, a.body)
	}
	at, _ := servers[0].(map[string]any)["address"].(string)
	return at
}
