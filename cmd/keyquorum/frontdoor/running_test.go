package frontdoor

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	build "keyquorum/internal/program"
)

// An operations is what somebody has who follows docs/running.md: machines a and b, which are
// folders and loopback addresses here.
type operations struct {
	t    *testing.T
	page map[string][]string // blocks of the pages that are followed, by their words
	dir  string
	net  string            // the first three bytes of addresses
	host map[string]string // of each machine, its last byte
	env  []string
}

// fenced are the blocks of a page.
var fenced = regexp.MustCompile("(?ms)^ *```([a-z ]+)\n(.*?)^ *```$")

func follow(t *testing.T) *operations {
	t.Helper()
	o := &operations{
		t: t, page: make(map[string][]string), dir: t.TempDir(),
		net:  fmt.Sprintf("127.%d.%d.", 16+rand.IntN(200), rand.IntN(256)),
		host: map[string]string{"a": "1", "b": "2", "c": "3", "d": "4", "e": "6"},
		env:  append(build.Environment(), "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH")),
	}
	for _, page := range []string{"running", "usage-log", "backup", "members"} {
		text, err := os.ReadFile("../../../docs/" + page + ".md")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fenced.FindAllStringSubmatch(string(text), -1) {
			words := page + " " + m[1]
			o.page[words] = append(o.page[words], m[2])
		}
	}
	return o
}

// here is a text of the page for a machine: its folders and addresses are ours.
func (o *operations) here(text, machine string) string {
	return strings.NewReplacer(
		"10.0.0.", o.net, `10\.0\.0\.`, strings.ReplaceAll(o.net, ".", `\.`),
		"/var/lib/keyquorum", filepath.Join(o.dir, machine, "data"),
		"/var/log/keyquorum", filepath.Join(o.dir, machine, "log"),
		"/etc/keyquorum", filepath.Join(o.dir, machine),
		"/mnt/backup/keyquorum", filepath.Join(o.dir, "kept"), // all machines see it
		"sudo -u keyquorum ", "", "sudo ", "", "-o keyquorum -g keyquorum ",
		"",             // there is no such user here
		"1GiB", "1MiB", // the machine that runs this may have less
	).Replace(text)
}

// sh runs lines of the page on a machine.
func (o *operations) sh(machine, lines, stdin string) string {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), "sh", "-e", "-c", o.here(lines, machine))
	cmd.Dir, cmd.Env = filepath.Join(o.dir, machine), o.env
	cmd.Stdin = strings.NewReader(stdin)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		o.t.Fatalf("on %s: %s: %v: %s%s", machine, lines, err, &out, &said)
	}
	return out.String()
}

// prepare makes a machine with its certificate and its configuration.
func (o *operations) prepare(machine, address string) {
	o.t.Helper()
	for _, dir := range []string{machine, "kept"} {
		if err := os.MkdirAll(filepath.Join(o.dir, dir), 0o700); err != nil {
			o.t.Fatal(err)
		}
	}
	o.sh(machine, o.page["running sh folders"][0], "")
	at := func(text string) string { return strings.ReplaceAll(text, "10.0.0.1", address) }
	authority, certificate, ok := strings.Cut(o.page["running sh openssl"][0], "\n\n")
	if !ok {
		o.t.Fatal("the authority and the certificate are no two parts any more")
	}
	if machine == "a" {
		o.sh(machine, authority, "")
	} else {
		for _, file := range []string{"ca.pem", "ca-key.pem"} {
			o.sh(machine, "cp ../a/"+file+" .", "")
		}
	}
	o.sh(machine, at(certificate), "")
	config := strings.Replace(at(o.page["running hcl config"][0]), `node_id = "a"`,
		`node_id = "`+machine+`"`, 1)
	config += o.page["backup hcl schedule"][0]
	if err := os.WriteFile(filepath.Join(o.dir, machine, "keyquorum.hcl"),
		[]byte(o.here(config, machine)), 0o600); err != nil {
		o.t.Fatal(err)
	}
	o.sh(machine, o.page["running sh"][0], "")
}

