package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/internal/canary"
)

// bundled are the files of a bundle, without its folder.
func bundled(t *testing.T, name string) map[string][]byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", name, info.Mode(), err)
	}
	packed, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(packed); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		_, inside, _ := strings.Cut(h.Name, "/")
		files[inside] = content
	}
}

// An index is index.json of a bundle.
type bundleIndex struct {
	Files []struct {
		Name  string `json:"name"`
		What  string `json:"what"`
		Bytes int    `json:"bytes"`
	} `json:"files"`
	Missing []struct {
		Name string `json:"name"`
		Why  string `json:"why"`
	} `json:"missing"`
}

// indexOf reads the index, and compares it with what is there.
func indexOf(t *testing.T, files map[string][]byte) (missing map[string]string) {
	t.Helper()
	var i bundleIndex
	if err := json.Unmarshal(files["index.json"], &i); err != nil {
		t.Fatal(err)
	}
	if len(i.Files) != len(files)-1 { // it can't tell of itself
		t.Errorf("the index has %d files, and the bundle %d", len(i.Files), len(files))
	}
	for _, f := range i.Files {
		if len(files[f.Name]) != f.Bytes || f.What == "" {
			t.Errorf("the index says of %+v, and there are %d bytes", f, len(files[f.Name]))
		}
	}
	missing = map[string]string{}
	for _, m := range i.Missing {
		if missing[m.Name] = m.Why; m.Why == "" {
			t.Errorf("the index does not say why %s is missing", m.Name)
		}
	}
	return missing
}

// TestDebugBundle makes bundles of a cluster in use, and looks for every secret and for every name
// of an object in all of their files.
func TestDebugBundle(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster of processes")
	}
	c := newCluster(t)
	c.start(t, "--port", strconv.Itoa(c.base))
	value := "CANARY-of-a-secret-value-4711"
	c.shell(t, `. .keyquorum-dev/env
bin/keyquorum vault create vault-in-the-clear
bin/keyquorum app create app-in-the-clear
bin/keyquorum grant set vault-in-the-clear demo-app --secrets=all --keys=all
in="bin/keyquorum dev exec -- bin/keyquorum"
$in secret set name-in-the-clear --vault vault-in-the-clear --value `+value+`
$in key create key-in-the-clear --vault vault-in-the-clear`)
	config := filepath.Join(c.dir, "keyquorum.hcl")
	node1 := filepath.Join(c.dir, ".keyquorum-dev")
	write(t, config, fmt.Sprintf("data = %q\ntls_cert = %q\ntls_key = %q\npassword = %q\n"+
		"region = %[4]q\nusage_log = %[4]q\nsnapshots_folder = %[4]q\n"+
		"attestation_authority = [\"https://user:%s@a.example\"]\nlisten = \"127.0.0.1:%d\"\n",
		node1+"/node1", node1+"/tls.pem", node1+"/tls-key.pem", value, value, c.base))

	out := c.shell(t, ". .keyquorum-dev/env\nbin/keyquorum operator debug -config keyquorum.hcl "+
		"-duration=2s -interval=1s -log=.keyquorum-dev/node1.log -output=whole.tar.gz 2>&1")
	if !strings.Contains(out, "whole.tar.gz") {
		t.Errorf("it says %s", out)
	}
	files := bundled(t, filepath.Join(c.dir, "whole.tar.gz"))
	if missing := indexOf(t, files); len(missing) > 0 {
		t.Errorf("missing: %v", missing)
	}
	names := []string{"doctor.json", "settings.json", "folder.json", "machine.json", "log.txt",
		"cluster/ha-status.json", "cluster/raft-configuration.json"}
	for node := 1; node <= dev.Nodes; node++ {
		for _, name := range []string{"seal-status.json", "leader.json", "state.json",
			"goroutines.txt", "metrics-000.txt", "metrics-002.txt"} {
			names = append(names, fmt.Sprintf("nodes/%d/%s", node, name))
		}
	}
	for _, name := range names {
		if len(files[name]) < 10 {
			t.Errorf("%s has %d bytes", name, len(files[name]))
		}
	}
	nothingSecret(t, c, files, value)
	// The scan finds what is there.
	for name, what := range map[string]string{"cluster/ha-status.json": "node2",
		"settings.json": notShown, "log.txt": "unsealed", "folder.json": "cluster/raft.db",
		"nodes/3/metrics-000.txt": "keyquorum_lease_held", "nodes/2/goroutines.txt": "httpapi"} {
		if !bytes.Contains(files[name], []byte(what)) {
			t.Errorf("%s has no %q:\n%s", name, what, files[name])
		}
	}

	// Of what can't be had the bundle says why, and it is written all the same.
	pid := c.pids(t)[2]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	c.shell(t, ". .keyquorum-dev/env\nbin/keyquorum operator debug -duration=0s "+
		"-log=.keyquorum-dev/node1/audit.log -output=part.tar.gz")
	files = bundled(t, filepath.Join(c.dir, "part.tar.gz"))
	missing := indexOf(t, files)
	for name, why := range map[string]string{"log.txt": "is a usage log",
		"nodes/3": "cannot be reached", "settings.json": "--config"} {
		if !strings.Contains(missing[name], why) {
			t.Errorf("%s is missing because of %q", name, missing[name])
		}
	}
	nothingSecret(t, c, files, value)

	// Without a leader each node tells what it knows by itself.
	other := c.pids(t)[1]
	if err := syscall.Kill(other, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(other, syscall.SIGCONT)
	c.shell(t, `. .keyquorum-dev/env
until bin/keyquorum operator status | grep -q "no leader answers"; do :; done
bin/keyquorum operator debug -duration=0s -output=lone.tar.gz`)
	files = bundled(t, filepath.Join(c.dir, "lone.tar.gz"))
	missing = indexOf(t, files)
	for _, name := range []string{"nodes/1/state.json", "nodes/1/loggers.json",
		"nodes/1/key-status.json", "nodes/1/goroutines.txt", "nodes/1/metrics-000.txt",
		"cluster/raft-configuration.json", "doctor.json"} {
		if len(files[name]) < 10 {
			t.Errorf("without a leader %s is missing: %s", name, missing[name])
		}
	}
	for _, name := range []string{"nodes/2", "nodes/3", "cluster/ha-status.json"} {
		if missing[name] == "" {
			t.Errorf("without a leader there is %s", name)
		}
	}

	// Whoever is tired of waiting has what there is until then.
	c.shell(t, ". .keyquorum-dev/env\ntimeout --preserve-status -s INT 3 bin/keyquorum operator "+
		"debug -duration=1h -interval=1m -output=early.tar.gz")
	indexOf(t, bundled(t, filepath.Join(c.dir, "early.tar.gz")))

	o := call(t, c.dir, "operator", "debug", "-output=part.tar.gz")
	if o.code != 1 || !strings.Contains(o.complaint(), "is there already") {
		t.Errorf("over a file that is there: exit code %d, %s", o.code, o.stderr)
	}
	if left, _ := filepath.Glob(filepath.Join(c.dir, "*.part-*")); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}

