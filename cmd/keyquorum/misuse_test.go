package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// misuse are calls that cannot work, under headings; a word before keyquorum is set in the
// environment. What is said is one line each: what is wrong, and what to do.
var misuse = []struct {
	about string
	lines []string
}{
	{"commands that are not there", []string{
		"keyquorum frobnicate", "keyquorum statsu", "keyquorum vualt list", "keyquorum vault lst",
		"keyquorum vault get demo --format json", "keyquorum secret", "keyquorum secret shwo hello",
		"keyquorum secret get hello --vault demo", "keyquorum operator raft joins --retry",
		"keyquorum operator frobnicate", "keyquorum operator rotate tokens", "keyquorum dev statsu",
		"keyquorum unseal", "keyquorum join", "keyquorum raft list-peers", "keyquorum list",
		"keyquorum help vault lst", "keyquorum help frobnicate", "keyquorum app credential show",
	}},
	{"flags that are not there", []string{
		"keyquorum --address https://127.0.0.1:1 status", "keyquorum operator --format json",
		"keyquorum --nonsense", "keyquorum vault --nonsense", "keyquorum vault list --nonsense",
		"keyquorum secret show hello --valut demo", "keyquorum status --json", "keyquorum dev --node 3",
		"keyquorum server --dat d", "keyquorum run --envfile .env -- true", "keyquorum prove -x",
	}},
	{"too few arguments, or too many", []string{
		"keyquorum vault create", "keyquorum vault list demo", "keyquorum grant set demo",
		"keyquorum app credential remove billing", "keyquorum secret show", "keyquorum secret set a b",
		"keyquorum key random", "keyquorum login a b", "keyquorum operator unseal a b",
		"keyquorum operator raft join", "keyquorum dev restart", "keyquorum dev exec", "keyquorum run",
		"keyquorum run true", "keyquorum completion bash now", "keyquorum version 2",
	}},
	{"values of flags that are none", []string{
		"keyquorum version --format xml", "keyquorum secret list --format yaml",
		"keyquorum secret list --format", "keyquorum key random 4 --format toml",
		"keyquorum app credential add billing --ttl 30d",
		"keyquorum app credential add billing --ttl soon",
		"keyquorum vault create demo --retention-days many", "keyquorum key create k --size big",
		"keyquorum server --data d --tls-cert c --tls-key k --disk-reserve 1GB",
		"keyquorum server --data d --tls-cert c --tls-key k --log-level loud",
		"keyquorum server --data d --tls-cert c --tls-key k --log-format xml",
		"keyquorum server --data d --tls-cert c --tls-key k --listen 0.0.0.0:8200",
		"keyquorum server --data d --tls-cert c --tls-key k --zone vault.test",
		"keyquorum dev --print xml", "keyquorum dev --nodes 1", "keyquorum dev --memory --nodes 2",
		"keyquorum dev --port -1", "keyquorum plan --region eu,us --trip eu-us=soon",
		"keyquorum prove --time soon", "keyquorum prove --vault x", "keyquorum prove --clients 0",
		"keyquorum run --watch --watch-interval 1ms -- true",
		"keyquorum run --watch-signal LOUD -- true",
	}},
	{"arguments that are none", []string{
		vaultURL + " keyquorum secret show two_words", vaultURL + " keyquorum secret show akv://demo",
		vaultURL + " keyquorum secret show https://demo.vault.test/keys/k",
		vaultURL + " keyquorum secret show hello --version latest",
		vaultURL + " keyquorum key random 500",
		"keyquorum secret list --vault no_name", "keyquorum secret list --vault http://demo.vault.test",
		"keyquorum run --env PASSWORD -- true", "keyquorum run --env PASSWORD=two_words -- true",
		"keyquorum restore-object hello --vault demo --snapshot backup.snap",
		"keyquorum restore-object secrets/hello --vault demo --snapshot nothing.snap",
		"keyquorum run --env-file nothing.env -- true",
	}},
	{"things that are asked for", []string{
		"keyquorum restore-object secrets/hello --snapshot backup.snap",
		"keyquorum restore-object secrets/hello --vault demo",
		"keyquorum server", "keyquorum server --data d", "keyquorum secret list",
		"keyquorum secret list --vault demo", vaultURL + " keyquorum secret list",
		vaultURL + " AZURE_CLIENT_SECRET=x keyquorum secret list", "keyquorum login",
		"keyquorum login CLIENT_ID", application + " keyquorum secret set hello --value x --file f",
		application + " keyquorum secret set hello --file nothing",
		application + " keyquorum secret set-attributes hello",
		application + " keyquorum secret backup hello", application + " keyquorum secret restore",
		application + " keyquorum key import k", application + " keyquorum key verify k",
		"keyquorum grant set demo billing", "keyquorum operator unseal",
		"keyquorum dev status", "keyquorum dev stop", "keyquorum dev exec -- true",
		"keyquorum dev restart 1",
	}},
	{"addresses and certificates", []string{
		"keyquorum status --address https://127.0.0.1:1",
		"keyquorum operator seal --address https://127.0.0.1:1",
		"keyquorum operator status --address https://127.0.0.1:1",
		"KEYQUORUM_ADDR=https://127.0.0.1:1 keyquorum vault list",
		"keyquorum plan --address https://127.0.0.1:1", "keyquorum prove --address https://127.0.0.1:1",
		"keyquorum status --address 127.0.0.1:8200", "keyquorum status --address http://127.0.0.1:8200",
		"keyquorum status --address https://", "keyquorum status --ca-cert nothing.pem",
		"KEYQUORUM_CACERT=nothing.pem keyquorum vault list", "keyquorum status --ca-cert text",
		application + " keyquorum secret list",
		application + " keyquorum secret list --ca-cert nothing.pem",
		application + " keyquorum secret list --ca-cert text",
		vaultURL + " keyquorum login CLIENT_ID --secret-file text --authority https://127.0.0.1:1",
		"keyquorum operator raft join https://127.0.0.1:1 --leader-ca-cert @nothing.pem",
		"keyquorum server --data d --tls-cert nothing.pem --tls-key nothing.pem --zone a.b=c.d",
		"keyquorum server --config nothing.json", "keyquorum server --config text",
		"keyquorum server --config text --check",
	}},
}

