package commands_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// TestCommands plays the whole list with both clients, each with a cluster of its own from the
// first day on. In a bubble the leader stays the leader however busy the machine is. make
// conformance shows the table.
func TestCommands(t *testing.T) {
	heavy.Test(t)
	forgetEnvironment(t)
	r := newReport()
	for _, client := range clients {
		t.Run(client, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, client, r)
				s.firstDay()
				s.pass("leader", s.c.Leader())
				s.pass("follower", (s.c.Leader()+1)%spares)
			})
		})
	}
	table, err := r.table()
	t.Log("\n" + table)
	if err != nil {
		t.Error(err)
	}
}

// firstDay makes three nodes without data a cluster.
func (s *scene) firstDay() {
	s.t.Helper()
	const here = "new node"
	s.health(here, s.node, probes(true, false, false, false))
	s.once(here, append(blankRows(), initRow())...)
	s.visit(here, unsealRows())
	s.learn(s.node)
	s.c.Call(s.node, "PUT", "/v1/sys/storage/raft/autopilot/configuration",
		map[string]string{"server_stabilization_time": "0s"}, nil)
	for s.spare = 1; s.spare < spares; s.spare++ {
		s.visit(here, joinRows(true))
		s.learn(s.spare)
	}
}

// once plays commands without a token: no node has one to compare it with.
func (s *scene) once(where string, commands ...command) {
	s.t.Helper()
	for _, c := range commands {
		err := s.play(c, "")
		s.report.record(c, s.client, where, err)
		if err != nil {
			s.t.Fatalf("%s %s at a %s: %v", s.client, c.name, where, err)
		}
	}
}

// pass plays everything at one member, and the rest when it is sealed. Its last row has another
// node lead.
func (s *scene) pass(where string, node int) {
	s.t.Helper()
	s.node, s.leads, s.led = node, where == "leader", s.c.Leader()
	s.other = (node + 1) % spares
	if s.other == s.led {
		s.other = (node + 2) % spares
	}
	always := slices.Concat(dailyRows(), raftRows(), settingRows(), debugRows(), snapshotRows(),
		rekeyRows(), []command{restoreRow(ofBefore)}, rootRows(), insteadRows(),
		[]command{healthRow()})
	members := memberRows(s.leads)
	s.health(where, node, probes(false, false, false, s.leads))
	s.visit(where, always, joinRows(s.leads), members)
	s.removed()
	s.visit(where, []command{sealRow()})
	s.sealed = true
	s.health("sealed "+where, node, probes(false, false, true, s.leads))
	s.visit("sealed "+where, always, members, []command{stepDownRow()}, unsealRefusals())
	s.sealed = false
	s.visit("sealed "+where, unsealRows())
	s.visit(where, []command{stepDownRow()})
}

// removed ends the node that was removed, which has learned of it, and names the next to join.
func (s *scene) removed() {
	s.t.Helper()
	s.health("removed node", s.spare, probes(false, true, false, false))
	s.c.Forget(s.spare)
	s.spare++
}

// health may take a moment to be so: a node learns from others that it was removed.
func (s *scene) health(where string, node int, list []probe) {
	s.t.Helper()
	err := s.probed(node, list)
	for end := time.Now().Add(waiting); err != nil && time.Now().Before(end); {
		time.Sleep(time.Second)
		err = s.probed(node, list)
	}
	s.report.record(healthRow(), s.client, where, err)
	if err != nil {
		s.t.Errorf("%s at a %s: %v", s.client, where, err)
	}
}

// learn asks a node what the cluster calls it.
func (s *scene) learn(node int) {
	s.t.Helper()
	var state testcluster.State
	s.c.Call(node, "GET", "/v1/keyquorum/state", nil, &struct {
		Data *testcluster.State `json:"data"`
	}{&state})
	s.ids[node] = state.NodeID
}
