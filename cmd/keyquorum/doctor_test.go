package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/doctor"
	"keyquorum/cmd/keyquorum/operator"
	"keyquorum/internal/ownsocket/ownfolder"
	"keyquorum/internal/program"
)

// examination is a call of doctor, with a configuration or without ("").
func examination(t *testing.T, config string, env []string) doctor.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	args := []string{"doctor", "-format=json"}
	if config != "" {
		args = append(args, "-config="+config)
	}
	cmd := keyquorum(ctx, t.TempDir(), args...)
	cmd.Env = append(cmd.Env, env...)
	o := ended(t, cmd)
	var r doctor.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v: %s%s", err, o.stdout, o.stderr)
	}
	if want := map[bool]int{true: 0, false: 2}[r.OK]; o.code != want {
		t.Errorf("ok is %v, with exit code %d", r.OK, o.code)
	}
	return r
}

// A sight is a line that a report must have.
type sight struct {
	of, check string
	result    doctor.Result
	found     string // part of what was found
	next      string // part of what to do
}

func expectSights(t *testing.T, what string, r doctor.Report, sights ...sight) {
	t.Helper()
	for _, s := range sights {
		seen := slices.ContainsFunc(r.Checks, func(c doctor.Check) bool {
			return c.Of == s.of && c.Check == s.check && c.Result == s.result &&
				strings.Contains(c.Found, s.found) && strings.Contains(c.Next, s.next)
		})
		if !seen {
			t.Errorf("%s: no line %+v in\n%s", what, s, lines(r))
		}
	}
}

func lines(r doctor.Report) string {
	var all strings.Builder
	for _, c := range r.Checks {
		fmt.Fprintf(&all, "%s | %s | %s | %s | %s\n", c.Of, c.Check, c.Result, c.Found, c.Next)
	}
	return all.String()
}

// onlyHere is a report without what depends on the machine that the test runs on, and the node,
// which does not run.
func onlyHere(r doctor.Report) (failed []string) {
	for _, c := range r.Checks {
		if c.Result == doctor.Failed && c.Of != "node" {
			failed = append(failed, c.Check+": "+c.Found)
		}
	}
	return failed
}

