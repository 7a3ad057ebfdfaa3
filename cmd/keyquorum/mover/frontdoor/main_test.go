// Package frontdoor tries `keyquorum import` as its users do: the built program as a process, real
// clusters of the dev command, real TLS.
package frontdoor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	build "keyquorum/internal/program"
)

// program is keyquorum as a user would have built it.
var program string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keyquorum-import")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "keyquorum")
	if err := build.Build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// environment is what a program is started with beside what is everybody's.
type environment map[string]string

// with is the environment with some variables changed; "" takes one away.
func (e environment) with(namesAndValues ...string) environment {
	changed := maps.Clone(e)
	for i := 0; i < len(namesAndValues); i += 2 {
		changed[namesAndValues[i]] = namesAndValues[i+1]
	}
	return changed
}

// command is a call of the program, with nothing of our environment that would configure it.
func (e environment) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env = build.Environment()
	for name, value := range e {
		if value != "" {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
	}
	return cmd
}

// outcome is how a call ended.
type outcome struct {
	code           int
	stdout, stderr string
}

func (e environment) call(t *testing.T, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute) // in a cleanup too
	defer cancel()
	return ended(t, e.command(ctx, args...))
}

func ended(t *testing.T, cmd *exec.Cmd) (o outcome) {
	t.Helper()
	o.code, o.stdout, o.stderr = build.Run(t, cmd)
	return o
}

// must is a call that has to end well; it gives what was printed.
func (e environment) must(t *testing.T, args ...string) string {
	t.Helper()
	o := e.call(t, args...)
	if o.code != 0 {
		t.Fatalf("keyquorum %s: exit code %d, %s%s", strings.Join(args, " "), o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// refused is a call that has to end with a code and one line that says something.
func (e environment) refused(t *testing.T, code int, says string, args ...string) {
	t.Helper()
	o := e.call(t, args...)
	var lines []string
	for line := range strings.Lines(o.stderr) {
		if strings.HasPrefix(line, "keyquorum: ") {
			lines = append(lines, line)
		}
	}
	if o.code != code || len(lines) != 1 || !strings.Contains(lines[0], says) {
		t.Errorf("keyquorum %s: exit code %d, want %d, saying %q, want %q", strings.Join(args, " "),
			o.code, code, o.stderr, says)
	}
}

// cluster starts a cluster in memory that ends with the test, and gives the environment of its
// application.
func cluster(t *testing.T, args ...string) environment {
	t.Helper()
	var e environment
	printed := environment{}.must(t, append([]string{"dev", "--memory", "--nodes=1", "--port=0",
		"--detach", "--print=json"}, args...)...)
	if err := json.Unmarshal([]byte(printed), &e); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.call(t, "dev", "stop") })
	return e
}

// from is the environment in which a vault of e is the source, and one of to's the destination.
func (e environment) from(to environment) environment {
	return to.with(
		"FROM_AZURE_AUTHORITY_HOST", e["AZURE_AUTHORITY_HOST"],
		"FROM_AZURE_TENANT_ID", e["AZURE_TENANT_ID"],
		"FROM_AZURE_CLIENT_ID", e["AZURE_CLIENT_ID"],
		"FROM_AZURE_CLIENT_SECRET", e["AZURE_CLIENT_SECRET"],
		"FROM_KEYQUORUM_CACERT", e["SSL_CERT_FILE"],
		"KEYQUORUM_CACERT", to["SSL_CERT_FILE"],
		"SSL_CERT_FILE", "")
}

// url is that of the vault of e.
func (e environment) url() string { return e["KEYQUORUM_VAULT_URLS"] }

// set sets a secret from standard input.
func (e environment) set(t *testing.T, name, value string, flags ...string) {
	t.Helper()
	cmd := e.command(t.Context(), append([]string{"secret", "set", name, "-q"}, flags...)...)
	cmd.Stdin = strings.NewReader(value)
	if o := ended(t, cmd); o.code != 0 {
		t.Fatalf("setting %s: %s", name, o.stderr)
	}
}

// A row is one of a plan.
type row struct {
	Kind, Name, From, State, Why string
	Versions                     int
	There                        int      `json:"versions_there"`
	Left                         []string `json:"left_out"`
	Advice                       string   `json:"to_do"`
}

// A plan is what import prints as JSON.
type plan struct {
	Source, Vault string
	Applied       bool
	Rows          []row
	Summary       map[string]int
	Versions      int
}

// plan calls import, which has to end well, and reads what it says.
func (e environment) plan(t *testing.T, args ...string) plan {
	t.Helper()
	return readPlan(t, e.must(t, slices.Concat([]string{"import"}, args, []string{"-format=json"})...))
}

func readPlan(t *testing.T, text string) plan {
	t.Helper()
	var p plan
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("no plan: %v\n%s", err, text)
	}
	return p
}

// row is that of a name.
func (p plan) row(t *testing.T, name string) row {
	t.Helper()
	for _, r := range p.Rows {
		if r.Name == name {
			return r
		}
	}
	t.Fatalf("there is no row of %s in %+v", name, p.Rows)
	return row{}
}

// expect compares the states of the rows, and what they say why.
func (p plan) expect(t *testing.T, want map[string]string) {
	t.Helper()
	for name, says := range want {
		r := p.row(t, name)
		state, why, _ := strings.Cut(says, ": ")
		if r.State != state || !strings.Contains(r.Why, why) {
			t.Errorf("%s is %s (%s), want %s", name, r.State, r.Why, says)
		}
	}
	if len(want) != len(p.Rows) {
		t.Errorf("%d rows, want %d: %+v", len(p.Rows), len(want), p.Rows)
	}
}

// An object is what the program prints of a secret or a key.
type object struct {
	Name, Version, Value string
	ContentType          string `json:"content_type"`
	Type, Curve          string
	Size                 int
	Enabled              bool
	NotBefore            *time.Time `json:"not_before"`
	Expires              *time.Time
	Created              time.Time
	Tags                 map[string]string
	Operations           []string
}

func (e environment) show(t *testing.T, kind, name string, flags ...string) (o object) {
	t.Helper()
	text := e.must(t, append([]string{kind, "show", name, "-format=json"}, flags...)...)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatal(err)
	}
	return o
}

// values are those of all versions of a secret by the origin that their tag says.
func (e environment) values(t *testing.T, name string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, v := range e.versions(t, "secret", name) {
		o := e.show(t, "secret", name, "--version", v.Version)
		origin := o.Tags["imported-from"]
		if _, twice := found[origin]; twice {
			t.Errorf("%s has two versions from %s", name, origin)
		}
		found[origin] = o.Value
	}
	return found
}

func (e environment) versions(t *testing.T, kind, name string) (all []object) {
	t.Helper()
	text := e.must(t, kind, "list-versions", name, "-format=json")
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatal(err)
	}
	return all
}
