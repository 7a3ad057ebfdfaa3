package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	ossignal "os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/cmd/keyquorum/dev"
)

// passing is a cluster in memory that was detached, and is stopped with the test.
type passing struct {
	dir         string // where commands are called
	environment map[string]string
}

// detached starts one.
func detached(t *testing.T, args ...string) *passing {
	t.Helper()
	p := &passing{dir: t.TempDir()}
	o := p.call(t, append([]string{"dev", "--memory", "--port=0", "--detach", "--print=json"},
		args...)...)
	if o.code != 0 || json.Unmarshal([]byte(o.stdout), &p.environment) != nil {
		t.Fatalf("exit code %d, saying %q %s", o.code, o.stdout, o.stderr)
	}
	t.Cleanup(func() {
		if _, err := os.Stat(p.environment["KEYQUORUM_DEV_DIR"]); err == nil {
			p.stop(t)
		}
	})
	return p
}

// call runs the program with the cluster's environment.
func (p *passing) call(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // in a cleanup too
	defer cancel()
	cmd := keyquorum(ctx, p.dir, args...)
	for name, value := range p.environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return ended(t, cmd)
}

func (p *passing) stop(t *testing.T) {
	t.Helper()
	if o := p.call(t, "dev", "stop"); o.code != 0 {
		t.Errorf("dev stop: exit code %d, %s", o.code, o.stderr)
	}
	p.isGone(t)
}

// isGone looks for its process and its folder.
func (p *passing) isGone(t *testing.T) {
	t.Helper()
	if pid, _ := strconv.Atoi(p.environment["KEYQUORUM_DEV_PID"]); runs(pid) {
		t.Errorf("process %d still runs", pid)
	}
	if _, err := os.Stat(p.environment["KEYQUORUM_DEV_DIR"]); err == nil {
		t.Errorf("%s is still there", p.environment["KEYQUORUM_DEV_DIR"])
	}
}

// runs says whether a process does: one that nobody has asked for its end does not.
func runs(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// sh runs a line of a shell with dev exec.
func (p *passing) sh(t *testing.T, line string) outcome {
	t.Helper()
	return p.call(t, "dev", "exec", "--", "sh", "-c", line)
}

// TestMemoryModeServesAndKeepsNothing is the life of a cluster in CI.
func TestMemoryModeServesAndKeepsNothing(t *testing.T) {
	p := detached(t, "--nodes=1", "--seed="+absolute(t, "../../examples/testing/seed.json"),
		"--vault=first", "--app=tester", "--zone=keys.test=login.keys.test")
	if got := p.environment["KEYQUORUM_VAULT_URLS"]; !strings.HasPrefix(got,
		"https://first.keys.test:") {
		t.Errorf("the vault is at %s", got)
	}
	for _, trusts := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE"} {
		if _, err := os.Stat(p.environment[trusts]); err != nil {
			t.Errorf("%s: %v", trusts, err)
		}
	}
	if o := p.call(t, "dev", "exec", "--", filepath.Join(built, "azure-app")); o.code != 0 {
		t.Errorf("the example: exit code %d, %s%s", o.code, o.stdout, o.stderr)
	}
	payments := strings.Replace(p.environment["KEYQUORUM_VAULT_URLS"], "first", "payments", 1)
	own := "AZURE_CLIENT_ID=$KEYQUORUM_APP_BILLING_CLIENT_ID AZURE_CLIENT_SECRET=$KEYQUORUM_APP_BILLING_CLIENT_SECRET "
	program := filepath.Join(built, "keyquorum")
	for line, want := range map[string]string{
		program + " secret show db-password --vault " + payments +
			" -field=value": "correct horse battery staple",
		own + program + " secret show db-password --vault " + payments +
			" -field=value": "correct horse battery staple",
		program + " key list --vault " + payments + " -q": "invoices\nletters\n",
	} {
		if o := p.sh(t, line); o.code != 0 || o.stdout != want {
			t.Errorf("%s: exit code %d, %q, %s", line, o.code, o.stdout, o.stderr)
		}
	}
	if o := p.sh(t, own+program+" key list --vault "+payments); o.code != 2 {
		t.Errorf("an application did what its grant does not say: exit code %d, %s", o.code, o.stdout)
	}
	p.stop(t)
	if o := p.call(t, "dev", "status"); o.code != 1 ||
		!strings.Contains(o.complaint(), "no dev cluster runs") {
		t.Errorf("after its end: exit code %d, %s", o.code, o.stderr)
	}
}