// nothingSecret scans every file for every secret of a cluster, and for names of what is in it.
func nothingSecret(t *testing.T, c *runningCluster, files map[string][]byte, value string) {
	t.Helper()
	folder := dev.Folder(filepath.Join(c.dir, ".keyquorum-dev"))
	state, err := folder.State()
	if err != nil {
		t.Fatal(err)
	}
	canaries := map[string]string{"the secret's value": value, "the root token": state.Init.RootToken,
		"the client secret": state.App.Secret, "the vault's name": "vault-in-the-clear",
		"the application's name": "app-in-the-clear", "the secret's name": "name-in-the-clear",
		"the key's name": "key-in-the-clear", "a private key": "PRIVATE KEY"}
	for i, share := range state.Init.KeysHex {
		canaries[fmt.Sprint("share ", i)] = share
		canaries[fmt.Sprint("share ", i, " in base64")] = state.Init.KeysB64[i]
	}
	for _, name := range []string{"node.key", "gossip.key", "seal.record"} {
		key := content(t, folder.Path("node1/cluster/"+name))
		canaries[name] = hex.EncodeToString([]byte(key))
		canaries["part of "+name] = hex.EncodeToString([]byte(key[len(key)-32:]))
	}
	for name, content := range files {
		for _, what := range canary.Found(content, canaries) {
			t.Errorf("%s stands in %s", what, name)
		}
	}
}

// Of each setting somebody has decided whether its value may be shown.
func TestSettingsThatAreShown(t *testing.T) {
	struck := []string{"attestation-authority", "label", "region", "seal-wrapper",
		"snapshots-s3-bucket", "snapshots-s3-prefix", "snapshots-s3-region"}
	config := new(serverConfig)
	config.bind(pflag.NewFlagSet("server", pflag.ContinueOnError))
	for _, s := range config.shown() {
		name := strings.ReplaceAll(s.Name, "_", "-")
		if (harmless[name] != nil) == slices.Contains(struck, name) {
			t.Errorf("%s: is it harmless, or struck out of a bundle? Say so in harmless, or here", name)
		}
	}
}

// A value is shown where it is what its setting is for. A secret that was pasted into any of them
// is not, whatever it looks like.
func TestSettingsHideWhatTheyAreNotFor(t *testing.T) {
	here := t.TempDir()
	for name, value := range map[string]string{"data": here, "listen": "0.0.0.0:8200",
		"api-addr": "https://node1.example.org:8200", "zone": "vault.example.org=login.example.org",
		"retry-join": "https://10.0.0.1:8200 leader_ca_cert_file=" + here, "throttle": "100",
		"proxy-protocol-authorized-addrs": "10.0.0.0/8,10.1.2.3", "snapshots-every": "6h0m0s",
		"snapshots-s3-endpoint": "https://s3.example.org", "gossip-listen": ""} {
		if said := shownAs(t, name, value); said == notShown {
			t.Errorf("%s = %q is not shown", name, value)
		}
	}
	secrets := []string{strings.Repeat("0123456789abcdef", 4) + "01", "s.CANARYofatoken0123456789",
		"/CANARY+base64/that+begins/like+a/path=", "CANARY:8200x", "hunter2CANARY",
		"https://user:CANARY@a.example", "CANARY=", "dns_name=CANARY"}
	config := new(serverConfig)
	config.bind(pflag.NewFlagSet("server", pflag.ContinueOnError))
	config.flags.VisitAll(func(flag *pflag.Flag) {
		for _, secret := range secrets {
			if said := shownAs(t, flag.Name, secret); strings.Contains(said, secret) {
				t.Errorf("%s shows %s", flag.Name, said)
			}
		}
	})
}

// shownAs is what is shown of a setting with a value, "" where it does not take that.
func shownAs(t *testing.T, name, value string) string {
	t.Helper()
	config := new(serverConfig)
	config.bind(pflag.NewFlagSet("server", pflag.ContinueOnError))
	if config.flags.Set(name, value) != nil {
		return ""
	}
	for _, s := range config.shown() {
		if s.Name == settingName(name) {
			return s.Value
		}
	}
	t.Fatalf("%s is not shown at all", name)
	return ""
}
