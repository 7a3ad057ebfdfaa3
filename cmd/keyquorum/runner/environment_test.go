package runner

import (
	"strings"
	"testing"
)

func TestVariablesOfAFile(t *testing.T) {
	all, err := readVariables([]byte("# a comment\n\nexport A=plain words # and more\nB='it # stays $HOME'\n" +
		`C="a\tb\n\"c\\n\"" # d` +
		"\nD=\nE=akv://demo/hello\nF=https://demo.vault.x/secrets/a\nG=https://demo.vault.x/other/a\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"A": "plain words", "B": "it # stays $HOME", "C": "a\tb\n\"c\\n\"",
		"D": "",
		"G": "https://demo.vault.x/other/a"}
	for _, v := range all {
		text, plain := want[v.name]
		if plain != (v.reference == nil) || plain && v.value != text {
			t.Errorf("%s is %q, a reference: %v; want %q", v.name, v.value, v.reference, text)
		}
	}
	if len(all) != 7 {
		t.Errorf("%d variables of 7", len(all))
	}
}

func TestFilesThatAreWrongNameTheLine(t *testing.T) {
	for text, says := range map[string]string{
		"A=1\nB":             "line 2",
		"1A=topsecret":       "line 1",
		"A=\"topsecret":      "line 1",
		"A='topsecret' more": "line 1",
		"A=akv://topsecret!": "line 1",
	} {
		_, err := readVariables([]byte(text))
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, which does not say %q", text, err, says)
			continue
		}
		if strings.Contains(err.Error(), "topsecret") {
			t.Errorf("%q: %v, which shows it", text, err)
		}
	}
}

func TestLaterVariablesWin(t *testing.T) {
	all, err := gather([]string{"A=1", "B=1", "R=akv://demo/hello"},
		[]assignment{{"A=first", false}, {"A=second", false}})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, v := range all {
		names = append(names, v.name)
		if v.name == "A" && (v.reference == nil || v.reference.Name != "second") {
			t.Errorf("A is %+v", v.reference)
		}
		if v.name == "R" && v.reference == nil {
			t.Error("a reference in the environment is none")
		}
	}
	if strings.Join(names, "") != "BRA" {
		t.Errorf("the variables are %v", names)
	}
}

// FuzzVariables: whatever a file holds, it is read or refused on one line that names a line.
func FuzzVariables(f *testing.F) {
	f.Add([]byte("A=1\nexport B='x' # y\nC=\"a\\\"b\"\nD=akv://demo/x"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := readVariables(text)
		if err != nil && (strings.ContainsAny(err.Error(), "\n\r") || len(all) > 0) {
			t.Errorf("%q is refused with %q", text, err)
		}
		for _, v := range all {
			if !variableName.MatchString(v.name) {
				t.Errorf("a variable is called %q", v.name)
			}
		}
	})
}