func absolute(t *testing.T, file string) string {
	t.Helper()
	path, err := filepath.Abs(file)
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMemoryModeOfThree serves through each of its nodes.
func TestMemoryModeOfThree(t *testing.T) {
	p := detached(t, "--nodes=3")
	o := p.call(t, "dev", "exec", "--", filepath.Join(built, "azure-app"))
	if o.code != 0 || !strings.Contains(o.stdout, "read and verified through 2") {
		t.Errorf("exit code %d, %s%s", o.code, o.stdout, o.stderr)
	}
}

// TestDetachedClusterThatStays: --detach is not for memory alone, and dev stop loses nothing.
func TestDetachedClusterThatStays(t *testing.T) {
	p := &passing{dir: t.TempDir()}
	for _, port := range []string{"--port=0", "--sealed"} { // it comes back where it was
		o := p.call(t, "dev", "--detach", "--print=json", port)
		if o.code != 0 || json.Unmarshal([]byte(o.stdout), &p.environment) != nil {
			t.Fatalf("exit code %d, %s%s", o.code, o.stdout, o.stderr)
		}
		if o := p.call(t, "dev", "status"); o.code != 0 ||
			strings.Contains(o.stdout, "unsealed") != (port != "--sealed") {
			t.Errorf("%s: dev status: exit code %d, %s%s", port, o.code, o.stdout, o.stderr)
		}
		if o := p.call(t, "dev", "stop"); o.code != 0 {
			t.Errorf("dev stop: exit code %d, %s", o.code, o.stderr)
		}
		if _, err := os.Stat(filepath.Join(p.dir, ".keyquorum-dev", "dev.json")); err != nil {
			t.Error(err)
		}
	}
}

// TestTimeShiftMakesKeysExpire: a key that ends in an hour has ended for nodes that are two ahead,
// and tokens and certificates are good all the same.
func TestTimeShiftMakesKeysExpire(t *testing.T) {
	for shift, code := range map[time.Duration]int{-2 * time.Hour: 0, 2 * time.Hour: 2,
		600 * 24 * time.Hour: 2} {
		p := detached(t, "--nodes=1", "--time-shift="+shift.String())
		ends := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
		program := filepath.Join(built, "keyquorum")
		made := p.sh(t, fmt.Sprintf("%s key create signer --kty EC --expires %s", program, ends))
		if made.code != 0 {
			t.Fatalf("creating a key: exit code %d, %s", made.code, made.stderr)
		}
		if err := os.WriteFile(filepath.Join(p.dir, "file"), []byte("a contract"), 0o600); err != nil {
			t.Fatal(err)
		}
		o := p.sh(t, program+" key sign signer --algorithm ES256 --file file")
		if o.code != code || code != 0 && !strings.Contains(o.stderr, "expired") {
			t.Errorf("%s ahead: exit code %d, want %d: %s%s", shift, o.code, code, o.stdout, o.stderr)
		}
		p.stop(t)
	}
}

// TestEverySignalRemovesTheMemory ends clusters in the foreground.
func TestEverySignalRemovesTheMemory(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP,
		syscall.SIGQUIT} {
		if ossignal.Ignored(signal) { // as under nohup: then it goes on, as it was asked to
			t.Logf("%s is ignored here, and not tried", signal)
			continue
		}
		p := &passing{dir: t.TempDir(), environment: map[string]string{}}
		envFile, caFile := filepath.Join(p.dir, "env.json"), filepath.Join(p.dir, "authority.pem")
		cmd := p.foreground(t, "--nodes=1", "--print=json", "--env-file="+envFile, "--ca-file="+caFile)
		awaitFile(t, envFile)
		b, err := os.ReadFile(envFile)
		if err != nil || json.Unmarshal(b, &p.environment) != nil ||
			p.environment["SSL_CERT_FILE"] != caFile {
			t.Fatalf("the environment file holds %s (%v)", b, err)
		}
		if _, err := os.Stat(caFile); err != nil {
			t.Error(err)
		}
		_ = cmd.Process.Signal(signal)
		if err := cmd.Wait(); err != nil {
			t.Errorf("%s: %v", signal, err)
		}
		p.isGone(t)
		for _, file := range []string{envFile, caFile} {
			if _, err := os.Stat(file); err == nil {
				t.Errorf("%s: %s is still there", signal, file)
			}
		}
	}
}

