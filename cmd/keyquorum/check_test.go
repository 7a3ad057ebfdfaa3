package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"keyquorum/cmd/keyquorum/dev"
	"keyquorum/internal/program"
)

// checkable is a folder with everything that a node needs, and a configuration in HCL that is in
// order. More is added at its end.
func checkable(t *testing.T, more string) (folder dev.Folder, config string) {
	t.Helper()
	folder = devCertificates(t, time.Now())
	address := dev.Addresses(freeBase(t))[0]
	config = folder.Path("keyquorum.hcl")
	text := fmt.Sprintf(`listener "tcp" {
  address         = %q
  cluster_address = %q
  tls_cert_file   = %q
  tls_key_file    = %q
}
storage "raft" {
  path = %q
}
gossip_listen = %q
disk_reserve  = "1MiB"
zone          = ["%s=%s"]
%s`, address.Local(0), address.Cluster(), folder.Path("tls.pem"), folder.Path("tls-key.pem"),
		folder.Path("data"), address.Gossip(), dev.Suffix, dev.Login, more)
	write(t, config, text)
	return folder, config
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tree is every path of a folder with its mode, size and time.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil {
			fmt.Fprintln(&all, path, info.Mode(), info.Size(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all.String()
}

// checked is what --check finds, as a program reads it.
func checked(t *testing.T, config string, args ...string) (found []finding, code int) {
	t.Helper()
	args = append([]string{"server", "--config", config, "--check", "-format=json"}, args...)
	o := call(t, t.TempDir(), args...)
	var answer struct {
		OK    bool      `json:"ok"`
		Found []finding `json:"found"`
	}
	if err := json.Unmarshal([]byte(o.stdout), &answer); err != nil {
		t.Fatalf("%v: %s%s", err, o.stdout, o.stderr)
	}
	if answer.OK != (o.code == 0) || (o.code == 0) != (o.stderr == "") {
		t.Errorf("ok is %v, with exit code %d and %q", answer.OK, o.code, o.stderr)
	}
	return answer.Found, o.code
}

func TestCheckOfWhatIsInOrder(t *testing.T) {
	folder, config := checkable(t, "")
	before := tree(t, string(folder))
	if found, code := checked(t, config); code != 0 || len(found) > 0 {
		t.Errorf("exit code %d, found %+v", code, found)
	}
	o := call(t, t.TempDir(), "server", "--config", config, "--check")
	if o.code != 0 || o.stdout != "" || o.stderr != "The configuration is in order.\n" {
		t.Errorf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
	}
	if after := tree(t, string(folder)); after != before {
		t.Errorf("a check has changed the folder from\n%s\nto\n%s", before, after)
	}
}

// Each row is one thing that is wrong, where it was said and what the check says of it.
func TestCheckFindsWhatIsWrong(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	folder, config := checkable(t, "")
	old := devCertificates(t, time.Now().Add(-500*24*time.Hour))
	open := filepath.Join(t.TempDir(), "open.pem")
	key, err := os.ReadFile(folder.Path("tls-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, open, string(key))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(open, link); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	shared := t.TempDir()
	if err := os.Chmod(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ level, flag, value, says, next string }{
		{"error", "--tls-cert", "none.pem", "open none.pem: no such file", "put it there"},
		{"error", "--tls-cert", old.Path("tls.pem"), "private key does not match", "belongs to it"},
		{"error", "--tls-key", folder.Path("tls.pem"), "rather than a key", "as PEM"},
		{"warning", "--tls-key", open, "every user of the machine can use", "chmod o-rwx"},
		{"error", "--data", open, "is a file, and no folder", "another place"},
		{"error", "--data", filepath.Join(open, "x"), "not a directory", ""},
		{"warning", "--data", shared, "other users of the machine", "chmod 700"},
		{"warning", "--disk-reserve", "9000GiB", "takes no writes with less than 9000GiB", "make room"},
		{"error", "--usage-log", filepath.Join(shared, "no", "log"), "there is no folder", "make it"},
		{"error", "--usage-log", link, "a symbolic link", "the file itself"},
		{"error", "--usage-log", t.TempDir(), "is a folder", "a file in it"},
		{"error", "--listen", taken.Addr().String(), "in use by another program", ""},
		{"error", "--cluster-listen", taken.Addr().String(), "in use by another program", ""},
		{"error", "--gossip-listen", taken.Addr().String(), "in use by another program", ""},
		{"error", "--gossip-listen", "203.0.113.1:1", "cannot assign", "no interface"},
		{"error", "--cluster-addr", "https://127.0.0.1:1", "leave https:// out", ""},
		{"error", "--connections", "3", "at least 64", ""},
		{"warning", "--connections", "2000000000", "file descriptors", "LimitNOFILE"},
		{"error", "--zone", "vault.localhost", "a zone is SUFFIX=LOGIN", ""},
		{"error", "--attestation-authority", "http://a", "an https URL", ""},
		{"error", "--retry-join", "https://10.0.0.1:8200 leader_ca_cert_file=none.pem",
			"open none.pem: no such file", "put it there"},
		{"error", "--retry-join", "https://10.0.0.1:8200 leader_ca_cert_file=" + open,
			"holds no PEM certificate", "the authority that signs"},
		{"error", "--seal-wrapper", "spare=tape:x", "no kind of wrapper", ""},
		{"warning", "--seal-wrapper", "spare=age:none.txt", "spare does not unseal this node",
			"needs shares"},
		{"warning", "--api-addr", "https://10.1.2.3:8200", "does not cover this node's own address", ""},
	} {
		found, code := checked(t, config, row.flag, row.value)
		at := row.flag
		if row.flag == "--disk-reserve" || row.flag == "--api-addr" || row.next == "as PEM" {
			at = config // which names what does not fit
		}
		if want := map[string]int{"error": 1}[row.level]; code != want || len(found) != 1 {
			t.Errorf("%s %s: exit code %d, found %+v", row.flag, row.value, code, found)
			continue
		}
		f := found[0]
		if f.Level != row.level || f.At != at || !strings.Contains(f.Problem, row.says) ||
			!strings.Contains(f.Next, row.next) {
			t.Errorf("%s %s: %+v", row.flag, row.value, f)
		}
	}
}

// TestCheckAsTheNodesUser: what root has made there, the user of the service can't change.
func TestCheckAsTheNodesUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can call the program as another user")
	}
	folder, config := checkable(t, "usage_log = \"/var/log/audit.log\"\n")
	const nobody = 65534
	if err := os.MkdirAll(folder.Path("data/cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, folder.Path("data/cluster/raft.db"), "")
	write(t, folder.Path("data/audit.log"), "")
	copyOf := folder.Path("keyquorum")
	copied, err := os.ReadFile(filepath.Join(built, "keyquorum"))
	if err == nil {
		err = os.WriteFile(copyOf, copied, 0o755)
	}
	for dir := string(folder); err == nil && dir != os.TempDir(); dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	for _, name := range []string{config, folder.Path("tls.pem"), folder.Path("data")} {
		if err == nil {
			err = os.Chown(name, nobody, nobody)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	for dir := os.TempDir(); dir != "/"; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode()&0o001 == 0 {
			t.Skipf("another user can't get into %s, where the test has its folder (%v)", dir, err)
		}
	}
	cmd := exec.Command(copyOf, "server", "--config", config, "--check")
	cmd.Env, cmd.Dir = program.Environment(), "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	o := ended(t, cmd)
	for _, says := range []string{"tls-key.pem: permission denied; let the user that runs",
		"user 65534 may not change 2 of the files there, as " + folder.Path("data/audit.log"),
		"user 65534 may not write to /var/log; give the folder to the user"} {
		if !strings.Contains(o.stdout, says) {
			t.Errorf("it does not say %q", says)
		}
	}
	if o.code != 1 || !strings.Contains(o.stderr, "errors: 3") {
		t.Errorf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

// A check says all that is wrong at once, each where the file says it.
func TestCheckFindsAll(t *testing.T) {
	_, config := checkable(t, "lable = \"x\"\nseal \"awskms\" {}\nthrottle = -1\n"+
		"api_addr = \"10.0.0.1\"\nraft_heartbeat = \"soon\"\n")
	found, code := checked(t, config, "--tls-cert=none", "--usage-log=/none/log")
	var at []string
	for _, f := range found {
		at = append(at, fmt.Sprintf("%s:%d", filepath.Base(f.At), f.Line))
		if f.Level != "error" {
			t.Errorf("%+v", f)
		}
	}
	want := "keyquorum.hcl:13 keyquorum.hcl:14 keyquorum.hcl:17 keyquorum.hcl:15 keyquorum.hcl:16 " +
		"--tls-cert:0 --usage-log:0"
	if strings.Join(at, " ") != want || code != 1 {
		t.Errorf("exit code %d, found at %v\nwant %s", code, at, want)
	}
	o := call(t, t.TempDir(), "server", "--config", config, "--check")
	if o.code != 1 || !strings.Contains(o.complaint(), "errors: 5") ||
		!strings.Contains(o.stdout, config+":13:1") {
		t.Errorf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
	}
}

// A variable with a slip in its name is found, and one of a command is not taken for one.
func TestCheckOfTheEnvironment(t *testing.T) {
	config := new(serverConfig)
	config.bind(pflag.NewFlagSet("server", pflag.ContinueOnError))
	c := &check{config: config}
	c.environment([]string{"KEYQUORUM_TLS_CRT=c", "KEYQUORUM_TLS_CERT=c", "KEYQUORUM_CONFIGS=f",
		"KEYQUORUM_ADDR=a", "KEYQUORUM_TOKEN=t", "KEYQUORUM_CACERT=c", "KEYQUORUM_VAULT_URLS=u",
		"TLS_CERT=c"})
	want := []finding{
		{Level: "warning", At: "KEYQUORUM_TLS_CRT in the environment", Problem: "it is no setting",
			Next: "did you mean KEYQUORUM_TLS_CERT?"},
		{Level: "warning", At: "KEYQUORUM_CONFIGS in the environment", Problem: "it is no setting",
			Next: "did you mean KEYQUORUM_CONFIG?"},
	}
	if !slices.Equal(c.found, want) {
		t.Errorf("found %+v\nwant %+v", c.found, want)
	}
}

// The ports of a node that runs are no fault of its configuration.
func TestCheckBesideARunningNode(t *testing.T) {
	folder, config := checkable(t, "")
	if err := os.MkdirAll(folder.Path("data/cluster"), 0o700); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(folder.Path("data/cluster/raft.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	listen := "--listen=" + taken.Addr().String()
	if _, code := checked(t, config, listen); code != 1 {
		t.Errorf("another program has the port, and the exit code is %d", code)
	}
	if err := syscall.Flock(int(log.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	if found, code := checked(t, config, listen); code != 0 {
		t.Errorf("the node has the port, and the exit code is %d: %+v", code, found)
	}
}

// What is wrong with a schedule of snapshots is said where it stands, and nothing is made.
func TestCheckOfSnapshots(t *testing.T) {
	const elsewhere = "/dev/shm"
	kept := t.TempDir()
	if onOneDisk(kept, elsewhere) || existing(elsewhere) != elsewhere {
		t.Skip("there is no second disk")
	}
	for _, row := range []struct{ stanza, says string }{
		{"every = \"1h\"\nkeep = 3\nfolder = \"" + elsewhere + "\"", ""},
		{"every = \"1h\"\nkeep_for = \"720h\"\nfolder = \"KEPT\"",
			":16: snapshots_folder: it is on the disk of the data"},
		{"every = \"1s\"\nkeep = 3\nfolder = \"KEPT\"", ":14: snapshots_every: at least 1m0s are needed"},
		{"every = \"1h\"\nfolder = \"KEPT\"", ":14: snapshots_every: it is not said how many"},
		{"every = \"1h\"\nkeep = -1\nfolder = \"KEPT\"", "negative"},
		{"every = \"1h\"\nkeep = 3", ":14: snapshots_every: it is not said where"},
		{"keep = 3", ":14: snapshots_keep: no snapshots are scheduled; say with snapshots_every"},
		{"every = \"1h\"\nkeep = 3\nfolder = \"KEPT/no\"",
			":16: snapshots_folder: stat KEPT/no: no such"},
		{"evry = \"1h\"", ":14: there is no setting \"snapshots.evry\"; did you mean every?"},
		{"every = \"1h\"\nkeep = 3\ns3 {\nbuckt = \"b\"\n}",
			":17: there is no setting \"snapshots.s3.buckt\"; did you mean bucket?"},
		{"every = \"1h\"\nkeep = 3\ns3 {\nbucket = \"b\"\nendpoint = \"http://a\"\n}",
			":17: snapshots_s3_bucket: the endpoint is a URL as in https://"},
		{"every = \"1h\"\nkeep = 3\ns3 {\nbucket = \"b\"\ncredentials = \"KEPT/no\"\n}",
			":17: snapshots_s3_bucket: open KEPT/no: no such file"},
		{"every = \"1h\"\nkeep = 3\ns3 {\nbucket = \"b\"\n}",
			"the environment has no AWS_ACCESS_KEY_ID"},
	} {
		here := strings.NewReplacer("KEPT", kept).Replace
		_, config := checkable(t, "snapshots {\n"+here(row.stanza)+"\n}\n")
		found, code := checked(t, config)
		var all []string
		for _, f := range found {
			all = append(all, fmt.Sprintf(":%d: %s; %s", f.Line, f.Problem, f.Next))
		}
		if strings.Contains(row.says, "KEPT/no") && code != 0 {
			t.Errorf("%s\nends with code %d, and a node starts with it", row.stanza, code)
		}
		if said := strings.Join(all, "\n"); row.says == "" && said != "" ||
			!strings.Contains(said, here(row.says)) {
			t.Errorf("%s\nsays %q\nwant %q", row.stanza, said, here(row.says))
		}
	}
	if left, err := os.ReadDir(kept); err != nil || len(left) > 0 {
		t.Errorf("the checks made %v (%v)", left, err)
	}
}

// The page's example of a bucket is in order.
func TestPageOfSnapshotsIntoABucket(t *testing.T) {
	page, err := os.ReadFile("../../docs/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	_, block, there := strings.Cut(string(page), "```hcl s3\n")
	block, _, ends := strings.Cut(block, "```")
	if !there || !ends {
		t.Fatal("docs/backup.md has no example of a bucket")
	}
	credentials := filepath.Join(t.TempDir(), "s3")
	write(t, credentials, "aws_access_key_id = k\naws_secret_access_key = s\n")
	_, config := checkable(t, strings.ReplaceAll(block, "/etc/keyquorum/s3", credentials))
	if found, code := checked(t, config); code != 0 || len(found) > 0 {
		t.Errorf("exit code %d, found %+v", code, found)
	}
}
