package main

import (
	"strings"
	"testing"
)

// TestCompletion holds what a shell offers where nobody has to be asked. The lines are those of
// bash, zsh and fish alike: all three ask the program.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	var got strings.Builder
	for _, line := range []string{
		"", "s", "secret ", "secret s", "key r", "operator ", "operator raft ", "operator rotate ",
		"app ", "app credential ", "dev ", "help ", "help operator ", "completion ",
		"secret set --", "secret show --", "key create --", "key sign --", "vault create --",
		"status --", "run --", "dev --", "server --log", "prove --",
		"secret list --format ", "vault list --format ", "key create k --kty ", "key create k --curve ",
		"key sign k --algorithm ", "key download k --as ", "secret set s --encoding ",
		"dev --print ", "server --log-level ", "server --log-format ",
		"secret set s --file ", "status --ca-cert ", "server --data ", "server --config ",
		"run -- ", "dev exec -- ", "vault list ", "vault show ", "secret show ", "login ",
		"secret list --vault ", "run --vault ", "no-such-command ",
	} {
		got.WriteString(completed(t, line, func(args ...string) outcome {
			return ended(t, alone(t.Context(), dir, args...))
		}))
	}
	golden(t, "completion.txt", got.String())
}

// completed is what is offered after a line, and whether names of files are.
func completed(t *testing.T, line string, run func(args ...string) outcome) string {
	t.Helper()
	words := strings.Split(line, " ") // the last one is begun, or empty
	o := run(append([]string{"__complete"}, words...)...)
	if o.code != 0 {
		t.Errorf("%s: exit code %d, %s", line, o.code, o.stderr)
	}
	offered, directive, _ := strings.Cut("\n"+o.stdout, "\n:")
	text := "keyquorum " + line + "⇥" + strings.ReplaceAll(offered, "\n", "\n    ") + "\n"
	switch strings.TrimSpace(directive) {
	case "4": // these alone
	case "0":
		text += "    (files)\n"
	case "16":
		text += "    (folders)\n"
	default:
		t.Errorf("%s: the directive %q", line, directive)
	}
	return text
}

// TestCompletionAsksTheNodes holds what is offered of vaults, objects, applications and members.
func TestCompletionAsksTheNodes(t *testing.T) {
	p := detached(t, "--nodes=1",
		"--seed="+absolute(t, "testdata/names.json"))
	if o := p.call(t, "vault", "delete", "attic"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	if o := p.call(t, "secret", "delete", "old-secret"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	var got strings.Builder
	for _, line := range []string{
		"secret show ", "secret show db", "secret recover ", "key sign ", "key show ",
		"secret list --vault ", "secret show --vault payments ", "run --vault ",
		"vault show ", "vault recover ", "grant set ", "grant set payments ", "grant list p",
		"app show ", "app credential add b", "operator raft remove-peer ", "dev restart ",
	} {
		got.WriteString(completed(t, line, func(args ...string) outcome {
			return p.call(t, args...)
		}))
	}
	golden(t, "completion-names.txt", got.String())
}
