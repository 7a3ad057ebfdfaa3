package httpapi_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
)

// listen serves s over TLS on loopback. It returns the address and the certificate to trust.
func (s *service) listen(t *testing.T) (addr, ca string) {
	t.Helper()
	addr, ca, _ = s.listenUntil(t)
	return addr, ca
}

// listenUntil is listen with an end before the test's.
func (s *service) listenUntil(t *testing.T) (addr, ca string, end func()) {
	t.Helper()
	server := httptest.NewUnstartedServer(s.h)
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	block := &pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}
	return server.URL, string(pem.EncodeToMemory(block)), server.Close
}

// A second node joins over HTTPS: its operator names a member, then types the shares at the joiner.
func TestJoin(t *testing.T) {
	member := newService(t)
	if err := member.begin(3, 2); err != nil {
		t.Fatal(err)
	}
	addr, ca := member.listen(t)
	joiner := newService(t, named("two"))
	joiner.token, joiner.shares = member.token, member.shares
	join := func(addr, ca, more string) answer {
		body := `{"leader_api_addr":"` + addr + `","leader_ca_cert":"` + strings.ReplaceAll(ca, "\n",
			`\n`) + `","auto_join":""` + more + `}`
		return joiner.operate("POST", "/v1/sys/storage/raft/join", "", body)
	}
	for name, a := range map[string]answer{
		"plain http": join("http://127.0.0.1:1", "", ""), "a path": join(addr+"/v1", ca, ""),
		"bad PEM":            join(addr, "x", ""),
		"auto_join":          join(addr, ca, `,"auto_join":"provider=aws"`),
		"client certificate": join(addr, ca, `,"leader_client_cert":"x"`),
	} {
		if a.status != 400 {
			t.Errorf("join with %s: %d %s", name, a.status, a.body)
		}
	}
	if a := join(addr, "", ""); a.status != 500 ||
		!strings.Contains(a.body, "failed to join raft cluster") {
		t.Errorf("join of a node whose certificate is not trusted: %d %s", a.status, a.body)
	}
	if a := join(addr, ca, ""); a.status != 200 || a.json["joined"] != true {
		t.Fatalf("join: %d %s", a.status, a.body)
	}
	if err := joiner.unseal(2); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*service{member, joiner} {
		a := s.operate("GET", "/v1/sys/storage/raft/configuration", member.token, "")
		if servers, _ := a.at("data", "config", "servers").([]any); len(servers) != 2 {
			t.Errorf("configuration: %d %s", a.status, a.body)
		}
	}
	if a := joiner.operate("PUT", "/v1/sys/storage/raft/join", "", `{}`); a.status != 500 ||
		!strings.Contains(a.body, "a member of a cluster already, and unsealed") {
		t.Errorf("join of an unsealed node: %d %s", a.status, a.body)
	}
	joiner.n.Seal(context.Background())
	other := newService(t)
	if err := other.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	otherAddr, otherCA := other.listen(t)
	for _, row := range []struct {
		name, addr, ca string
		status         int
		says           string
	}{
		{"its own cluster", addr, ca, 200, `"member":true`},
		{"another cluster", otherAddr, otherCA, 400, "a member of another cluster already"},
		{"nobody", "https://127.0.0.1:1", "", 500, "the one to join did not answer"},
		{"no address", "https://127.0.0.1:port", "", 400, "leader_api_addr"},
	} {
		for _, more := range []string{"", `,"retry":true`} {
			if a := join(row.addr, row.ca, more); a.status != row.status ||
				!strings.Contains(a.body, row.says) {
				t.Errorf("join of a sealed member to %s%s: %d %s", row.name, more, a.status, a.body)
			}
		}
	}
	other.n.Seal(context.Background()) // as after a power cut: nobody can tell yet
	if a := join(otherAddr, otherCA, ""); a.status != 200 {
		t.Errorf("join of a sealed member to a sealed node: %d %s", a.status, a.body)
	}
	admitted := 0
	for _, u := range member.usage.take() {
		if u["operation"] == "sys/raft/answer" && u["status"] == 200.0 {
			admitted++
		}
	}
	if admitted != 1 {
		t.Errorf("%d admissions recorded, want 1", admitted)
	}
}

