package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/console"
)

// configured is what `keyquorum server` would make of a command line, an environment and a
// configuration file.
func configured(t *testing.T, args []string, env map[string]string, file string) (serverConfig,
	error) {
	t.Helper()
	var c serverConfig
	f := pflag.NewFlagSet("server", pflag.ContinueOnError)
	c.bind(f)
	if file != "" {
		name := filepath.Join(t.TempDir(), "config.json")
		if err := os.WriteFile(name, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, "--config", name)
	}
	if err := f.Parse(args); err != nil {
		return c, err
	}
	wrong := c.fill(f, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return c, wrong.err()
}

func TestFlagsWinOverEnvironmentOverFile(t *testing.T) {
	file := `{"label": "file", "data": "file", "listen": "file", "zone": ["a=b", "c=d"], "raft_heartbeat": "3s", "no_leases": true, "throttle": 2000000, "throttle_burst": 7}`
	env := map[string]string{"KEYQUORUM_LABEL": "env", "KEYQUORUM_DATA": "env",
		"KEYQUORUM_RAFT_ELECTION": "2s"}
	c, err := configured(t, []string{"--label", "flag"}, env, file)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ setting, got, want string }{
		{"label, said everywhere", c.Label, "flag"},
		{"data, not among the flags", c.Data, "env"},
		{"listen, in the file alone", c.Listen, "file"},
		{"gossip-listen, said nowhere", c.GossipListen, "127.0.0.1:8202"},
		{"zone", strings.Join(c.Zones, " "), "a=b c=d"},
		{"raft-heartbeat", c.Timing.Heartbeat.String(), "3s"},
		{"no-leases", strconv.FormatBool(c.NoLeases), "true"},
		{"throttle, a number", fmt.Sprint(c.Throttle), "{2e+06 7}"},
		{"raft-election", c.Timing.Election.String(), (2 * time.Second).String()},
	} {
		if row.got != row.want {
			t.Errorf("%s: got %q, want %q", row.setting, row.got, row.want)
		}
	}
}

// Places to join stand in the file as stanzas or objects, and elsewhere as text; who names some on
// the command line has no others.
func TestPlacesToJoinComeFromEverywhere(t *testing.T) {
	const one, two = "leader_api_addr=https://a:1 leader_ca_cert_file=c", "dns_name=b auto_join_port=2"
	hcl := `storage "raft" {
  retry_join {
    leader_api_addr = "https://a:1"
    leader_ca_cert_file = "c"
  }
  retry_join {
    dns_name = "b"
    auto_join_port = 2
  }
}`
	json := `{"retry_join": [{"leader_api_addr": "https://a:1", "leader_ca_cert_file": "c"},
		{"dns_name": "b", "auto_join_port": 2}], "retry_join_as_non_voter": true}`
	env := map[string]string{"KEYQUORUM_RETRY_JOIN": one + "," + two}
	for _, row := range []struct {
		name string
		args []string
		env  map[string]string
		file string
		want []string
	}{
		{"HCL", nil, nil, hcl, []string{one, two}},
		{"JSON", nil, nil, json, []string{one, two}},
		{"a list of texts", nil, nil, `{"retry_join": ["` + one + `", "` + two + `"]}`,
			[]string{one, two}},
		{"environment", nil, env, `{"retry_join": ["https://c:1"]}`, []string{one, two}},
		{"command line", []string{"--retry-join", two}, env, hcl, []string{two}},
		{"nothing", nil, nil, "", nil},
	} {
		c, err := configured(t, row.args, row.env, row.file)
		if err != nil || !slices.Equal(c.Seeds.GetSlice(), row.want) {
			t.Errorf("%s: %q, %v", row.name, c.Seeds.GetSlice(), err)
		}
		if c.NonVoter != (row.name == "JSON") {
			t.Errorf("%s: without a vote: %v", row.name, c.NonVoter)
		}
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	for _, row := range []struct {
		name string
		env  map[string]string
		file string
		says []string
	}{
		{"environment", map[string]string{"KEYQUORUM_RAFT_HEARTBEAT": "soon"}, "",
			[]string{"KEYQUORUM_RAFT_HEARTBEAT", "soon"}},
		{"unknown member", nil, `{"lable": "x"}`, []string{"config.json:1:2: ", `no setting "lable"`,
			"did you mean label?"}},
		{"number", nil, `{"label": 3}`, []string{`config.json:1:2: "label"`, "string is wanted"}},
		{"boolean", nil, `{"no_leases": "maybe"}`, []string{`"no_leases": "maybe": it is true or false`}},
		{"length of time", nil, `{"raft_heartbeat": 3}`, []string{"a length of time", `"90s"`}},
		{"in HCL", nil, "storage \"raft\" {\n path = 3 }", []string{"config.json:2:2: storage.raft.path: ",
			"string is wanted"}},
		{"a place to join", nil, "storage \"raft\" {\n retry_join { dns_name = \"_a.b\" } }",
			[]string{"config.json:2:2: storage.raft.retry_join: ", "say with leader_tls_servername"}},
		{"in JSON", nil, `{"retry_join": [{"leader_api_adr": "x"}]}`,
			[]string{`config.json:1:2: "retry_join": there is no "leader_api_adr"`}},
		{"in the environment", map[string]string{"KEYQUORUM_RETRY_JOIN": "http://a:1"}, "",
			[]string{"KEYQUORUM_RETRY_JOIN in the environment", "https"}},
		{"a stanza for a value", nil, `{"label": {"a": 1}}`, []string{`"label": a value is wanted`}},
		{"list for one", nil, `{"label": ["a"]}`, []string{`"label"`, "not a list"}},
		{"no object", nil, `[]`, []string{"config.json:1:1: this is no HCL"}},
		{"several", nil, `{"lable": "x", "label": 3}`, []string{"and 1 more; keyquorum server --check"}},
		{"file within file", nil, `{"config": "x"}`, []string{`no setting "config"`}},
	} {
		_, err := configured(t, nil, row.env, row.file)
		if err == nil {
			t.Errorf("%s: accepted", row.name)
			continue
		}
		for _, word := range row.says {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %q does not say %q", row.name, err, word)
			}
		}
	}
}

