package frontdoor

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	build "keyquorum/internal/program"
)

// A caller is somebody at a shell: an environment, a home, and a folder to work in.
type caller struct {
	t           *testing.T
	house       *house
	dir         string // to work in
	home        string
	temporary   string
	environment map[string]string
}

// caller is the demo application, which may do everything in the vault demo.
func (h *house) caller(t *testing.T) *caller {
	t.Helper()
	return &caller{t: t, house: h, dir: t.TempDir(), home: t.TempDir(), temporary: t.TempDir(),
		environment: maps.Clone(h.environment)}
}

// set changes the environment; "" takes a variable away.
func (c *caller) set(name, value string) *caller {
	changed := *c
	changed.environment = maps.Clone(c.environment)
	if changed.environment[name] = value; value == "" {
		delete(changed.environment, name)
	}
	return &changed
}

// command is a call that is not yet started.
func (c *caller) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = c.dir
	for _, v := range append(build.Environment(), "HOME="+c.home, "TMPDIR="+c.temporary) {
		if !strings.HasPrefix(v, "XDG_CONFIG_HOME=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	for name, value := range c.environment {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// An outcome is how a call ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// callPatience is longer than any call takes, the tries at nodes that are down included.
const callPatience = time.Minute

// given calls with standard input. Nothing that is to be kept out may stand in what people and
// logs see of it.
func (c *caller) given(input string, args ...string) outcome {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), callPatience)
	defer cancel()
	cmd := c.command(ctx, args...)
	cmd.Stdin = strings.NewReader(input)
	var o outcome
	o.code, o.stdout, o.stderr = build.Run(c.t, cmd)
	note(args)
	if found := plainIn([]byte(o.stderr)); found != "" {
		c.t.Errorf("%v says %s on stderr: %s", args, found, o.stderr)
	}
	return o
}

func (c *caller) call(args ...string) outcome { c.t.Helper(); return c.given("", args...) }

// ok is what a call prints that has to be done, without a word to people.
func (c *caller) ok(args ...string) string { c.t.Helper(); return c.okGiven("", args...) }

func (c *caller) okGiven(input string, args ...string) string {
	c.t.Helper()
	o := c.given(input, args...)
	if o.code != 0 || o.stderr != "" {
		c.t.Fatalf("%v: exit code %d, %s", args, o.code, o.stderr)
	}
	return o.stdout
}

// object is what a call prints as JSON.
func (c *caller) object(args ...string) object {
	c.t.Helper()
	return c.objectGiven("", args...)
}

func (c *caller) objectGiven(input string, args ...string) (o object) {
	c.t.Helper()
	text := c.okGiven(input, append(args, "--format=json")...)
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		c.t.Fatalf("%v: %v in %s", args, err, text)
	}
	return o
}

// list is what a call prints as a list in JSON.
func (c *caller) list(args ...string) (all []object) {
	c.t.Helper()
	text := c.ok(append(args, "--format=json")...)
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		c.t.Fatalf("%v: %v in %s", args, err, text)
	}
	return all
}

// An object is the JSON of a secret, a key, or a use of one, as scripts read it.
type object struct {
	ID, Vault, Name, Version, Value, Type, Curve string
	ContentType                                  string `json:"content_type"`
	Size                                         int
	Operations                                   []string
	Enabled                                      bool
	NotBefore                                    time.Time `json:"not_before"`
	Expires, Created, Updated, Deleted           time.Time
	ScheduledPurge                               time.Time `json:"scheduled_purge"`
	RecoveryLevel                                string    `json:"recovery_level"`
	Tags                                         map[string]string
	Key, Algorithm, Result, IV, AAD              string
	AuthTag                                      string `json:"auth_tag"`
	Valid                                        bool
	File                                         string
	RotateAfter                                  string `json:"rotate_after"`
	RotateBefore                                 string `json:"rotate_before"`
	ExpiresIn                                    string `json:"expires_in"`
	NotifyBefore                                 string `json:"notify_before"`
}

// refused is a call that ends with a code, with one line that says something, and prints nothing.
func (c *caller) refused(code int, says string, args ...string) {
	c.t.Helper()
	c.refusedGiven("", code, says, args...)
}

func (c *caller) refusedGiven(input string, code int, says string, args ...string) {
	c.t.Helper()
	o := c.given(input, args...)
	line, more, _ := strings.Cut(o.stderr, "\n")
	if o.code != code || o.stdout != "" || more != "" || !strings.HasPrefix(line, "keyquorum: ") ||
		!regexp.MustCompile(says).MatchString(line) {
		c.t.Errorf("%v: exit code %d, want %d and one line with %q:\n%s%s", args, o.code, code, says,
			o.stdout, o.stderr)
	}
}

// file writes a file for the caller and returns its path.
func (c *caller) file(name string, content []byte) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// read is a file that the program has written for its owner alone.
func (c *caller) read(path string) []byte {
	c.t.Helper()
	if !filepath.IsAbs(path) {
		path = filepath.Join(c.dir, path)
	}
	info, err := os.Stat(path)
	if err != nil {
		c.t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		c.t.Errorf("%s has mode %o", path, info.Mode().Perm())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		c.t.Fatal(err)
	}
	return b
}

// driven are the verbs that some test has called.
var driven struct {
	sync.Mutex
	verbs map[string]bool
}

func note(args []string) {
	driven.Lock()
	defer driven.Unlock()
	if driven.verbs == nil {
		driven.verbs = map[string]bool{}
	}
	if len(args) > 1 {
		driven.verbs[args[0]+" "+args[1]] = true
	}
}

func wasDriven(verb string) bool {
	driven.Lock()
	defer driven.Unlock()
	return driven.verbs[verb]
}

// asID has the form of an id with a version.
func asID(vault, kind, name string) *regexp.Regexp {
	return regexp.MustCompile(fmt.Sprintf("^%s/%s/%s/[0-9a-f]{32}$", regexp.QuoteMeta(vault), kind,
		regexp.QuoteMeta(name)))
}