func TestJoinWithRetryAnswersSoonAndEndsWithTheHandler(t *testing.T) {
	hanging, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hanging.Close()
	joiner := newService(t)
	body := `{"leader_api_addr":"https://` + hanging.Addr().String() + `","retry":true}`
	for range 3 {
		if a := joiner.operate("PUT", "/v1/sys/storage/raft/join", "", body); a.status != 200 ||
			a.json["joined"] != true {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	joiner.h.Close() // returns only when the attempt has ended
	joiner.h.Close()
}

func TestJoinCallsOfStrangers(t *testing.T) {
	s := unsealed(t)
	const challenge, answerPath = "/v1/sys/storage/raft/bootstrap/challenge",
		"/v1/sys/storage/raft/bootstrap/answer"
	id := strings.Repeat("ab", 16)
	if a := s.operate("PUT", challenge, "", `{"server_id":"`+id+`"}`); a.status != 200 ||
		a.text("challenge") == "" || a.text("nonce") == "" ||
		a.at("seal_config", "secret_threshold") != 1.0 {
		t.Errorf("challenge: %d %s", a.status, a.body)
	} else if lock, err := base64.StdEncoding.DecodeString(a.text("challenge")); err != nil ||
		len(lock) != 31+32 || string(lock[:4]) != "KQLK" {
		t.Errorf("the challenge is no lock of one share: %x, %v", lock, err)
	}
	for path, bodies := range map[string][]string{
		challenge: {``, `{"server_id":"x"}`, `{"server_id":"` + strings.Repeat("AB", 16) + `"}`,
			`{"server_id":"` + strings.Repeat("a", 65) + `"}`, `{"server_id":1}`},
		answerPath: {``, `{"server_id":"` + id + `"}`, `{"server_id":"` + id +
			`","nonce":"AAAA","answer":"AAAA","csr":"AAAA"}`, `{"server_id":"x","nonce":"!"}`},
	} {
		for _, body := range bodies {
			if a := s.operate("PUT", path, "", body); a.status != 400 {
				t.Errorf("%s %s: %d %s", path, body, a.status, a.body)
			}
		}
	}
	if a := s.operate("PUT", challenge, "",
		`{"server_id":"`+strings.Repeat("a", 5000)+`"}`); a.status != 413 {
		t.Errorf("large challenge: %d %s", a.status, a.body)
	}
}

func TestServerHangsUpOnWhoeverIsTooSlowOrTooLarge(t *testing.T) {
	server := httpapi.NewServer(unsealed(t).n, httpapi.Config{Zones: []httpapi.Zone{zone}},
		hclog.NewNullLogger())
	if server.ReadHeaderTimeout == 0 || server.ReadTimeout == 0 ||
		server.WriteTimeout <= server.ReadTimeout || server.IdleTimeout == 0 ||
		server.MaxHeaderBytes == 0 || server.MaxHeaderBytes > 64<<10 {
		t.Errorf("limits are missing: %+v", server)
	}
	if err := server.Shutdown(context.Background()); err != nil { // closes the handler
		t.Error(err)
	}
}

// net/http would answer "OPTIONS *" by itself, past both planes.
func TestOptionsOfTheWholeServer(t *testing.T) {
	server := httpapi.NewServer(unsealed(t).n, httpapi.Config{Zones: []httpapi.Zone{zone}},
		hclog.NewNullLogger())
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	for host, status := range map[string]int{nodeHost: 403, "any.vault.localhost": 401,
		loginHost: 404} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "OPTIONS * HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
		a, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != status || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %s %v", host, a.Status, a.Header)
		}
	}
	if err := server.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	<-served
}

// Over a real connection, HTTP/2 included: an answer carries its length, HEAD has none of the body,
// and an application's path with empty segments is not redirected.
func TestOverTheNetwork(t *testing.T) {
	s := unsealed(t)
	addr, _ := s.listen(t)
	for _, h2 := range []bool{false, true} {
		client := &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: h2,
			DisableKeepAlives: true,
		}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for _, row := range []struct {
			method, host, path string
			status             int
		}{
			{"GET", nodeHost, "/v1/sys/health", 200}, {"HEAD", nodeHost, "/v1/sys/health", 200},
			{"POST", "any.vault.localhost:8200", "/keys/n//sign?api-version=7.4", 401},
			{"PUT", "any.vault.localhost:8200", "/secrets/a/../b", 401},
			{"GET", nodeHost, "//v1/sys/health", 403},
		} {
			r, err := http.NewRequest(row.method, addr+row.path, nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = row.host
			a, err := client.Do(r)
			if err != nil {
				t.Fatalf("%s %s: %v", row.method, row.path, err)
			}
			a.Body.Close()
			if a.StatusCode != row.status || a.ContentLength <= 0 || (a.ProtoMajor == 2) != h2 {
				t.Errorf("%s %s: %s, %d bytes, %s", row.method, row.path, a.Status, a.ContentLength, a.Proto)
			}
		}
	}
}