// serve starts the node of a machine as the page does. env comes on top of its environment.
func (o *operations) serve(machine string, env ...string) *exec.Cmd {
	o.t.Helper()
	cmd := exec.Command("sh", "-c", "exec "+o.here(o.page["running sh"][1], machine))
	log, err := os.Create(filepath.Join(o.dir, machine, "server.log"))
	if err != nil {
		o.t.Fatal(err)
	}
	defer log.Close()
	cmd.Dir, cmd.Stderr = filepath.Join(o.dir, machine), log
	cmd.Env = append(slices.Clone(o.env), env...)
	if err := cmd.Start(); err != nil {
		o.t.Fatal(err)
	}
	o.t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		if text, err := os.ReadFile(log.Name()); err == nil && o.t.Failed() {
			o.t.Logf("node %s wrote\n%s", machine, text)
		}
	})
	o.await(machine, "/v1/sys/seal-status")
	return cmd
}

// client is an HTTP client for whom every name is that of a machine.
func (o *operations) client(machine string) *http.Client {
	o.t.Helper()
	ca, err := os.ReadFile(filepath.Join(o.dir, "a", "ca.pem"))
	if err != nil {
		o.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, o.net+o.host[machine]+":8200")
	}
	transport := &http.Transport{DialContext: dial, TLSClientConfig: &tls.Config{RootCAs: roots}}
	o.t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 5 * time.Second}
}

// await waits until a node answers 200.
func (o *operations) await(machine, path string) {
	o.t.Helper()
	client := o.client(machine)
	defer client.CloseIdleConnections()
	address := o.net + o.host[machine]
	var last any
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		answer, err := client.Get("https://" + address + ":8200" + path)
		if err == nil {
			answer.Body.Close()
			if last = answer.StatusCode; last == http.StatusOK {
				return
			}
		} else {
			last = err
		}
	}
	o.t.Fatalf("node %s answers %s with %v", machine, path, last)
}

// awaitScheduled waits until the schedule of the page has kept a snapshot.
func (o *operations) awaitScheduled() {
	o.t.Helper()
	var said string
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); <-tick.C {
		said = o.sh("b", o.page["backup sh list"][0], "")
		if strings.Contains(said, filepath.Join(o.dir, "kept", "keyquorum-")) {
			return
		}
	}
	o.t.Fatalf("no snapshot is kept; the list says %s", said)
}

// cut parts a block into what comes before the line that unseals, and that line.
func (o *operations) cut(block string) (before, unseal string) {
	o.t.Helper()
	before, unseal, ok := strings.Cut(block, "keyquorum operator unseal")
	if !ok {
		o.t.Fatalf("nothing unseals in %s", block)
	}
	return before, strings.Split(before, "\n")[0] + "\nkeyquorum operator unseal -" +
		strings.SplitN(unseal, "\n", 2)[0]
}