// Each row is one thing that is wrong before a node runs, and what doctor says of it.
func TestDoctorLooksAtANodeThatDoesNotRun(t *testing.T) {
	for name, row := range map[string]struct {
		more  string                                       // of the configuration
		spoil func(t *testing.T, path func(string) string) // path is of the node's folder
		want  sight
	}{
		"nothing": {want: sight{"server", "leftovers", doctor.OK, "nothing is left", ""}},
		"no configuration": {spoil: func(t *testing.T, path func(string) string) {
			write(t, path("keyquorum.hcl"), "lable = 1\n")
		}, want: sight{"server", "configuration", doctor.Failed, `no setting "lable"`, "mean label?"}},
		"an old certificate": {spoil: func(t *testing.T, path func(string) string) {
			old := devCertificates(t, time.Now().Add(-500*24*time.Hour))
			replace(t, old.Path("tls.pem"), path("tls.pem"))
			replace(t, old.Path("tls-key.pem"), path("tls-key.pem"))
		}, want: sight{"server", "certificate", doctor.Warning, "has ended", ""}},
		"a chain in the wrong order": {spoil: func(t *testing.T, path func(string) string) {
			leaf := content(t, path("tls.pem"))
			foreign := devCertificates(t, time.Now())
			write(t, path("tls.pem"), leaf+content(t, foreign.Path("ca.pem")))
		}, want: sight{"server", "certificate chain", doctor.Failed, "not signed by the next", "before"}},
		"a folder that others see": {spoil: func(t *testing.T, path func(string) string) {
			makeFolder(t, path("data"), 0o755)
		}, want: sight{"server", "data folder", doctor.Warning, "other users", "chmod 700"}},
		"no break-glass socket": {want: sight{"server", "break-glass socket", doctor.OK,
			"none is configured", ""}},
		"no schedule of snapshots": {want: sight{"server", "scheduled snapshots", doctor.OK,
			"none is configured", ""}},
		"a break-glass socket": {spoil: func(t *testing.T, path func(string) string) {
			write(t, path("keyquorum.hcl"), content(t, path("keyquorum.hcl"))+
				fmt.Sprintf("\nbreak_glass_socket = %q\n", filepath.Join(ownfolder.New(t), "socket")))
		}, want: sight{"server", "break-glass socket", doctor.OK, "in order", ""}},
		"no room": {spoil: func(t *testing.T, path func(string) string) {
			config := content(t, path("keyquorum.hcl"))
			write(t, path("keyquorum.hcl"), strings.Replace(config, "1MiB", "9000GiB", 1))
		}, want: sight{"server", "data folder", doctor.Warning, "takes no writes", "make room"}},
		"no folder for the usage log": {spoil: func(t *testing.T, path func(string) string) {
			write(t, path("keyquorum.hcl"), content(t, path("keyquorum.hcl"))+
				fmt.Sprintf("\nusage_log = %q\n", path("none/log")))
		}, want: sight{"server", "usage log", doctor.Failed, "there is no folder", "make it"}},
		"an address that is not here": {spoil: func(t *testing.T, path func(string) string) {
			config := content(t, path("keyquorum.hcl"))
			write(t, path("keyquorum.hcl"), strings.Replace(config, `gossip_listen = "127.0.0.1`,
				`gossip_listen = "203.0.113.1`, 1))
		}, want: sight{"server", "addresses", doctor.Failed, "cannot assign", "no interface"}},
		"a name that nobody knows": {more: `api_addr = "https://node.invalid:8200"`, want: sight{"server",
			"names of the addresses", doctor.Failed, "node.invalid", "give the name an address"}},
		"a join that was killed": {spoil: func(t *testing.T, path func(string) string) {
			makeFolder(t, path("data"), 0o700)
			write(t, path("data/joining"), "0 0\n")
			makeFolder(t, path("data/cluster.new"), 0o700)
		}, want: sight{"server", "leftovers", doctor.Warning, "join again", ""}},
		"a lost log": {spoil: func(t *testing.T, path func(string) string) {
			makeFolder(t, path("data/cluster"), 0o700)
			write(t, path("data/cluster/manifest.json"), content(t,
				"../../storage/testdata/manifest.json"))
		}, want: sight{"server", "formats", doctor.Failed, "part of the folder was lost", "backup.md"}},
		"a newer folder": {spoil: func(t *testing.T, path func(string) string) {
			makeFolder(t, path("data/cluster"), 0o700)
			write(t, path("data/cluster/manifest.json"), `{"format":99}`+"\n")
		}, want: sight{"server", "formats", doctor.Failed, "newer", "newer program"}},
		"a foreign owner": {spoil: func(t *testing.T, path func(string) string) {
			if os.Getuid() != 0 {
				t.Skip("only root can give a file away")
			}
			makeFolder(t, path("data"), 0o700)
			write(t, path("data/audit.log"), "")
			if err := os.Chown(path("data/audit.log"), 65534, 65534); err != nil {
				t.Fatal(err)
			}
		}, want: sight{"machine", "owner of the files", doctor.Failed, "audit.log", "chown"}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			folder, config := checkable(t, row.more)
			if row.spoil != nil {
				row.spoil(t, folder.Path)
			}
			before := tree(t, string(folder))
			r := examination(t, config, nil)
			expectSights(t, name, r, row.want,
				sight{"node", "reachable", doctor.Failed, "running there", ""})
			if after := tree(t, string(folder)); after != before {
				t.Errorf("it has changed the folder from\n%s\nto\n%s", before, after)
			}
			if failed := onlyHere(r); len(failed) > 0 && row.want.result != doctor.Failed {
				t.Errorf("it finds too much: %q", failed)
			}
		})
	}
}

