package lease_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestRules plays testdata/*.txt: a script for each rule of the protocol.
func TestRules(t *testing.T) {
	scripts, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, name := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".txt"), func(t *testing.T) {
			script, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, wrong := range play(string(script)) {
				t.Errorf("%s: %s", name, wrong)
			}
		})
	}
}

// Each rule of doc.go's table has a script, which begins with the rule and what breaks without it.
func TestEachRuleHasItsScript(t *testing.T) {
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	rules := regexp.MustCompile(`(?m)^//\t(L\d+|O|F\d)  `).FindAllStringSubmatch(string(doc), -1)
	if len(rules) < 17 {
		t.Errorf("doc.go's table has %d rules", len(rules))
	}
	for _, rule := range rules {
		script, err := os.ReadFile(filepath.Join("testdata", rule[1]+".txt"))
		head := strings.ReplaceAll(comment.FindString(string(script)), "\n# ", " ")
		if err != nil || !strings.HasPrefix(head, "# "+rule[1]+": ") ||
			!strings.Contains(head, " Without it ") {
			t.Errorf("the script of %s (%v) begins with %q", rule[1], err, head)
		}
	}
}

var comment = regexp.MustCompile(`^(#.*\n)+`)

// A script that is not understood, or whose outcomes are others, must not pass.
func TestScriptsAreHeldToTheirWords(t *testing.T) {
	const begin = "voters n0 n1\nn0 is elected in term 1\n"
	for script, says := range map[string]string{
		begin + "n0's E is 0":                        "",
		begin + "n0's E is 1":                        "but it is: 0",
		begin + "n0's E is high":                     "but it is: 0",
		begin + "n1 may read":                        "but it is: may not",
		begin + "n1 checks in with n0: granted 1ms":  "but it is: no answer",
		begin + "n1 checks in with n0":               "nobody knows what that means",
		begin + "n1 checks in with n0: no answer, ":  "but it is: no answer",
		begin + "n1 dances":                          "nobody knows what that means",
		begin + "n1 may read tomorrow":               "nobody knows what that means",
		begin + "n7 may read":                        "there is no member n7",
		begin + "a is heard":                         "nil pointer",
		begin:                                        "nothing that could be wrong",
		begin + "at 100ms\nat 50ms\nn1 may not read": "time does not go back",
	} {
		wrong := strings.Join(play(script), "\n")
		if (says == "") != (wrong == "") || !strings.Contains(wrong, says) {
			t.Errorf("%q: %q, want %q", script, wrong, says)
		}
	}
}
