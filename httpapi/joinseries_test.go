package httpapi_test

import (
	"net"
	"strings"
	"testing"
	"time"
)

// A node that keeps asking at an address says so, and what came of it, to whoever asked and in its
// status. Strangers don't learn the second.
func TestSeriesOfJoinsIsTold(t *testing.T) {
	joiner := newService(t)
	a := joiner.joinHere(joinTo("https://127.0.0.1:1", "", `,"retry":true`))
	if waits := a.text("waits"); a.status != 200 ||
		!strings.Contains(waits, "asks at https://127.0.0.1:1 until") ||
		!strings.Contains(waits, "connection refused") {
		t.Errorf("the answer: %d %s", a.status, a.body)
	}
	joiner.awaitJoining(t, "asks at https://127.0.0.1:1 until")
	joiner.awaitJoining(t, "connection refused")
	if said := joiner.statusFrom("192.0.2.1:1234"); !strings.Contains(said, "its log says") ||
		strings.Contains(said, "connection refused") {
		t.Errorf("a stranger is told %s", said)
	}
	if err := joiner.begin(1, 1); err != nil { // it was to be the first node
		t.Fatal(err)
	}
	select {
	case <-joiner.h.SeriesEnds():
	case <-time.After(30 * time.Second):
		t.Error("it asks on as a member")
	}
}

// Another join ends the series, whether it is one or not: else the node could still be led to the
// address that was wrong.
func TestAnotherJoinEndsTheSeries(t *testing.T) {
	member := newService(t)
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	addr, ca := member.listen(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	joiner := newService(t, named("two"))
	wrong := joinTo("https://"+silent.Addr().String(), "", `,"retry":true`)
	if a := joiner.joinHere(wrong); a.status != 200 || a.text("waits") == "" {
		t.Fatalf("nobody answers: %d %s", a.status, a.body)
	}
	ended := joiner.h.SeriesEnds()
	if a := joiner.joinHere(joinTo(addr, ca, "")); a.status != 200 || a.text("waits") != "" {
		t.Fatalf("the right address: %d %s", a.status, a.body)
	}
	select {
	case <-ended:
	default: // an attempt there lasts for seconds
		t.Error("the node still asks at the wrong address")
	}
}

// Shares that a node was given stay when it is told again to join the same cluster. It says that
// they are gone when it joins another, and what it waits for meanwhile.
func TestSharesOfAJoinStay(t *testing.T) {
	member, other := newService(t), newService(t, named("other"))
	for _, s := range []*service{member, other} {
		if err := s.begin(3, 2); err != nil {
			t.Fatal(err)
		}
	}
	addr, ca := member.listen(t)
	otherAddr, otherCA := other.listen(t)
	joiner := newService(t, named("two"))
	join := func(addr, ca, more string) answer { return joiner.joinHere(joinTo(addr, ca, more)) }
	give := func(share string) answer {
		return joiner.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+share+`"}`)
	}
	if a := join(otherAddr, otherCA, ""); a.status != 200 {
		t.Fatalf("join: %d %s", a.status, a.body)
	}
	give(other.shares[0])
	if a := join(addr, ca, ""); a.status != 200 || a.json["forgot_shares"] != 1.0 {
		t.Errorf("join of another cluster: %d %s", a.status, a.body)
	}
	give(member.shares[0])
	for _, more := range []string{"", `,"retry":true`} {
		a := join(addr, ca, more)
		if a.status != 200 || a.json["forgot_shares"] != nil || a.text("waits") != "" {
			t.Errorf("join%s of the same cluster: %d %s", more, a.status, a.body)
		}
	}
	for _, path := range []string{"/v1/keyquorum/seal-lock", "/v1/sys/ha-status"} {
		a := joiner.operate("GET", path, member.token, "")
		if a.status < 400 || !strings.Contains(a.body, "is joining a cluster, and waits for its unseal") {
			t.Errorf("%s of a node that joins: %d %s", path, a.status, a.body)
		}
	}
	if a := give(member.shares[1]); a.status != 200 || a.json["sealed"] != false {
		t.Errorf("with the second share: %d %s", a.status, a.body)
	}
	if n := member.members(); n != 2 {
		t.Errorf("there are %d members", n)
	}
}

// Whoever names the wrong place to join at is told what is there.
func TestJoinSaysWhatIsThere(t *testing.T) {
	member, sealed, empty := newService(t), newService(t, named("s")), newService(t, named("empty"))
	for _, s := range []*service{member, sealed} {
		if err := s.begin(1, 1); err != nil {
			t.Fatal(err)
		}
	}
	sealed.n.Seal(t.Context())
	_, ca := member.listen(t)
	sealedAddr, sealedCA := sealed.listen(t)
	emptyAddr, emptyCA := empty.listen(t)
	joiner := newService(t, named("two"))
	for _, row := range []struct{ name, addr, ca, says string }{
		{"the cluster port", "https://" + member.address(t), ca, "a member's cluster port"},
		{"a sealed node", sealedAddr, sealedCA, "the node there is sealed"},
		{"a node without a cluster", emptyAddr, emptyCA, "no member of a cluster yet"},
	} {
		a := joiner.joinHere(joinTo(row.addr, row.ca, ""))
		if a.status != 500 || !strings.Contains(a.body, row.says) {
			t.Errorf("%s: %d %s", row.name, a.status, a.body)
		}
	}
}
