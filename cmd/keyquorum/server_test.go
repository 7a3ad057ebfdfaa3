package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/dev"
)

// TestServerThatCannotStartSaysWhy starts nodes that lack something or collide with something.
func TestServerThatCannotStartSaysWhy(t *testing.T) {
	folder := devCertificates(t, time.Now())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	inUse := taken.Addr().String()
	address := dev.Addresses(freeBase(t))[0]
	good := map[string]string{
		"--data": folder.Path("data"), "--label": "n",
		"--tls-cert": folder.Path("tls.pem"), "--tls-key": folder.Path("tls-key.pem"),
		"--listen": address.Local(0), "--cluster-listen": address.Cluster(),
		"--gossip-listen": address.Gossip(),
	}
	for _, row := range []struct {
		name, flag, value string
		says              []string
	}{
		{"unknown flag", "--nonsense", "x", []string{"unknown flag", "--nonsense"}},
		{"no data folder", "--data", "", []string{"--data", "needed"}},
		{"data folder is a file", "--data", folder.Path("tls.pem"),
			[]string{"tls.pem", "not a directory"}},
		{"no certificate", "--tls-cert", folder.Path("nothing.pem"),
			[]string{"--tls-cert", "nothing.pem"}},
		{"zone without login", "--zone", "vault.localhost", []string{"--zone", "vault.localhost"}},
		{"log level", "--log-level", "loud", []string{"--log-level", "loud"}},
		{"log format", "--log-format", "xml", []string{"--log-format", "xml"}},
		{"API port in use", "--listen", inUse, []string{"API address " + inUse, "in use", "--listen"}},
		{"cluster port in use", "--cluster-listen", inUse,
			[]string{"cluster address " + inUse, "in use", "--cluster-listen"}},
		{"gossip port in use", "--gossip-listen", inUse,
			[]string{"gossip address " + inUse, "in use", "--gossip-listen"}},
		{"nobody can call it", "--listen", ":8200", []string{"--listen", "--api-addr"}},
		{"a URL for the cluster", "--cluster-addr", "https://127.0.0.1:1",
			[]string{"--cluster-addr", "as in 127.0.0.1:1"}},
		{"newer folder", "--data", member(t, `{"format":1000,"check":""}`),
			[]string{"format 1000", "newer"}},
		{"foreign folder", "--data", member(t, `{"some":"json"}`), []string{"manifest.json"}},
		{"folder without a manifest", "--data", member(t, ""), []string{"manifest.json"}},
	} {
		args := []string{"server", row.flag + "=" + row.value}
		for flag, value := range good {
			if flag != row.flag {
				args = append(args, flag+"="+value)
			}
		}
		o := call(t, t.TempDir(), args...)
		if o.code != 1 {
			t.Errorf("%s: exit code %d, want 1", row.name, o.code)
		}
		for _, word := range row.says {
			if !strings.Contains(o.complaint(), word) {
				t.Errorf("%s: it does not say %q on one line: %s", row.name, word, o.stderr)
			}
		}
	}
	if _, err := os.Stat(folder.Path("data")); err == nil {
		t.Error("a node that could not start has made its data folder")
	}
}