// TestRunningPage follows docs/running.md from the certificate to the first application, on two
// nodes, and rotates a usage log as docs/usage-log.md does.
func TestRunningPage(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("there is no openssl, with which the page makes certificates")
	}
	o := follow(t)
	o.prepare("a", "10.0.0.1")
	o.prepare("b", "10.0.0.2")
	a, b := o.serve("a"), o.serve("b")

	initialise, unseal := o.cut(o.page["running sh"][2])
	address := strings.Split(initialise, "\n")[0]
	said := o.sh("a", initialise, "")
	var shares []string
	share := regexp.MustCompile(`(?m)^Unseal Key \d+:\s+(\S+)$`)
	for _, m := range share.FindAllStringSubmatch(said, -1) {
		keepCredentialOut(m[1])
		shares = append(shares, m[1])
	}
	token := regexp.MustCompile(`(?m)Root Token:\s+(\S+)$`).FindStringSubmatch(said)
	if len(shares) != 5 || token == nil {
		t.Fatal("init shows other than five shares and a token")
	}
	keepCredentialOut(token[1])
	for _, share := range shares[:3] {
		o.sh("a", unseal, share)
	}
	o.await("a", "/v1/sys/health?standbyok=true")
	typed := address + "\n" + o.page["running sh token"][0] + "keyquorum operator raft list-peers"
	o.sh("a", "bash -ec '"+typed+"'", token[1]+"\n")

	join, unseal := o.cut(o.page["running sh"][3])
	o.sh("b", join, "")
	for _, share := range shares[1:4] {
		o.sh("b", unseal, share)
	}
	o.await("b", "/v1/sys/health?standbyok=true")

	o.env = append(o.env, "KEYQUORUM_TOKEN="+token[1])
	said = o.sh("a", address+"\n"+o.page["running sh"][4], "")
	if !strings.Contains(said, "Client secret") {
		t.Errorf("no client secret is shown: %s", said)
	}
	if granted := o.sh("b", address+"\nkeyquorum grant list payments", ""); !strings.Contains(granted,
		"billing") {
		t.Errorf("billing has no grant: %s", granted)
	}

	well := o.sh("a", address+"\n"+o.page["running sh doctor"][0], "")
	if !strings.Contains(well, "member b") {
		t.Errorf("the doctor says %s", well)
	}
	bundle := o.sh("a", address+"\n"+o.page["running sh debug"][0], "")
	if !strings.Contains(bundle, "Not fetched  1") { // the log, which the page does not name
		t.Errorf("of the bundle it is said %s", bundle)
	}

	purge, read := o.lose(said, address)
	saved := o.sh("a", address+"\n"+o.page["backup sh save"][0]+o.page["backup sh verify"][0], "")
	purge()
	for _, step := range [][2]string{{"object", "Now it is gone"},
		{"bring", "is back: 1 of its versions"}, {"object", "lacks none of these"}} {
		shown := o.sh("a", address+"\n"+o.page["backup sh "+step[0]][0], "")
		if !strings.Contains(shown, step[1]) {
			t.Errorf("backup.md, %s: it says %s", step[0], shown)
		}
	}
	if got := read(); got != "the value" {
		t.Errorf("what was brought back is %s", got)
	}
	o.sh("a", address+"\n"+o.page["backup sh back"][0], "")
	if !strings.Contains(saved, "backup.snap is whole") {
		t.Errorf("the snapshot is %s", saved)
	}
	o.awaitScheduled()

	o.sh("a", fmt.Sprintf("cd log\nPID=%d\n", a.Process.Pid)+o.page["usage-log sh"][0], "")
	o.sh("b", strings.ReplaceAll(address, "10.0.0.1", "10.0.0.2")+"\nkeyquorum app list", "")
	o.sh("a", address+"\nkeyquorum app list", "")
	logs, err := filepath.Glob(filepath.Join(o.dir, "a", "log", "audit.log*"))
	if err != nil || len(logs) != 2 {
		t.Errorf("after a rotation there are the usage logs %v, %v", logs, err)
	}
	for _, cmd := range []*exec.Cmd{b, a} {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("a node ended with %v", err)
		}
	}
	o.recover(address, unseal, shares)
}

