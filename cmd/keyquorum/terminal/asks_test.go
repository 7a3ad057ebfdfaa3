package terminal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// nobodySees ends a sitting in which something was typed that must not be shown.
func nobodySees(t *testing.T, s *sitting, typed string, code int) *screen {
	t.Helper()
	shown := s.ends(code)
	if strings.Contains(s.all(), typed) {
		t.Errorf("%v: what was typed is shown:\n%s", s.cmd.Args[1:], shown)
	}
	if !s.echoes() {
		t.Errorf("%v: the terminal hides what is typed after the end", s.cmd.Args[1:])
	}
	return shown
}

// TestASecretIsTypedUnseen, at once after the prompt, as who pastes does.
func TestASecretIsTypedUnseen(t *testing.T) {
	c := running(t)
	s := c.sit(t, "secret set typed --vault demo")
	s.await("Value (will be hidden): ")
	s.types("correct horse\n")
	nobodySees(t, s, "correct horse", 0)
	if got := c.does(t, "secret", "show", "typed", "--field", "value"); got != "correct horse" {
		t.Errorf("what was typed is kept as %q", got)
	}
	s = c.sit(t, "secret set nothing --vault demo")
	s.await("Value (will be hidden): ")
	s.types("\n")
	if shown := s.ends(1); !shown.has("no value was given") {
		t.Errorf("an empty line:\n%s", shown)
	}
}

// TestAnInterruptedPromptGivesTheEchoBack: the next command would be typed unseen.
func TestAnInterruptedPromptGivesTheEchoBack(t *testing.T) {
	c := running(t)
	s := c.sit(t, "secret set interrupted --vault demo")
	s.await("Value (will be hidden): ")
	if s.echoes() {
		t.Fatal("the prompt is shown before what is typed is hidden")
	}
	s.types("half a sec\x03")
	nobodySees(t, s, "half", -1)
	status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || status.Signal() != syscall.SIGINT {
		t.Errorf("it ends with %v", s.cmd.ProcessState)
	}
}

// TestLoginAsksForTheClientSecret, and keeps it where only its owner reads it.
func TestLoginAsksForTheClientSecret(t *testing.T) {
	c := running(t)
	configuration := filepath.Join(t.TempDir(), "config")
	s := c.sit(t, "login", "XDG_CONFIG_HOME="+configuration)
	s.await("Client secret (will be hidden): ")
	s.types(c.environment["AZURE_CLIENT_SECRET"] + "\n")
	shown := nobodySees(t, s, c.environment["AZURE_CLIENT_SECRET"], 0)
	if !shown.has("Logged in as " + c.environment["AZURE_CLIENT_ID"]) {
		t.Errorf("what login says:\n%s", shown)
	}
	info, err := os.Stat(filepath.Join(configuration, "keyquorum", "login.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the login: %v, %v", info, err)
	}
	s = c.sit(t, "login", "XDG_CONFIG_HOME="+configuration)
	s.await("Client secret (will be hidden): ")
	s.types("a wrong secret\n")
	if shown := nobodySees(t, s, "a wrong secret", 2); !shown.has("no token from") {
		t.Errorf("a wrong secret:\n%s", shown)
	}
}

// TestSharesAreTypedUnseen: a node that is sealed says so and what to do, until it has its shares.
func TestSharesAreTypedUnseen(t *testing.T) {
	c := running(t)
	at := " --address " + c.node(t, 3)
	if shown := c.sit(t, "operator seal"+at).ends(0); !shown.has("Sealed: ") {
		t.Errorf("what seal says:\n%s", shown)
	}
	if shown := c.sit(t, "operator status"+at).ends(2); !strings.Contains(shown.words(),
		"Sealed: give this node 3 of its unseal shares (bin/keyquorum operator unseal).") {
		t.Errorf("the status of a sealed node:\n%s", shown)
	}
	if shown := c.sit(t, "secret list").ends(0); !shown.has("Name") {
		t.Errorf("the others serve:\n%s", shown)
	}
	for i, share := range c.shares(t) {
		s := c.sit(t, "operator unseal"+at)
		s.await("Unseal share (will be hidden): ")
		s.types(share + "\n")
		says := []string{"Sealed: give this node", "Sealed: give this node", "Unsealed: "}[i]
		if shown := nobodySees(t, s, share, 0); !shown.has(says) {
			t.Errorf("after share %d it does not say %q:\n%s", i+1, says, shown)
		}
	}
}

