package main

import (
	"fmt"
	"strings"

	"keyquorum/testcluster"
)

const (
	apiVersion = "?api-version=7.5"
	readTarget = "/secrets/read/" + apiVersion // as Azure's SDK spells it
)

// secretBody sets a secret of 1 KiB.
var secretBody = []byte(`{"value":"` + strings.Repeat("v", 1024) + `"}`)

func (b *bed) read(int) request {
	return request{method: "GET", target: readTarget, token: b.token}
}

// write sets a secret of the client's own: what is measured is the path of a write, not who wins.
func (b *bed) write(client int) request {
	return request{method: "PUT", target: fmt.Sprintf("/secrets/write-%d%s", client, apiVersion),
		token: b.token, body: secretBody}
}

// likewise is the same request to the ceiling, which answers with as many bytes as at answered.
func likewise(h *harness, at address, of func(int) request) func(int) request {
	line, err := dial(h.ctx, at)
	h.must(err)
	defer line.close()
	body, err := line.call(of(0))
	h.must(err)
	size := len(body)
	return func(client int) request {
		r := of(client)
		r.target += fmt.Sprint(sizeParameter, size)
		return r
	}
}

// prepare makes the secret that is read.
func (b *bed) prepare(h *harness) {
	b.ask(h, request{method: "PUT", target: "/secrets/read" + apiVersion, token: b.token,
		body: secretBody})
}

// ask sends one request to the first node.
func (b *bed) ask(h *harness, r request) []byte {
	line := must(dial(h.ctx, b.at(h, 0)))
	defer line.close()
	return must(line.call(r))
}

// measureRequests compares one node, a leader and a follower of three, and the ceiling.
func measureRequests(h *harness, p plan, crypto cryptoPrices, v *verdicts) {
	h.within(func(h *harness) {
		one := newBed(h, testcluster.Processes(h, 1))
		three := newBed(h, testcluster.Processes(h, 3))
		one.prepare(h)
		three.prepare(h)
		keys := one.prepareKeys(h)
		ceiling, ceilingPID := startCeiling(h, one)
		a := arena{
			h: h, plan: p, one: one, three: three, leader: three.Leader(),
			ceiling: ceiling, ceilingPID: ceilingPID,
		}
		a.reads(v)
		a.signatures(keys, crypto, v)
		a.ciphers(keys)
		a.writes()
		if three.Leader() != a.leader {
			fmt.Print("\n**The leader changed during this run: leader's and follower's rows are mixed.**\n")
		}
	})
}

// An arena is all servers that are compared.
type arena struct {
	h          *harness
	plan       plan
	one, three *bed
	leader     int // of three
	ceiling    address
	ceilingPID int
}

func (a *arena) follower() int { return (a.leader + 1) % a.three.Size() }

func (a *arena) onOne(name string, clients int, of func(int) request) *cell {
	return &cell{name: name, to: a.one.at(a.h, 0), pids: a.one.pids(0), clients: clients, request: of}
}

func (a *arena) onThree(name string, node, clients int, of func(int) request) *cell {
	return &cell{name: name, to: a.three.at(a.h, node), pids: a.three.pids(node), clients: clients,
		request: of}
}

func (a *arena) onCeiling(clients int, of func(int) request) *cell {
	return &cell{
		name: "ceiling: bare net/http", to: a.ceiling, pids: []int{a.ceilingPID}, clients: clients,
		request: likewise(a.h, a.one.at(a.h, 0), of),
	}
}

func (a *arena) reads(v *verdicts) {
	t := newRequestTable("Secret read, 1 KiB")
	for _, n := range a.plan.clients {
		cells := []*cell{
			a.onCeiling(n, a.one.read),
			a.onOne("one node", n, a.one.read),
			a.onThree("three, leader", a.leader, n, a.three.read),
			a.onThree("three, follower", a.follower(), n, a.three.read),
		}
		compare(a.h, a.plan, cells...)
		t.add(cells...)
		if n == 16 {
			v.read(&cells[0].seen, &cells[1].seen)
		}
	}
	t.print()
}

func (a *arena) writes() {
	t := newRequestTable("Secret write, 1 KiB, each client its own secret")
	for _, n := range a.plan.clients {
		cells := []*cell{
			a.onCeiling(n, a.one.write),
			a.onOne("one node", n, a.one.write),
			a.onThree("three, leader", a.leader, n, a.three.write),
			a.onThree("three, follower", a.follower(), n, a.three.write),
		}
		compare(a.h, a.plan, cells...)
		t.add(cells...)
	}
	t.print()
}