func content(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func makeFolder(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorOnAFullDisk has a data folder in memory, which is full.
func TestDoctorOnAFullDisk(t *testing.T) {
	unshare, err := exec.LookPath("unshare")
	if err != nil || os.Getuid() != 0 {
		t.Skipf("only root can mount a small disk, with unshare (%v)", err)
	}
	folder, config := checkable(t, "")
	makeFolder(t, folder.Path("data"), 0o700)
	script := `set -e
mount -t tmpfs -o size=64k,mode=700 small data
head -c 1M /dev/zero >data/audit.log 2>/dev/null || true
"$1" doctor -format=json -config="$2"`
	cmd := exec.CommandContext(t.Context(), unshare, "--mount", "sh", "-c", script, "sh",
		filepath.Join(built, "keyquorum"), config)
	cmd.Dir, cmd.Env = string(folder), program.Environment()
	o := ended(t, cmd)
	var r doctor.Report
	if err := json.Unmarshal([]byte(o.stdout), &r); err != nil {
		t.Fatalf("%v: %s%s", err, o.stdout, o.stderr)
	}
	expectSights(t, "a full disk", r,
		sight{"server", "data folder", doctor.Warning, "takes no writes", "make room"},
		sight{"machine", "file system of the data folder", doctor.Warning, "in memory", "on a disk"},
		sight{"machine", "disk", doctor.Failed, "does not reach it", "make room"})
}

// TestDoctorLooksAtANode follows one node from its first start to a certificate that has ended.
func TestDoctorLooksAtANode(t *testing.T) {
	s := startServer(t, "label = \"node1\"\n")
	ca := "KEYQUORUM_CACERT=" + s.folder.Path("ca.pem")
	awaitAnswer(t, s)
	look := func(env ...string) doctor.Report {
		t.Helper()
		r := examination(t, s.config, append(env, ca))
		return r
	}

	fresh := look()
	expectSights(t, "a new node", fresh,
		sight{"server", "addresses", doctor.OK, "", ""}, // its own server has them
		sight{"server", "formats", doctor.OK, "waits for init or join", ""},
		sight{"node", "initialised", doctor.Failed, "no cluster's data", "operator init"})
	stranger := examination(t, s.config, nil)
	expectSights(t, "without the authority", stranger,
		sight{"node", "reachable", doctor.Failed, "say with --ca-cert", ""})

	var keys operator.InitResult
	made := s.operator("", "init", "-key-shares=2", "-key-threshold=2", "-format=json")
	if err := json.Unmarshal(made, &keys); err != nil {
		t.Fatal(err)
	}
	expectSights(t, "a sealed node", look(),
		sight{"node", "serves", doctor.Failed, "it is sealed", "operator unseal"},
		sight{"node", "leader", doctor.Skipped, "", ""},
		sight{"server", "formats", doctor.OK, "2 of 2 shares unseal it", ""},
		sight{"machine", "core dumps", doctor.OK, strconv.Itoa(s.cmd.Process.Pid), ""},
		sight{"machine", "descriptors of the process", doctor.OK, "", ""})

	for _, share := range keys.KeysHex {
		s.operator("", "unseal", share)
	}
	expectSights(t, "without a token", look(),
		sight{"node", "serves", doctor.OK, "unsealed", ""},
		sight{"node", "leader", doctor.OK, "it leads", ""},
		sight{"cluster", "members", doctor.Skipped, "", "KEYQUORUM_TOKEN"})
	token := "KEYQUORUM_TOKEN=" + keys.RootToken
	wrong := look("KEYQUORUM_TOKEN=x")
	expectSights(t, "with a wrong token", wrong,
		sight{"cluster", "members", doctor.Failed, "look at KEYQUORUM_TOKEN", ""})
	well := look(token)
	if !well.OK {
		t.Errorf("an unsealed node is not well:\n%s", lines(well))
	}
	expectSights(t, "with a token", well,
		sight{"cluster", "voters to spare", doctor.Warning, "one node", "add two"},
		sight{"cluster", "member node1", doctor.OK, "leader, unsealed", ""},
		sight{"cluster", "clock of node1", doctor.OK, "", ""},
		sight{"cluster", "metrics of node1", doctor.OK, "", ""},
		sight{"cluster", "client secrets", doctor.OK, "", ""})

	s.application(keys.RootToken)
	expectSights(t, "a client secret ends", look(token), sight{"cluster", "client secrets",
		doctor.Warning, "1 end within 14 days", "app show"})

	old := devCertificates(t, time.Now().Add(-500*24*time.Hour))
	replace(t, old.Path("tls-key.pem"), s.folder.Path("tls-key.pem"))
	replace(t, old.Path("tls.pem"), s.folder.Path("tls.pem"))
	ca = "KEYQUORUM_CACERT=" + old.Path("ca.pem")
	expectSights(t, "an ended certificate", look(token),
		sight{"server", "certificate", doctor.Warning, "has ended", ""},
		sight{"node", "reachable", doctor.Failed, "has expired", "renew its certificate"})
}

// awaitAnswer waits until a server listens.
func awaitAnswer(t *testing.T, s *server) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		cmd := keyquorum(ctx, t.TempDir(), "operator", "init", "-status")
		cmd.Env = append(cmd.Env, "KEYQUORUM_ADDR=https://"+s.address(),
			"KEYQUORUM_CACERT="+s.folder.Path("ca.pem"))
		o := ended(t, cmd)
		cancel()
		if o.code == 2 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the node does not answer: %s", o.stderr)
		}
	}
}