// member is a data folder whose member has a given manifest, none for "".
func member(t *testing.T, manifest string) string {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	if manifest != "" {
		if err := os.WriteFile(filepath.Join(dir, "cluster", "manifest.json"), []byte(manifest),
			0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestHelpNamesTheEnvironment: what has no flag, and what every flag is called elsewhere, is found
// nowhere else.
func TestHelpNamesTheEnvironment(t *testing.T) {
	for args, says := range map[string]string{
		"vault --help": "KEYQUORUM_TOKEN", "app create --help": "KEYQUORUM_TOKEN",
		"grant --help":    "KEYQUORUM_TOKEN",
		"operator --help": "KEYQUORUM_TOKEN", "operator seal --help": "KEYQUORUM_TOKEN",
		"server --help":    "KEYQUORUM_NAME",
		"grant set --help": "unwrapKey",
	} {
		if o := call(t, t.TempDir(), strings.Fields(args)...); o.code != 0 ||
			!strings.Contains(o.stdout, says) {
			t.Errorf("%s: exit code %d, no %s: %s", args, o.code, says, o.stdout)
		}
	}
}

// A server without a zone says what it does not do, before anything else can go wrong.
func TestServerWithoutZoneSaysSo(t *testing.T) {
	o := call(t, t.TempDir(), "server", "--data", "d", "--tls-cert", "none", "--tls-key", "none")
	if o.code != 1 || !strings.Contains(o.stderr,
		"there is no --zone, so this node serves operators and no application") {
		t.Errorf("exit code %d: %s", o.code, o.stderr)
	}
}

// The version is where people look for it.
func TestVersionFlags(t *testing.T) {
	for _, flag := range []string{"--version", "-version", "-v"} {
		if o := call(t, t.TempDir(), flag); o.code != 0 || !strings.HasPrefix(o.stdout, "keyquorum ") {
			t.Errorf("%s: exit code %d: %s%s", flag, o.code, o.stdout, o.stderr)
		}
	}
}

// TestCallsThatAreWrongSaySo are commands that never reach a node.
func TestCallsThatAreWrongSaySo(t *testing.T) {
	for _, row := range []struct {
		args string
		code int
		says string
	}{
		{"frobnicate", 1, `"frobnicate"`},
		{"operator frobnicate", 1, `"frobnicate"`},
		{"vault get demo -format=json", 1,
			`vault has no command "get" (did you mean show?); it has create, delete, list, `},
		{"operator raft joins --retry", 1,
			`operator raft has no command "joins" (did you mean join?); it has autopilot, demote, join, `},
		{"vault lst", 1, `vault has no command "lst" (did you mean list?)`},
		{"kv put", 1, `keyquorum has no command "kv"; it has app, `},
		{"statsu", 1, `(did you mean status?)`},
		{"vault --nonsense", 1, "unknown flag: --nonsense; see keyquorum vault --help"},
		{"vault list --nonsense", 1, "unknown flag: --nonsense; see keyquorum vault list --help"},
		{"vault list demo", 1, "keyquorum vault list takes no arguments, and was given 1; usage:"},
		{"grant set demo", 1, "takes 2 arguments, and was given 1; usage:"},
		{"vault create", 1, "usage: keyquorum vault create NAME"},
		{"version -format=xml", 1, "table or json"},
		{"operator status -address=http://127.0.0.1:1", 1,
			"a node speaks https, not http; it is https://127.0.0.1:1"},
		{"operator status -address=127.0.0.1:1", 1, "it is https://host:port"},
		{"operator status -ca-cert=/nonexistent", 1, "CA file"},
		{"operator seal -address=https://127.0.0.1:1", 2,
			"connection refused; is a node running there? Say with --address"},
		{"operator status -address=https://127.0.0.1:1", 1, "is a node running there?"},
		{"status -address=https://no-such-host.invalid:1", 2, "is a node running there?"},
		{"dev status", 1, "say with --dir where it is"},
		{"dev exec -- true", 1, "say with --dir where it is"},
	} {
		o := call(t, t.TempDir(), strings.Fields(row.args)...)
		if o.code != row.code || !strings.Contains(o.complaint(), row.says) {
			t.Errorf("%s: exit code %d saying %q, want %d and %q", row.args, o.code, o.stderr, row.code,
				row.says)
		}
	}
}

// TestDevWaitsForAnOrderlyEnd: keyquorum dev kills a node that takes longer to end than it may.
func TestDevWaitsForAnOrderlyEnd(t *testing.T) {
	if dev.StopTimeout <= drainTimeout+closeTimeout {
		t.Errorf("dev kills nodes after %s; one may take %s", dev.StopTimeout, drainTimeout+closeTimeout)
	}
}
