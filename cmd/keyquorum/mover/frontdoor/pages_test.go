package frontdoor

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// blocks are what a page asks a reader to type in order to move, as one script for each block.
func blocks(t *testing.T, page string) (all []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("../../../../docs", page))
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile("(?ms)^```sh import\n(.*?)^```$").
		FindAllStringSubmatch(string(text), -1) {
		all = append(all, match[1])
	}
	if len(all) != 2 {
		t.Fatalf("%s has %d blocks to run", page, len(all))
	}
	return all
}

// shell runs a script as a reader's shell does, stopping at the first command that fails.
func (e environment) shell(t *testing.T, script string) string {
	t.Helper()
	cmd := e.command(t.Context())
	sh := exec.CommandContext(t.Context(), "sh", "-ec", script)
	sh.Dir = t.TempDir()
	sh.Env = append(cmd.Env, "PATH="+filepath.Dir(program)+":"+os.Getenv("PATH"))
	o := ended(t, sh)
	if o.code != 0 {
		t.Fatalf("%s\nexit code %d, %s%s", script, o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// TestPageFromAzure does what docs/from-azure.md says, word for word but for the source.
func TestPageFromAzure(t *testing.T) {
	source, to := cluster(t, "--vault=payments"), cluster(t, "--vault=payments")
	source.set(t, "db-password", "secret")
	source.must(t, "key", "create", "signer", "--kty", "EC")
	e, script := source.from(to), blocks(t, "from-azure.md")
	here := strings.NewReplacer("--from payments", "--from "+source.url())
	if said := e.shell(t, here.Replace(script[0])); !strings.Contains(said,
		"The same command with --apply does it.") {
		t.Errorf("the first block says %s", said)
	}
	if said := e.shell(t, here.Replace(script[1])); !strings.Contains(said, "1 moved, 1 stays") ||
		!strings.Contains(said, "db-password  yes") {
		t.Errorf("the second block says %s", said)
	}
}

// TestPageFromVault does what docs/from-vault.md says, word for word but for the address.
func TestPageFromVault(t *testing.T) {
	forEach(t, func(t *testing.T, s *server, e environment) {
		s.put(t, "payments/db", map[string]any{"password": "secret"})
		s.do(t, http.MethodPost, "transit/keys/orders", map[string]any{"exportable": true})
		sealed := s.do(t, http.MethodPost, "transit/encrypt/orders",
			map[string]any{"plaintext": "Zm9yIFZhdWx0"})["ciphertext"].(string)
		to := cluster(t, "--vault=payments")
		e = s.from(to).with("ciphertext", sealed)
		script := blocks(t, "from-vault.md")
		said := e.shell(t, strings.ReplaceAll(script[0], "https://vault.example.org:8200", s.address))
		if strings.Count(said, "1 moved; 1 version added.") != 2 {
			t.Errorf("the first block says %s", said)
		}
		if v := e.show(t, "secret", "db-password").Value; v != "secret" {
			t.Errorf("the secret is %q", v)
		}
		if said := e.shell(t, script[1]); said != "for Vault" {
			t.Errorf("the second block says %q", said)
		}
	})
}