func (p *passing) foreground(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := keyquorum(t.Context(), p.dir, append([]string{"dev", "--memory", "--port=0"}, args...)...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func awaitFile(t *testing.T, file string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(file); err == nil {
			return
		}
	}
	t.Fatalf("%s did not appear", file)
}

// TestAKilledClusterIsSweptUp: what SIGKILL leaves the next start removes, nodes and folder.
func TestAKilledClusterIsSweptUp(t *testing.T) {
	killed := detached(t, "--nodes=1")
	pid, _ := strconv.Atoi(killed.environment["KEYQUORUM_DEV_PID"])
	node := dev.ReadPID(filepath.Join(killed.environment["KEYQUORUM_DEV_DIR"], "node1.pid"))
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil || node == 0 {
		t.Fatal(err, node)
	}
	for end := time.Now().Add(time.Minute); runs(node); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the node outlives its cluster")
		}
	}
	detached(t, "--nodes=1")
	if _, err := os.Stat(killed.environment["KEYQUORUM_DEV_DIR"]); err == nil {
		t.Errorf("%s is still there", killed.environment["KEYQUORUM_DEV_DIR"])
	}
}

// TestDevRefusesWhatDoesNotGoTogether, and does nothing before.
func TestDevRefusesWhatDoesNotGoTogether(t *testing.T) {
	bad := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(bad, []byte(`{"sekrets": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	there := filepath.Join(t.TempDir(), "profile")
	if err := os.WriteFile(there, []byte("export PATH=/bin\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, says := range map[string]string{
		"--env-file=" + there:             there + " is there already",
		"--ca-file=" + there:              there + " is there already",
		"--time-shift=2h":                 "--time-shift is for a cluster that keeps nothing: give --memory too",
		"--nodes=1":                       "--nodes is for a cluster that keeps nothing",
		"--seed=x.json":                   "--seed is for a cluster that keeps nothing",
		"--memory --nodes=2":              "it is 1 or 3",
		"--memory --dir=x":                "--dir is for a cluster that stays",
		"--memory --sealed":               "--sealed is for a cluster that stays",
		"--memory --zone=vault.test":      "it is SUFFIX=LOGIN",
		"--memory --listen=everywhere":    "it is an IP address",
		"--memory --seed=nothing.json":    "nothing.json",
		"--memory --seed=" + bad:          `there is no member "sekrets"`,
		"--print=xml":                     "it is export, env or json",
		"--memory --detach --port=-1":     "--port -1",
		"--memory --detach --seed=" + bad: `there is no member "sekrets"`,
	} {
		dir := t.TempDir()
		o := call(t, dir, append([]string{"dev"}, strings.Fields(line)...)...)
		if o.code != 1 || !strings.Contains(o.complaint(), says) || o.stdout != "" {
			t.Errorf("%s: exit code %d, saying %s", line, o.code, o.stderr)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: it left %v (%v)", line, left, err)
		}
	}
}

// TestADetachedClusterThatCannotStartSaysWhy, and leaves nothing.
func TestADetachedClusterThatCannotStartSaysWhy(t *testing.T) {
	seed := filepath.Join(t.TempDir(), "seed.json")
	if err := os.WriteFile(seed,
		[]byte(`{"secrets": [{"vault": "demo", "name": "no_such.name", "value": "x"}]}`),
		0o600); err != nil {
		t.Fatal(err)
	}
	p := &passing{dir: t.TempDir()}
	o := p.call(t, "dev", "--memory", "--nodes=1", "--port=0", "--detach", "--seed="+seed)
	if o.code != 1 && o.code != 2 || o.stdout != "" ||
		!strings.Contains(o.complaint(), "secret no_such.name of vault demo: ") ||
		!strings.Contains(o.complaint(), http.StatusText(http.StatusBadRequest)) &&
			!strings.Contains(o.complaint(), "400") {
		t.Errorf("exit code %d, %q, saying %s", o.code, o.stdout, o.stderr)
	}
}
