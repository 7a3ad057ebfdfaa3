package settings_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/settings"
)

// names are settings of ours.
var names = []string{
	"api_addr", "cluster_addr", "cluster_listen", "data", "disk_reserve", "label", "listen",
	"log_format", "log_level", "metrics_unauthenticated", "retry_join", "retry_join_as_non_voter",
	"throttle", "tls_cert", "tls_key", "usage_log", "zone",
}

// readText is what a file of this text says, with places without the file's name.
func readText(t testing.TB, text string) (said []string, wrong []string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	read, problems := settings.Read(file, names)
	for _, s := range read {
		said = append(said, fmt.Sprintf("%d:%d %s=%v (%T)", s.Line, s.Column, s.Name, s.Value, s.Value))
	}
	for _, p := range problems {
		wrong = append(wrong, strings.TrimPrefix(p.Error(), file+":"))
	}
	return said, wrong
}

// ofVault is what somebody brings along who ran Vault, with our settings beside its stanzas.
const ofVault = `# a comment
ui            = false
disable_mlock = true
api_addr      = "https://10.0.0.1:8200"
cluster_addr  = "https://10.0.0.1:8201"
log_format    = "standard"

listener "tcp" {
  address         = "10.0.0.1:8200"
  cluster_address = "10.0.0.1:8201" // where members call
  tls_cert_file   = "tls.pem"
  tls_key_file    = "tls-key.pem"
  tls_disable     = 0
  telemetry {
    unauthenticated_metrics_access = true
  }
}

storage "raft" {
  path    = "/var/lib/keyquorum"
  node_id = "a"
}

telemetry { disable_hostname = true }

throttle = 2.5
zone     = ["a=b", "c=d"]

keyquorum {
  disk_reserve = "1GiB"
}
`

