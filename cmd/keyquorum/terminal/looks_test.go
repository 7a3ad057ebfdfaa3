package terminal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestHelpFits shows the help of every command: no line is wrapped, and what is to be typed begins
// as the program was called.
func TestHelpFits(t *testing.T) {
	files, err := filepath.Glob("../testdata/help/*.txt")
	if err != nil || len(files) < 10 {
		t.Fatalf("there are %d files of help: %v", len(files), err)
	}
	plain := regexp.MustCompile(
		`(^|[^/\w])keyquorum (secret|key|run|login|vault|app|grant|operator|dev)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range regexp.MustCompile(`(?m)^\$ keyquorum (.*)$`).FindAllSubmatch(text, -1) {
			s := sit(t, home, environmentOf(nil), append([]string{program},
				strings.Fields(string(call[1]))...)...)
			shown := s.ends(0)
			if found := plain.FindString(shown.String()); found != "" || !shown.has("bin/keyquorum") {
				t.Errorf("%s: it says %q:\n%s", call[1], found, shown)
			}
		}
	}
}

// TestTablesFit shows every table with names as long as they may be: no line is wrapped, and no id
// is broken.
func TestTablesFit(t *testing.T) {
	c := running(t)
	long := "database-password-of-the-billing-service-in-production"
	for _, line := range []string{
		"secret set " + long + " --value x --tag owner=billing --tag purpose=the-tables-of-this-test",
		"secret set gone-" + long + " --value x", "secret delete gone-" + long,
		"key create key-of-" + long + " --kty EC --expires 30d",
		"key create gone-key --kty EC", "key delete gone-key",
		"app create the-billing-service", "vault create attic-of-the-old-days",
		"vault delete attic-of-the-old-days",
		"grant set payments-of-the-old-days the-billing-service --secrets all " +
			"--keys get,list,update,create,import,delete,backup,restore,recover,purge,encrypt,decrypt",
	} {
		c.does(t, strings.Fields(line)...)
	}
	app := regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).FindString(
		c.does(t, "app", "show", "the-billing-service", "--format", "json"))
	node := regexp.MustCompile(`"node_id": "(.*)"`).FindStringSubmatch(
		c.does(t, "operator", "raft", "list-peers", "--format", "json"))[1]
	for line, whole := range map[string]string{
		"secret list": "Name", "secret list-versions " + long: "Version",
		"secret list-deleted": "Deleted",
		"secret show " + long: "owner=billing", "key list": "Enabled",
		"key show key-of-" + long: "EC P-256", "key list-deleted": "gone-key", "status": "voter",
		"vault list": "payments-of-the-old-days", "vault list --deleted": "attic-of-the-old-days",
		"vault show demo": "live", "app list": app, "app show the-billing-service": app,
		"grant list payments-of-the-old-days": app, "dev status": "unsealed",
		"operator status": "Leader", "operator raft list-peers": node, "version": "go1.",
		"operator rekey --status":          "Shares that unseal a node",
		"operator generate-root --status":  "Shares that are needed",
		"secret set in-the-open --value x": "Version", "plan": "(no region)",
		"plan --region eu,us,ap --trip eu-us=80ms,eu-ap=150ms,us-ap=150ms":            "1/1/1",
		"plan --region europe-west,america-east --trip europe-west-america-east=80ms": "mends that.",
	} {
		shown := c.sit(t, line).ends(0)
		if !shown.has(whole) {
			t.Errorf("%s: %s is not in one line:\n%s", line, whole, shown)
		}
	}
}

// TestColour: the header of a table is bold on a terminal that can show that, unless whoever sits
// there does not want it. A pipe gets text alone.
func TestColour(t *testing.T) {
	c := running(t)
	for settings, bold := range map[string]bool{
		"TERM=xterm": true, "NO_COLOR=1": false, "NO_COLOR=": true, "TERM=dumb": false,
	} {
		s := c.sit(t, "vault list", settings)
		s.ends(0)
		if strings.Contains(s.all(), "\x1b[1m") != bold || !bold && strings.Contains(s.all(), "\x1b") {
			t.Errorf("%s: %q", settings, s.all())
		}
	}
	if piped := c.does(t, "vault", "list"); strings.Contains(piped, "\x1b") {
		t.Errorf("in a pipe: %q", piped)
	}
}

// TestErrorsFit: the one line that a pipe gets is broken between words on a terminal.
func TestErrorsFit(t *testing.T) {
	c := running(t)
	for _, line := range []string{
		"vualt list", "secret shwo hello", "secret show no-such-secret --vault demo",
		"status --address https://127.0.0.1:1", "server --data d", "secret list --fromat json",
		"secret list --field nonsense", "grant set demo demo-app --secrets read",
		"run --env S=akv://demo/nothing -- true", "vault create demo",
	} {
		args := strings.Fields(line)
		piped := c.pipe(t.Context(), args...)
		if piped.code == 0 || strings.Count(piped.stderr, "\n") != 1 {
			t.Errorf("%s: exit code %d, not one line: %s", line, piped.code, piped.stderr)
		}
		shown := c.sit(t, line).ends(piped.code)
		if want := strings.Join(strings.Fields(piped.stderr), " "); shown.words() != want {
			t.Errorf("%s: shows\n%s\nand a pipe gets\n%s", line, shown, want)
		}
	}
}
