package main

import (
	"crypto/tls"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestBalancersAreChecked: what would believe everybody, or does nothing, is refused where it
// stands.
func TestBalancersAreChecked(t *testing.T) {
	const proxies = "proxy_protocol_authorized_addrs = "
	const headers = "x_forwarded_for_authorized_addrs = "
	rows := map[string]string{ // stanza: what is said of it
		proxies + `"10.1.0.0/16, 10.2.0.1"`:        "",
		proxies + `["10.1.0.0/16", "2001:db8::1"]`: "",
		proxies + `"0.0.0.0/0"`:                    "is everybody",
		proxies + `"10.1.2.3/16"`:                  "is 10.1.0.0/16 meant",
		headers + `["::/0"]`:                       "is everybody",

		proxies + "\"10.1.0.0/16\"\nproxy_protocol_behavior = \"deny_unauthorized\"": "",

		`proxy_protocol_behavior = "use_always"`:        "everybody pretend to be anybody",
		`proxy_protocol_behavior = "deny_unauthorized"`: "would close every connection",
		`proxy_protocol_behavior = "sometimes"`:         "allow_authorized or deny_unauthorized",

		headers + `"10.1.0.0/16"
		x_forwarded_for_hop_skips = "1"
		x_forwarded_for_reject_not_present = true
		x_forwarded_for_reject_not_authorized = "true"`: "",

		headers + "\"10.1.0.0/16\"\nx_forwarded_for_hop_skips = -1": "negative",

		`x_forwarded_for_hop_skips = 1`:                "it says nothing",
		`x_forwarded_for_reject_not_present = true`:    "it says nothing",
		`x_forwarded_for_reject_not_authorized = true`: "it says nothing",
	}
	for _, block := range balancersOfThePage(t) {
		rows[block] = ""
	}
	for stanza, says := range rows {
		folder, config := checkable(t, "")
		(&server{t: t, folder: folder, config: config}).edit("  address ", stanza+"\n  address ")
		o := call(t, t.TempDir(), "server", "--config", config, "--check")
		said := strings.Join(strings.Fields(o.stdout), " ")
		if (o.code == 0) != (says == "") || !strings.Contains(said, says) {
			t.Errorf("%s: exit code %d, not %q but %s", stanza, o.code, says, o.stdout)
		}
	}
}

// balancersOfThePage are the settings that docs/configuration.md shows for the stanza listener.
func balancersOfThePage(t *testing.T) (blocks []string) {
	t.Helper()
	b, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)```hcl (?:balancers|forwarded)\nlistener \"tcp\" {\n(.*?)}\n```")
	for _, match := range shown.FindAllStringSubmatch(string(b), -1) {
		blocks = append(blocks, match[1])
	}
	if len(blocks) != 2 {
		t.Fatalf("the page shows %q", blocks)
	}
	return blocks
}

// announced does a handshake as a balancer at 127.0.0.2 that says who calls.
func (s *server) announced() error {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: 10 * time.Second}
	raw, err := d.Dial("tcp", s.address())
	if err != nil {
		return err
	}
	defer raw.Close()
	raw.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(raw, "PROXY TCP4 192.0.2.7 192.0.2.1 5000 443\r\n"); err != nil {
		return err
	}
	return tls.Client(raw, &tls.Config{InsecureSkipVerify: true}).Handshake()
}

// TestBalancersAreReloaded names a balancer to a server that runs, and takes it back.
func TestBalancersAreReloaded(t *testing.T) {
	s := startServer(t, "")
	s.says(0, "serving")
	if s.announced() == nil {
		t.Error("a balancer that nobody has named is believed")
	}
	const named = "  proxy_protocol_authorized_addrs = [\"127.0.0.2\"]\n"
	s.edit("  cluster_address", named+"  cluster_address")
	if said := s.hup("was read again"); strings.Contains(said, "need a restart") {
		t.Error(said)
	}
	if err := s.announced(); err != nil {
		t.Errorf("the balancer is named: %v", err)
	}
	s.edit(named, "")
	s.hup("was read again")
	if s.announced() == nil {
		t.Error("the balancer is no longer named, and is believed")
	}
}
