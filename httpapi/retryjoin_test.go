package httpapi_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"keyquorum/httpapi"
	"keyquorum/httpapi/seeds"
	"keyquorum/node"
)

// named is a node with a name for people.
func named(label string) func(*node.Config) {
	return func(c *node.Config) { c.Label = label }
}

// seek starts a node without data whose configuration names places.
func seek(t *testing.T, label string, resolver seeds.Resolver, texts ...string) (*service,
	*logText) {
	t.Helper()
	return seekAs(t, named(label), resolver, texts...)
}

func seekAs(t *testing.T, change func(*node.Config), resolver seeds.Resolver,
	texts ...string) (*service, *logText) {
	t.Helper()
	s, log := newService(t, change), new(logText)
	c := httpapi.Config{Zones: []httpapi.Zone{zone}, Resolver: resolver, Logger: log.logger()}
	for _, text := range texts {
		seed, err := seeds.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		c.Seeds = append(c.Seeds, seed)
	}
	s.h.Close()
	s.h = httpapi.New(s.n, c)
	return s, log
}

// caFile is where a PEM certificate lies.
func caFile(t *testing.T, pem string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, []byte(pem), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// statusFrom is a seal status as somebody at an address gets it.
func (s *service) statusFrom(remote string) string {
	r := httptest.NewRequest("GET", "/v1/sys/seal-status", nil)
	r.Host, r.RemoteAddr = nodeHost, remote
	w := httptest.NewRecorder()
	s.h.ServeHTTP(w, r)
	return w.Body.String()
}

// awaitJoining waits until a node says of its joining what is wanted, to somebody on its machine.
func (s *service) awaitJoining(t *testing.T, says string) {
	t.Helper()
	said := ""
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); {
		if said = s.statusFrom("127.0.0.1:1234"); strings.Contains(said, says) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("it does not say that %s: %s", says, said)
}

func (s *service) members() int {
	a := s.operate("GET", "/v1/sys/storage/raft/configuration", s.token, "")
	servers, _ := a.at("data", "config", "servers").([]any)
	return len(servers)
}

// An impostor answers like a node, with a certificate that nobody trusts, and counts who asks.
func impostor(t *testing.T) (addr string, asked *atomic.Int64) {
	t.Helper()
	asked = new(atomic.Int64)
	server := httptest.NewUnstartedServer(http.HandlerFunc(
		func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	server.Config.ErrorLog = new(logText).logger().StandardLogger(nil)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{selfSigned(t)}}
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, asked
}

// A node without data asks at the places of its configuration until one lets it join. It says what
// it waits for, asks nothing of whoever can't show its certificate, becomes a member with its
// shares alone, and asks no more then.
func TestNodeFindsItsClusterByItself(t *testing.T) {
	member := newService(t)
	addr, ca := member.listen(t)
	trusted := " leader_ca_cert_file=" + caFile(t, ca)
	foreign, asked := impostor(t)
	joiner, log := seek(t, "two", nil, foreign+trusted, "https://127.0.0.1:1", addr+trusted)
	joiner.awaitJoining(t, "no member of a cluster yet")
	for _, want := range []string{"retry_join (3)", "https://127.0.0.1:1: ", "certificate"} {
		joiner.awaitJoining(t, want)
	}
	if a := joiner.operate("GET", "/v1/sys/seal-status", "", ""); a.json["initialized"] != false {
		t.Errorf("a node that has found nobody: %s", a.body)
	}
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	joiner.awaitJoining(t, "becomes a member with enough unseal shares")
	if n := member.members(); n != 1 {
		t.Errorf("before the shares there are %d members", n)
	}
	joiner.token, joiner.shares = member.token, member.shares
	if err := joiner.unseal(2); err != nil {
		t.Fatal(err)
	}
	if n := joiner.members(); n != 2 {
		t.Errorf("there are %d members", n)
	}
	if a := joiner.operate("GET", "/v1/sys/seal-status", "", ""); a.text("joining") != "" {
		t.Errorf("a member still says how it joins: %s", a.body)
	}
	if n := asked.Load(); n > 0 {
		t.Errorf("%d requests went to one whose certificate nobody trusts", n)
	}
	if said := log.String(); !strings.Contains(said, "has found its cluster") ||
		!strings.Contains(said, "no member lets this node join yet") {
		t.Errorf("the log says %s", said)
	}
	joiner.h.Close() // returns only when the search has ended
}

// The member that was found may be gone when the shares come: then another place is asked.
func TestJoinGoesOnAtAnotherPlace(t *testing.T) {
	member := newService(t)
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	first, ca, end := member.listenUntil(t)
	second, _ := member.listen(t) // with the same certificate
	trusted := " leader_ca_cert_file=" + caFile(t, ca)
	joiner, _ := seek(t, "two", nil, first+trusted, second+trusted)
	joiner.awaitJoining(t, "enough unseal shares")
	end()
	joiner.token, joiner.shares = member.token, member.shares
	if err := joiner.unseal(2); err != nil {
		t.Fatal(err)
	}
	if n := member.members(); n != 2 {
		t.Errorf("there are %d members", n)
	}
}

// A node that was admitted, did not hear of it, and was removed meanwhile is a member with its
// shares, under another id that it takes by itself.
func TestRemovedIDIsReplacedByItself(t *testing.T) {
	member, dir := newService(t), t.TempDir()
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	addr, ca := member.listen(t)
	two := func(c *node.Config) { c.Label, c.Dir = "two", dir }
	removed := ""
	t.Run("its admission is lost", func(t *testing.T) {
		killed, lost := newService(t, two), &lossy{offering: offering{member.n}}
		if err := killed.n.Join(t.Context(), lost, false); err != nil {
			t.Fatal(err)
		}
		killed.shares = member.shares
		if err := killed.unseal(2); err == nil || lost.id == "" {
			t.Fatalf("it is a member: %v", err)
		}
		removed = lost.id
	})
	if a := member.operate("PUT", "/v1/sys/storage/raft/remove-peer", member.token,
		`{"server_id":"`+removed+`"}`); a.status != 204 {
		t.Fatalf("remove-peer: %d %s", a.status, a.body)
	}
	joiner, _ := seekAs(t, two, nil, addr+" leader_ca_cert_file="+caFile(t, ca))
	joiner.awaitJoining(t, "enough unseal shares")
	joiner.token, joiner.shares = member.token, member.shares
	if err := joiner.unseal(2); err != nil {
		t.Fatal(err)
	}
	if folder, err := node.LookAt(dir); err != nil || folder.NodeID == removed {
		t.Errorf("the removed node is back: %v", err)
	}
}

// A lossy place admits, and what it says gets lost.
type lossy struct {
	offering
	id string // that was admitted
}

func (l *lossy) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	if _, err := l.offering.Answer(ctx, a); err != nil {
		return node.Admission{}, err
	}
	l.id = a.ServerID
	return node.Admission{}, fmt.Errorf("the connection is gone")
}

// Strangers are not told what was found at other machines.
func TestStrangersLearnNothingOfPlaces(t *testing.T) {
	joiner, _ := seek(t, "two", nil, "https://127.0.0.1:1")
	joiner.awaitJoining(t, "https://127.0.0.1:1: dial tcp")
	if said := joiner.statusFrom("192.0.2.1:1234"); !strings.Contains(said, "its log says why") ||
		strings.Contains(said, "127.0.0.1:1") {
		t.Errorf("a stranger is told %s", said)
	}
}

// joinTo is the body of a call that has a node join at an address.
func joinTo(addr, ca string, more string) string {
	return `{"leader_api_addr":"` + addr + `","leader_ca_cert":"` +
		strings.ReplaceAll(ca, "\n", `\n`) + `"` + more + `}`
}

// joinHere asks a node to join from its own machine.
func (s *service) joinHere(body string) answer {
	r := httptest.NewRequest("PUT", "/v1/sys/storage/raft/join", strings.NewReader(body))
	r.Host, r.RemoteAddr = nodeHost, "127.0.0.1:1234"
	return s.serve(r)
}

// Where the configuration names places, no other machine has a node join a cluster of its own, and
// give it that one's shares, before a place answers or after. Somebody on the machine may, until a
// place answers. Whether the node votes is nothing that strangers say either.
func TestConfigurationGoesBeforeStrangers(t *testing.T) {
	ours, foreign := newService(t), newService(t, named("other"))
	if err := foreign.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	addr, ca := ours.listen(t)
	foreignAddr, foreignCA := foreign.listen(t)
	dir := t.TempDir()
	joiner, log := seekAs(t, func(c *node.Config) { c.Label, c.Dir = "two", dir }, nil,
		addr+" leader_ca_cert_file="+caFile(t, ca))
	const join = "/v1/sys/storage/raft/join"
	asked := joinTo(foreignAddr, foreignCA, "")
	for _, body := range []string{asked, joinTo(foreignAddr, foreignCA, `,"retry":true`)} {
		if a := joiner.operate("PUT", join, "", body); a.status != 400 ||
			!strings.Contains(a.body, "none has let it join yet") {
			t.Errorf("a stranger asks a node that has found nobody: %d %s", a.status, a.body)
		}
	}
	if said := log.String(); !strings.Contains(said, "refused a join that another machine asked") {
		t.Errorf("the log says %s", said)
	}
	if a := joiner.joinHere(asked); a.status != 200 {
		t.Fatalf("a node that has found nobody is told on its machine: %d %s", a.status, a.body)
	}
	joiner.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+foreign.shares[0]+`"}`)
	joiner.awaitJoining(t, `"progress":1`)

	if err := ours.begin(5, 3); err != nil {
		t.Fatal(err)
	}
	joiner.awaitJoining(t, `"t":3`)
	if a := joiner.operate("PUT", join, "", asked); a.status != 400 ||
		!strings.Contains(a.body, "retry_join") {
		t.Errorf("a stranger asks again, and is answered %d %s", a.status, a.body)
	}
	joiner.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+ours.shares[0]+`"}`)
	if a := joiner.operate("PUT", join, "", joinTo(addr, ca, "")); a.status != 200 {
		t.Errorf("it is told to join the cluster that it joins: %d %s", a.status, a.body)
	}
	if a := joiner.operate("PUT", join, "", joinTo(addr, ca, `,"non_voter":true`)); a.status != 400 ||
		!strings.Contains(a.body, "retry_join_as_non_voter") {
		t.Errorf("it is told to have no vote: %d %s", a.status, a.body)
	}
	joiner.awaitJoining(t, `"progress":1`)
	joiner.token, joiner.shares = ours.token, ours.shares[1:]
	if err := joiner.unseal(2); err != nil {
		t.Fatal(err)
	}
	if n := ours.members(); n != 2 {
		t.Errorf("there are %d members", n)
	}
	if folder, err := node.LookAt(dir); err != nil || !folder.Voter {
		t.Errorf("a stranger has taken its vote: %v", err)
	}
}