func TestAdvertisedAddressesFollowListening(t *testing.T) {
	c := serverConfig{Data: "d", Connections: 8192, TLSCert: "c", TLSKey: "k", Listen: "10.0.0.1:8200",
		ClusterListen: "10.0.0.1:8201"}
	if err := c.complete().err(); err != nil {
		t.Fatal(err)
	}
	got := []string{c.APIAddr, c.ClusterAddr, c.GossipAddr}
	if want := []string{"https://10.0.0.1:8200", "10.0.0.1:8201", ""}; !slices.Equal(got, want) {
		t.Errorf("advertised %q, want %q", got, want)
	}
	for _, listen := range []string{":8200", "0.0.0.0:8200", "[::]:8200", "10.0.0.1:0"} {
		c := serverConfig{Data: "d", Connections: 8192, TLSCert: "c", TLSKey: "k", Listen: listen,
			ClusterListen: "10.0.0.1:8201"}
		if err := c.complete().err(); err == nil || !strings.Contains(err.Error(), "--api-addr") {
			t.Errorf("listening at %s: %v, which does not ask for --api-addr", listen, err)
		}
	}
}

// Every address is checked before anything is done, and the refusal names its flag and what would
// be right.
func TestAddressesAreChecked(t *testing.T) {
	for _, row := range []struct {
		flag, value string
		says        string // "": it is taken
	}{
		{"--cluster-addr", "https://10.0.0.1:8201", "leave https:// out, as in 10.0.0.1:8201"},
		{"--cluster-addr", "10.0.0.1", "as in 10.0.0.1:8201"},
		{"--cluster-addr", "::1:8201", "as in [2001:db8::1]:8201"},
		{"--cluster-addr", "0.0.0.0:8201", "none that others can call"},
		{"--cluster-addr", "[::1]:8201", ""},
		{"--gossip-addr", "127.0.0.1", "as in 127.0.0.1:8201"},
		{"--gossip-addr", "node1:8202", ""},
		{"--api-addr", "10.0.0.1:8200", "as in https://"},
		{"--api-addr", "http://10.0.0.1:8200", "it is https://10.0.0.1:8200"},
		{"--api-addr", "https://0.0.0.0:8200", "none that others can call"},
		{"--api-addr", "https://node1/ui", "without user, path or query"},
		{"--api-addr", "https://node1", ""},
		{"--listen", "10.0.0.1", "as in 10.0.0.1:8201"},
		{"--cluster-listen", "https://10.0.0.1:8201", "leave https:// out"},
		{"--gossip-listen", "10.0.0.1:http", "the port is a number"},
	} {
		args := []string{"--data=d", "--tls-cert=c", "--tls-key=k", row.flag, row.value}
		c, err := configured(t, args, nil, "")
		if err == nil {
			err = c.complete().err()
		}
		switch {
		case row.says == "" && err != nil:
			t.Errorf("%s %s: %v", row.flag, row.value, err)
		case row.says != "" && (err == nil || !strings.HasPrefix(err.Error(), row.flag+": ") ||
			!strings.Contains(err.Error(), row.says)):
			t.Errorf("%s %s: %v, want %q", row.flag, row.value, err, row.says)
		}
	}
}

func TestOneDashIsEnough(t *testing.T) {
	for _, row := range []struct{ in, want string }{
		{"operator status -format=json", "operator status --format=json"},
		{"operator init -key-shares 3 -key-threshold=2",
			"operator init --key-shares 3 --key-threshold=2"},
		{"operator status --format json -h", "operator status --format json -h"},
		{"dev exec -node=2 -- ls -format -l", "dev exec --node=2 -- ls -format -l"},
		{"operator unseal -", "operator unseal -"},
		{"operator unseal -nonsense", "operator unseal -nonsense"},
	} {
		if got := strings.Join(console.DoubleDashes(newRoot("keyquorum"), strings.Fields(row.in)),
			" "); got != row.want {
			t.Errorf("%q became %q, want %q", row.in, got, row.want)
		}
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "1000": "1000", "1024": "1KiB", "256MiB": "256MiB", "2048MiB": "2GiB", "3GiB": "3GiB",
		"": "", "-1": "", "1.5GiB": "", "256": "256", "256MB": "", "MiB": "", "99999999999GiB": "",
	} {
		var s size
		err := s.Set(text)
		if (err == nil) != (want != "") || err == nil && s.String() != want {
			t.Errorf("%q is %s, %v; want %q", text, s.String(), err, want)
		}
	}
}