// recover makes new clusters as docs/backup.md does, of the folder and of the snapshot that are on
// machine a, and asks each for what the first one held.
func (o *operations) recover(address, unseal string, shares []string) {
	o.t.Helper()
	if left := o.sh("a", o.page["backup sh look"][0], ""); !strings.Contains(left,
		"No acknowledged write is missing") {
		o.t.Errorf("of one folder of two it says %s", left)
	}
	o.sh("b", o.page["backup sh pack"][0]+"mv b.tar ../a\n", "")
	both := o.page["backup sh unpack"][0] +
		"keyquorum operator recover /var/lib/keyquorum /var/lib/keyquorum.b\n"
	if left := o.sh("a", both, ""); !strings.Contains(left, "No acknowledged write is missing") {
		o.t.Errorf("of both folders it says %s", left)
	}
	given := strings.Join(shares[:3], "\n") + "\n"
	for _, block := range []string{"backup sh drill", "backup sh newest"} {
		if said := o.sh("a", o.page[block][0], given); !strings.Contains(said, "it takes writes") {
			o.t.Errorf("%s says %s", block, said)
		}
	}
	for i, block := range []string{"backup sh recover", "backup sh restore"} {
		if i > 0 {
			o.sh("a", "rm -r /var/lib/keyquorum", "")
		}
		o.sh("a", o.page[block][0], given)
		node := o.serve("a")
		for _, share := range shares[:3] {
			o.sh("a", strings.ReplaceAll(unseal, "10.0.0.2", "10.0.0.1"), share)
		}
		o.await("a", "/v1/sys/health?standbyok=true")
		if said := o.sh("a", address+"\nkeyquorum grant list payments", ""); !strings.Contains(said,
			"billing") {
			o.t.Errorf("after %s billing has no grant: %s", block, said)
		}
		_ = node.Process.Signal(syscall.SIGTERM)
		if err := node.Wait(); err != nil {
			o.t.Errorf("the node of %s ended with %v", block, err)
		}
	}
}

// TestServiceUnit compares the unit of docs/running.md with the one that packages have, and has
// systemd read it.
func TestServiceUnit(t *testing.T) {
	unit := follow(t).page["running ini systemd"][0]
	packaged, err := os.ReadFile("../../../internal/packaging/keyquorum.service")
	if err != nil {
		t.Fatal(err)
	}
	if unit != string(packaged) {
		t.Error("docs/running.md shows another unit than internal/packaging/keyquorum.service")
	}
	for _, line := range []string{"Type=notify", "NoNewPrivileges=yes", "CapabilityBoundingSet=",
		"LimitCORE=0", "MemorySwapMax=0", "ProtectSystem=strict", "PrivateDevices=yes",
		"ExecReload=/bin/kill -HUP $MAINPID", "Restart=on-failure"} {
		if !strings.Contains(unit, "\n"+line+"\n") {
			t.Errorf("the unit lacks %s", line)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("there is no systemd-analyze to read the unit with")
	}
	unit = strings.ReplaceAll(unit, "/usr/bin/keyquorum", program)
	file := filepath.Join(t.TempDir(), "keyquorum.service")
	if err := os.WriteFile(file, []byte(unit), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", file).CombinedOutput(); err != nil ||
		len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPackagedConfiguration: the page shows the example that packages have, without its comment.
func TestPackagedConfiguration(t *testing.T) {
	packaged, err := os.ReadFile("../../../internal/packaging/keyquorum.hcl")
	if err != nil {
		t.Fatal(err)
	}
	_, settings, _ := strings.Cut(string(packaged), "\n\n")
	if shown := follow(t).page["running hcl config"][0]; shown != settings {
		t.Errorf("docs/running.md shows\n%s\nand the package has\n%s", shown, settings)
	}
}

// TestContainerfile holds what an image must be: nothing but the program, and nobody's user.
func TestContainerfile(t *testing.T) {
	b, err := os.ReadFile("../../../internal/packaging/Containerfile")
	if err != nil {
		t.Fatal(err)
	}
	_, last, ok := strings.Cut(string(b), "\nFROM scratch\n")
	if !ok || strings.Contains(last, "\nFROM") || strings.Contains(last, "\nRUN") ||
		!regexp.MustCompile(`(?m)^USER [1-9]\d+:[1-9]\d+$`).MatchString(last) ||
		!strings.Contains(last, `ENTRYPOINT ["/usr/bin/keyquorum"]`) {
		t.Errorf("the image is not what it should be: %s", b)
	}
}