// A node that joins a member of its cluster's, whoever named that one, is brought to the places of
// its configuration: what a stranger passes on has no end. Its shares stay.
func TestConfigurationTakesOver(t *testing.T) {
	member := newService(t)
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	joiner := newService(t, named("two"))
	stranger := &relay{to: offering{member.n}}
	if err := joiner.n.Join(t.Context(), stranger, false); err != nil {
		t.Fatal(err)
	}
	joiner.operate("PUT", "/v1/sys/unseal", "", `{"key":"`+member.shares[0]+`"}`)
	if err := joiner.n.JoinConfigured(t.Context(), offering{member.n}, false); err != nil {
		t.Fatal(err)
	}
	joiner.token, joiner.shares = member.token, member.shares[1:]
	if err := joiner.unseal(1); err != nil {
		t.Fatalf("%v; the stranger was asked %d times", err, stranger.asked)
	}
}

// A relay passes challenges on, and no answer.
type relay struct {
	to    offering
	asked int
}

func (r *relay) Challenge(ctx context.Context, serverID string) (node.Challenge, error) {
	return r.to.Challenge(ctx, serverID)
}

func (r *relay) Answer(context.Context, node.Answer) (node.Admission, error) {
	r.asked++
	return node.Admission{}, fmt.Errorf("I am a stranger")
}