// application makes one with a client secret that ends soon.
func (s *server) application(token string) {
	s.t.Helper()
	for _, args := range [][]string{{"app", "create", "billing"},
		{"app", "credential", "add", "billing", "-ttl=72h"}} {
		cmd := keyquorum(s.t.Context(), s.t.TempDir(), args...)
		cmd.Env = append(cmd.Env, "KEYQUORUM_ADDR=https://"+s.address(),
			"KEYQUORUM_CACERT="+s.folder.Path("ca.pem"), "KEYQUORUM_TOKEN="+token)
		if o := ended(s.t, cmd); o.code != 0 {
			s.t.Fatalf("%v: %s", args, o.stderr)
		}
	}
}

// TestDoctorSeesAWrongClock asks nodes whose clocks are off.
func TestDoctorSeesAWrongClock(t *testing.T) {
	for shift, want := range map[string]sight{
		"2h":   {"node", "clock", doctor.Failed, "ahead of this machine's", "NTP"},
		"-20s": {"node", "clock", doctor.Warning, "behind this machine's", "NTP"},
	} {
		s := startServerAs(t, []string{"dev", "node", "--time-shift=" + shift}, "")
		awaitAnswer(t, s)
		r := examination(t, "", []string{"KEYQUORUM_ADDR=https://" + s.address(),
			"KEYQUORUM_CACERT=" + s.folder.Path("ca.pem")})
		expectSights(t, "a clock that is off by "+shift, r, want)
	}
}

// TestDoctorLooksAtACluster sees a member that is stopped, and one that is sealed.
func TestDoctorLooksAtACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a cluster of processes")
	}
	c := newCluster(t)
	c.start(t, "--port", strconv.Itoa(c.base))
	look := func(script string) doctor.Report {
		t.Helper()
		var r doctor.Report
		out := c.shell(t, ". .keyquorum-dev/env\n"+script+
			"\nbin/keyquorum doctor -format=json 2>/dev/null || test $? = 2")
		if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &r); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return r
	}
	expectSights(t, "a cluster that is well", look(""),
		sight{"cluster", "voters to spare", doctor.OK, "1 may be lost", ""},
		sight{"cluster", "member node3", doctor.OK, "unsealed", ""})

	pid := c.pids(t)[2]
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer syscall.Kill(pid, syscall.SIGCONT)
	r := look("")
	expectSights(t, "a member that is stopped", r,
		sight{"cluster", "member node3", doctor.Failed, "does not answer", "start it"},
		sight{"cluster", "voters to spare", doctor.Warning, "no voter may be lost", ""})
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	r = look("env=$(cat .keyquorum-dev/env-2); (eval \"$env\"; bin/keyquorum operator seal) >&2")
	expectSights(t, "a member that is sealed", r,
		sight{"cluster", "member node2", doctor.Warning, "it is sealed", "shares"})
}

// The lists of --check and of doctor are the same, and a node's folder is not one that others see.
func TestDoctorInATable(t *testing.T) {
	folder, config := checkable(t, "")
	o := call(t, filepath.Dir(config), "doctor", "-config="+config)
	if o.code != 2 || !strings.HasPrefix(o.stdout, "Of ") ||
		!strings.Contains(o.complaint(), "failed: 1, warnings: ") {
		t.Errorf("exit code %d in %s: %s%s", o.code, folder, o.stdout, o.stderr)
	}
	for _, subject := range subjects {
		if !strings.Contains(o.stdout, "server   "+subject+" ") {
			t.Errorf("it says nothing of the %s:\n%s", subject, o.stdout)
		}
	}
	nowhere := call(t, filepath.Dir(config), "doctor", "-config=nowhere.hcl")
	if nowhere.code != 2 || !strings.Contains(nowhere.stdout, "nowhere.hcl") ||
		strings.Contains(nowhere.stdout, "server   "+ofCertificate+" ") {
		t.Errorf("of a file that is not there it says, with code %d:\n%s", nowhere.code, nowhere.stdout)
	}
	usage := call(t, t.TempDir(), "doctor", "-address=http://x")
	expectCode(t, "a wrong address", usage, 1)
}