// TestSharesOfACeremonyAreTypedUnseen, and what is typed to decode a token.
func TestSharesOfACeremonyAreTypedUnseen(t *testing.T) {
	c := running(t)
	begun := c.sit(t, "operator generate-root --init").ends(0)
	otp := regexp.MustCompile(`One-Time Password: (\S+)`).FindStringSubmatch(begun.words())
	if otp == nil || !begun.has("Next, bin/keyquorum operator generate-root takes 3") {
		t.Fatalf("what is said first:\n%s", begun)
	}
	var shown *screen
	for _, share := range c.shares(t) {
		s := c.sit(t, "operator generate-root")
		s.await("Unseal share (will be hidden): ")
		s.types(share + "\n")
		shown = nobodySees(t, s, share, 0)
	}
	masked := regexp.MustCompile(`Encoded Token: (\S+)`).FindStringSubmatch(shown.words())
	if masked == nil {
		t.Fatalf("what is said at the end:\n%s", shown)
	}
	s := c.sit(t, "operator generate-root --decode")
	s.await("Encoded token (will be hidden): ")
	s.types(masked[1] + "\n")
	s.await("One-time password (will be hidden): ")
	s.types(otp[1] + "\n")
	if shown := nobodySees(t, s, otp[1], 0); !shown.has("kq.") {
		t.Errorf("no token:\n%s", shown)
	}
}

// TestQuestions: before what is for good whoever sits at a terminal is asked, and nothing is done
// unless the answer is yes. Who says --yes is not, nor a script.
func TestQuestions(t *testing.T) {
	c := running(t)
	for _, row := range []struct {
		prepare []string
		line    string
		asks    string
	}{
		{[]string{"secret set %s --value x", "secret delete %s"}, "secret purge %s",
			"The deleted secret %s and all its versions will be gone for ever."},
		{[]string{"key create %s --kty EC", "key delete %s"}, "key purge %s",
			"The deleted key %s and all its versions will be gone for ever."},
		{[]string{"vault create %s", "vault delete %s"}, "vault purge %s",
			"The vault %s and all that was in it will be gone for ever."},
		{[]string{"app create %s"}, "app delete %s", "The application %s, its client secrets and"},
	} {
		named := func(line, name string) string { return strings.ReplaceAll(line, "%s", name) }
		for _, name := range []string{"asked", "unasked", "in-a-script"} {
			for _, line := range row.prepare {
				c.does(t, strings.Fields(named(line, name))...)
			}
		}
		asked := named(row.line, "asked")
		for _, answer := range []string{"no\n", "\n", "y\n", "\x04"} {
			s := c.sit(t, asked)
			s.await("Type yes to go on: ")
			s.types(answer)
			shown := s.ends(1)
			if !shown.has("nothing was done") || !shown.has(named(row.asks, "asked")) {
				t.Errorf("%s, answered %q:\n%s", asked, answer, shown)
			}
		}
		s := c.sit(t, asked)
		s.await("Type yes to go on: ")
		s.types("yes\n")
		s.ends(0)
		if shown := c.sit(t, named(row.line, "unasked")+" --yes").ends(0); shown.has("Type yes") {
			t.Errorf("%s asks in spite of --yes:\n%s", row.line, shown)
		}
		c.does(t, strings.Fields(named(row.line, "in-a-script"))...)
	}
	c.does(t, "app", "create", "revoked")
	id := regexp.MustCompile(`"id": "(.*)"`).FindStringSubmatch(
		c.does(t, "app", "credential", "add", "revoked", "--format", "json"))[1]
	s := c.sit(t, "app credential remove revoked "+id)
	s.await("Type yes to go on: ")
	s.types("no\n")
	s.ends(1)
	c.does(t, "app", "credential", "remove", "revoked", id)
	for _, line := range []string{"operator raft remove-peer node2",
		"operator raft replace node2 https://127.0.0.1:1"} {
		s = c.sit(t, line)
		s.await("Type yes to go on: ")
		s.types("no\n")
		s.ends(1)
	}
	if peers := c.does(t, "operator", "raft", "list-peers"); !strings.Contains(peers, "node2") {
		t.Errorf("it was removed all the same:\n%s", peers)
	}
}