// Places that swallow what is sent there keep nobody waiting, least of all who gave the last share.
func TestSilentPlacesHoldNobodyUp(t *testing.T) {
	member := newService(t)
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	addr, ca := member.listen(t)
	trusted := " leader_ca_cert_file=" + caFile(t, ca)
	var places []string
	for range 8 {
		silent, err := net.Listen("tcp", "127.0.0.1:0") // nobody accepts: the system does
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { silent.Close() })
		places = append(places, "https://"+silent.Addr().String()+trusted)
	}
	joiner, _ := seek(t, "two", nil, append(places, addr+trusted)...)
	joiner.awaitJoining(t, "enough unseal shares")
	joiner.token, joiner.shares = member.token, member.shares
	if err := joiner.unseal(2); err != nil {
		t.Fatal(err)
	}
	if n := member.members(); n != 2 {
		t.Errorf("there are %d members", n)
	}
}

// offering is a member that is asked without HTTP.
type offering struct{ n *node.Node }

func (o offering) Challenge(_ context.Context, serverID string) (node.Challenge, error) {
	return o.n.MakeChallenge(serverID)
}

func (o offering) Answer(ctx context.Context, a node.Answer) (node.Admission, error) {
	return o.n.AdmitAnswer(ctx, a)
}

// The places may come from DNS. The certificate must have the name that was looked up, or the one
// that the configuration gives; what the records say proves nothing.
func TestPlacesComeFromDNS(t *testing.T) {
	member := newService(t)
	if err := member.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	addr, ca := member.listen(t) // its certificate has example.com and 127.0.0.1
	_, port, _ := strings.Cut(strings.TrimPrefix(addr, "https://"), ":")
	trusted := " leader_ca_cert_file=" + caFile(t, ca)
	names := nameServer(t, port)
	for _, row := range []struct{ text, says string }{
		{"dns_name=example.com auto_join_port=" + port, "enough unseal shares"},
		{"dns_name=nodes.test auto_join_port=" + port, "not nodes.test"},
		{"dns_name=nodes.test leader_tls_servername=example.com auto_join_port=" + port,
			"enough unseal shares"},
		{"dns_name=_keyquorum._tcp.nodes.test leader_tls_servername=example.com",
			"enough unseal shares"},
		{"dns_name=_keyquorum._tcp.nodes.test leader_tls_servername=nodes.test", "not nodes.test"},
		{"dns_name=nobody.test auto_join_port=" + port, "no such host"},
		{"dns_name=example.com", "example.com: "}, // nobody is at port 8200
	} {
		joiner, _ := seek(t, "two", names, row.text+trusted)
		joiner.awaitJoining(t, row.says)
		joiner.h.Close()
	}
}