func TestStanzasOfVaultAreSettings(t *testing.T) {
	said, wrong := readText(t, ofVault)
	want := []string{
		"4:1 api_addr=https://10.0.0.1:8200 (string)",
		"5:1 cluster_addr=10.0.0.1:8201 (string)",
		"6:1 log_format=text (string)",
		"9:3 listen=10.0.0.1:8200 (string)",
		"10:3 cluster_listen=10.0.0.1:8201 (string)",
		"11:3 tls_cert=tls.pem (string)",
		"12:3 tls_key=tls-key.pem (string)",
		"15:5 metrics_unauthenticated=true (bool)",
		"20:3 data=/var/lib/keyquorum (string)",
		"21:3 label=a (string)",
		"26:1 throttle=2.5 (json.Number)",
		"27:1 zone=[a=b c=d] ([]interface {})",
		"30:3 disk_reserve=1GiB (string)",
	}
	if got := strings.Join(said, "\n"); got != strings.Join(want, "\n") {
		t.Errorf("it says\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if len(wrong) > 0 {
		t.Errorf("it is refused: %s", strings.Join(wrong, "\n"))
	}
}

// Each retry_join is a place more.
func TestPlacesToJoinAreAList(t *testing.T) {
	said, wrong := readText(t, `storage "raft" {
  path = "d"
  retry_join {
    leader_api_addr     = "https://10.0.0.1:8200"
    leader_ca_cert_file = "ca.pem"
  }
  retry_join {
    dns_name         = "nodes.example.org"
    auto_join_port   = 8210
    auto_join_scheme = "https"
  }
  retry_join_as_non_voter = true
}`)
	want := []string{
		"2:3 data=d (string)",
		"3:3 retry_join=[map[leader_api_addr:https://10.0.0.1:8200 leader_ca_cert_file:ca.pem] " +
			"map[auto_join_port:8210 dns_name:nodes.example.org]] ([]interface {})",
		"12:3 retry_join_as_non_voter=true (bool)",
	}
	if got := strings.Join(said, "\n"); got != strings.Join(want, "\n") || len(wrong) > 0 {
		t.Errorf("it says\n%s\n%q", got, wrong)
	}
}

// What can't be taken is refused where it stands, and with it what would be right.
func TestWhatCannotBeTakenIsRefused(t *testing.T) {
	for _, row := range []struct{ text, says string }{
		{"lable = \"a\"", `1:1: there is no setting "lable"; did you mean label?`},
		{"\n  listenr \"tcp\" {}", `2:3: there is no setting "listenr.tcp"; did you mean listener?`},
		{"listener \"tcp\" {\n  adress = \":1\"\n}",
			`2:3: there is no setting "listener.tcp.adress"; did you mean address?`},
		{"keyquorum {\n lable = 1 }",
			`2:2: there is no setting "keyquorum.lable"; did you mean label?`},
		{"label = \"a\"\nlabel = \"b\"", "2:1: label is said twice; line 1 says it already"},
		{"data = \"a\"\nstorage \"raft\" { path = \"b\" }", "2:18: storage.raft.path is said twice"},
		{"listener \"tcp\" {}\nlistener \"tcp\" {}",
			`2:1: a second listener "tcp"; a node has one, and line 1 begins it`},
		{`listener "unix" { address = "x" }`,
			`1:1: there is no listener "unix" here; a node has one listener`},
		{`storage "consul" { address = "x" }`,
			`there is no storage "consul" here; a node keeps its data`},
		{`seal "awskms" {}`, `there is no seal "awskms" here; leave it out: a node is unsealed`},
		{`audit "file" "f" { options = {} }`,
			`there is no audit "file" "f" here; say where the usage log`},
		{"storage \"raft\" {\nretry_join {\n leader_api_adr = \"x\" } }",
			`3:2: there is no setting "storage.raft.retry_join.leader_api_adr"; did you mean ` +
				`leader_api_addr?`},
		{"retry_join {\n leader_client_key_file = \"x\" }",
			`2:2: there is no leader_client_key_file in retry_join here; leave it out`},
		{`storage "raft" { retry_join { auto_join = "provider=aws" } }`,
			`there is no auto_join in retry_join here; no cloud is asked`},
		{`storage "raft" { retry_join { auto_join_scheme = "http" } }`, `members are asked over https`},
		{"retry_join {\n dns_name = \"a\"\n dns_name = \"b\" }",
			"3:2: retry_join.dns_name is said twice; line 2 says it already"},
		{"retry_join { dns_name = {} }", "retry_join.dns_name: a value is wanted, not a stanza"},
		{"retry_join = [\"a\"]\nretry_join { dns_name = \"b\" }",
			"2:1: retry_join is said twice; line 1 says it already"},
		{`telemetry { statsd_address = "x" }`,
			"there is no statsd_address in telemetry here; leave it out"},
		{`listener "tcp" { tls_disable = true }`,
			`there is no tls_disable in listener "tcp" here; a node speaks TLS only`},
		{"ui = true", "there is no ui here; leave it out: there is no user interface"},
		{"label = {}", "label: a value is wanted, not a stanza"},
		{"label = [[1]]", "label: a list of plain values is wanted"},
		{"label = <<E\nx\nE\n", "label: a text in double quotes, a number, or true or false is wanted"},
		{"label = \"a\nb\"", "2:3: this is no HCL: literal not terminated"},
		{"label = \"a\"\ndata =", "2:6: this is no HCL: the value is missing"},
		{"label = \"a\"\ndata = # nothing", "2:6: this is no HCL: the value is missing"},
		{"label", "this is no HCL: key 'label' expected start of object"},
		{"storage \"raft\" {", "this is no HCL"},
		{"[]", "1:1: this is no HCL"},

		{`{"lable": "a"}`, `1:2: there is no setting "lable"; did you mean label?`},
		{"{\n  \"data\": \"ä\", \"lable\": 1\n}", "2:16: there is no setting"},
		{`{"label": "a", "label": "b"}`, `1:16: "label" is said twice; line 1 says it already`},
		{`{"listener": {"tcp": {}}}`,
			`there is no setting "listener" in JSON; stanzas are for files in HCL`},
		{`{"seal": {}}`, `there is no setting "seal"; leave it out: a node is unsealed`},
		{"{\n\"label\": x}", "2:10: this is no JSON: invalid character 'x'"},
		{"{\"label\": 1", "this is no JSON: unexpected end of JSON input"},
		{"{} {}", "1:4: this is no JSON: invalid character '{' after top-level value"},
	} {
		_, wrong := readText(t, row.text)
		if len(wrong) != 1 || !strings.Contains(wrong[0], row.says) {
			t.Errorf("%s\nsays %q\nwant %q", row.text, wrong, row.says)
		}
	}
}

// One reading finds everything that is wrong.
func TestAllThatIsWrongIsFound(t *testing.T) {
	said, wrong := readText(t, "lable = 1\nlabel = \"a\"\nseal \"pkcs11\" {}\ntls_crt = \"c\"\n")
	if len(said) != 1 || len(wrong) != 3 {
		t.Errorf("taken: %q, refused: %q", said, wrong)
	}
}

func TestFilesThatAreNone(t *testing.T) {
	large := filepath.Join(t.TempDir(), "large")
	if err := os.WriteFile(large, []byte(strings.Repeat("#\n", 1<<17+1)), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, says := range map[string]string{
		filepath.Join(t.TempDir(), "none"): "no such file",
		t.TempDir():                        "is a directory",
		large:                              "more than 256 KiB",
	} {
		_, wrong := settings.Read(file, names)
		if len(wrong) != 1 || !strings.HasPrefix(wrong[0].Error(), file+": the configuration file") ||
			!strings.Contains(wrong[0].Error(), says) {
			t.Errorf("%s: %v, want %q", file, wrong, says)
		}
	}
	if said, wrong := readText(t, " \n"); len(said)+len(wrong) > 0 {
		t.Errorf("an empty file says %q, %q", said, wrong)
	}
}

// Whatever a file holds, it is read to an end, and each of its settings is one that there is.
func FuzzRead(f *testing.F) {
	for _, text := range []string{ofVault, `{"label": "a", "zone": ["x"]}`, "a \"b\" {", "x = [1,",
		"\"\\x\" = 1", "x = \"${\"", "{\"a\"", "label = \"\\\"\\u12\""} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
		read, wrong := settings.Read(file, names)
		for _, s := range read {
			if !strings.Contains(strings.Join(names, " "), s.Name) || s.Line < 1 || s.Column < 1 {
				t.Errorf("a setting %+v", s)
			}
		}
		for _, p := range wrong {
			if p.From != file || p.What == "" {
				t.Errorf("a problem %+v", p)
			}
		}
	})
}