const (
	vaultURL    = "KEYQUORUM_VAULT_URLS=https://demo.vault.localhost:1"
	application = vaultURL + " AZURE_TENANT_ID=adfs AZURE_CLIENT_ID=id AZURE_CLIENT_SECRET=x " +
		"AZURE_AUTHORITY_HOST=https://login.localhost:1"
)

// TestMisuse holds what is said of calls that cannot work, wherever that can be said without a
// node.
func TestMisuse(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "text"), []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, part := range misuse {
		fmt.Fprintf(&got, "# %s\n\n", part.about)
		for _, line := range part.lines {
			got.WriteString(misused(t, dir, line, nil))
		}
	}
	golden(t, "misuse.txt", got.String())
}

// misused is a call and what it says.
func misused(t *testing.T, dir, line string, more []string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	environment, args, _ := strings.Cut(line, "keyquorum")
	cmd := alone(ctx, dir, strings.Fields(args)...)
	cmd.Env = append(append(cmd.Env, more...), strings.Fields(environment)...)
	o := ended(t, cmd)
	if o.code == 0 && !strings.HasSuffix(line, "keyquorum secret") {
		t.Errorf("%s: it works", line)
	}
	said := o.stderr
	if o.complaint() == "" && said != "" {
		t.Errorf("%s: this is not one line that says what is wrong:\n%s", line, said)
	}
	if o.stdout != "" {
		said = strings.SplitAfter(o.stdout, "\n")[0] + "…\n" + said
	}
	return fmt.Sprintf("$ %s\n%sexit code %d\n\n", shortLine.Replace(line), anonymous(said, dir),
		o.code)
}

// alone is a call in an environment that knows nobody: no login, no vault, no application.
func alone(ctx context.Context, dir string, args ...string) *exec.Cmd {
	cmd := keyquorum(ctx, dir, args...)
	cmd.Env = []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH")}
	return cmd
}

// shortLine has the settings of an application at one word.
var shortLine = strings.NewReplacer(application, "(an application's environment)", vaultURL,
	"(the URL of a vault)")

var (
	ports  = regexp.MustCompile(`(127\.0\.0\.1|localhost):[0-9]{4,5}`)
	ids    = regexp.MustCompile(`\b[0-9a-f]{32}\b`)
	clocks = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[^ ]*`)
)

// anonymous leaves out what is of this machine and this moment.
func anonymous(said, dir string) string {
	said = strings.ReplaceAll(said, dir, "/home/you")
	said = ports.ReplaceAllString(said, "$1:PORT")
	said = ids.ReplaceAllString(said, "ID")
	return clocks.ReplaceAllString(said, "TIME")
}

// TestMisuseOfANode holds what a node, or a vault, refuses.
func TestMisuseOfANode(t *testing.T) {
	p := detached(t, "--nodes=1", "--seed="+absolute(t, "testdata/names.json"))
	var environment []string
	for name, value := range p.environment {
		environment = append(environment, name+"="+value)
	}
	stranger := devCertificates(t, time.Now()).Path("ca.pem")
	var got strings.Builder
	for _, line := range []string{
		"keyquorum status --ca-cert " + stranger, "keyquorum secret list --ca-cert " + stranger,
		"KEYQUORUM_TOKEN= BAO_TOKEN= VAULT_TOKEN= keyquorum vault list",
		"KEYQUORUM_TOKEN=wrong keyquorum vault list", "AZURE_CLIENT_SECRET=wrong keyquorum secret list",
		"keyquorum vault create x", "keyquorum vault create demo", "keyquorum vault show nothing",
		"keyquorum vault update demo", "keyquorum vault purge demo",
		"keyquorum vault create days --retention-days 3",
		"keyquorum app show nobody", "keyquorum app create billing",
		"keyquorum grant set nothing billing --secrets get",
		"keyquorum grant set demo nobody --secrets get",
		"keyquorum grant set demo billing --secrets read",
		"keyquorum operator init", "keyquorum operator raft remove-peer node9",
		"keyquorum operator raft remove-peer node1 --yes", "keyquorum operator step-down",
		"keyquorum secret show nothing", "keyquorum secret show hello --vault nothing",
		"keyquorum secret show hello --version 0123456789abcdef0123456789abcdef",
		"keyquorum secret recover nothing", "keyquorum secret list-versions nothing",
		"keyquorum secret list --field nonsense", "keyquorum secret list --format env",
		"keyquorum key create k --kty EG", "keyquorum key create k --kty EC --curve P-257",
		"keyquorum key create k --kty RSA --size 1000",
		"keyquorum key sign signer --algorithm RS256 --file text",
		"keyquorum key sign signer --algorithm nonsense --file text",
		"keyquorum key encrypt signer --file text",
		"keyquorum key rotation-policy signer --rotate-after 30d",
		"keyquorum dev restart 4", "keyquorum dev exec --node 4 -- true",
		"keyquorum run --env S=akv://demo/nothing -- true",
		"keyquorum run --env S=hello -- no-such-program", "keyquorum prove --node https://127.0.0.1:1",
	} {
		got.WriteString(strings.ReplaceAll(misused(t, p.dir, line, environment), stranger, "other.pem"))
	}
	golden(t, "misuse-of-a-node.txt", got.String())
}