// nameServer is a resolver that asks a name server of the test's: example.com and nodes.test are
// here and nowhere else, and a service is at a port.
func nameServer(t *testing.T, port string) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	go func() { // ends with the connection
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, err := recordsFor(buf[:n], port); err == nil {
				_, _ = conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true,
		Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
		}}
}

// recordsFor is what the name server answers.
func recordsFor(query []byte, port string) ([]byte, error) {
	var m dnsmessage.Message
	if err := m.Unpack(query); err != nil || len(m.Questions) != 1 {
		return nil, fmt.Errorf("no question: %w", err)
	}
	m.Response, m.RecursionAvailable, m.Additionals = true, true, nil
	q := m.Questions[0]
	header := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
	name := q.Name.String()
	here := name == "example.com." || name == "nodes.test."
	switch {
	case here && q.Type == dnsmessage.TypeA:
		m.Answers = []dnsmessage.Resource{{Header: header,
			Body: &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}}}}
	case name == "_keyquorum._tcp.nodes.test." && q.Type == dnsmessage.TypeSRV:
		var number uint16
		_, _ = fmt.Sscan(port, &number)
		m.Answers = []dnsmessage.Resource{{Header: header, Body: &dnsmessage.SRVResource{
			Port: number, Target: dnsmessage.MustNewName("localhost.")}}}
	case !here:
		m.RCode = dnsmessage.RCodeNameError
	}
	return m.Pack()
}

// selfSigned is a certificate for 127.0.0.1 that nobody else has signed.
func selfSigned(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
