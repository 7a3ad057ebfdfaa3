package dev

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhatAKilledProcessLeftIsRemoved: a folder without an owner goes, one with an owner stays.
func TestWhatAKilledProcessLeftIsRemoved(t *testing.T) {
	place := t.TempDir()
	first, releaseFirst, err := takeIn(place)
	if err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(filepath.Dir(string(first)), memoryPrefix+"left")
	if err := os.MkdirAll(filepath.Join(left, "node1"), 0o700); err != nil {
		t.Fatal(err)
	}
	second, releaseSecond, err := takeIn(place)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); err == nil {
		t.Error("what a killed process has left is still there")
	}
	for _, folder := range []Folder{first, second} {
		if _, err := folder.owner(); err != nil {
			t.Errorf("a folder that is in use: %v", err)
		}
	}
	releaseFirst()
	releaseSecond()
	if entries, err := os.ReadDir(place); err != nil || len(entries) != 0 {
		t.Errorf("after the last one ended there is %v, %v", entries, err)
	}
}

// TestMemoryIsNobodyElses: where everybody may write, somebody may have made our folder before us.
func TestMemoryIsNobodyElses(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"open to others": func(dir string) error { return os.Mkdir(dir, 0o755) },
		"a link":         func(dir string) error { return os.Symlink(t.TempDir(), dir) },
		"a file":         func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
	} {
		dir := filepath.Join(t.TempDir(), "home")
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		if err := ownDirectory(dir); err == nil {
			t.Errorf("%s: it was taken", name)
		}
	}
}

func TestSeedsAreRefusedWithASentence(t *testing.T) {
	for text, says := range map[string]string{
		`{"vault": []}`: `no member "vault"`,
		`{"secrets": [{"vault": "v", "name": "n", "valu": ""}]}`:     `no member "valu"`,
		`{"secrets": [{"vault": "v", "value": ""}]}`:                 "secrets[0] lacks a name",
		`{"keys": [{"vault": "v", "name": "n"}, {"name": "n"}]}`:     "keys[1] lacks a name",
		`{"grants": [{"vault": "v"}]}`:                               "grants[0] lacks a name",
		`{"keys": [{"vault": "v", "name": "n", "expires": "soon"}]}`: `"soon" is no time`,
		`{"keys": [{"vault": "v", "name": "n", "expires": 5}]}`:      "5 is no time",
		`{} {}`: "more follows",
		`null`:  "an object is wanted",
		`[]`:    "not the JSON of a seed",
		``:      "not the JSON of a seed",
	} {
		if _, err := parseSeed([]byte(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, which does not say %s", text, err, says)
		}
	}
}

func TestEnvironmentIsPrintedForPrograms(t *testing.T) {
	variables := []variable{{"A", "two words"}, {"B", "b=c"}}
	for name, want := range map[string]string{
		"export": "export A='two words'\nexport B=b=c\n",
		"env":    "A=two words\nB=b=c\n",
		"json":   "{\n  \"A\": \"two words\",\n  \"B\": \"b=c\"\n}\n",
	} {
		if got := printings[name](variables); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestOnlyADevClustersFilesAreReplaced: what a killed cluster has left may be written over.
func TestOnlyADevClustersFilesAreReplaced(t *testing.T) {
	folder := Folder(t.TempDir())
	if err := folder.EnsureCertificates(time.Now()); err != nil {
		t.Fatal(err)
	}
	env := folder.Path("env")
	if err := os.WriteFile(env, []byte(exports([]variable{{"KEYQUORUM_DEV_DIR", "/x"}})),
		0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		file string
		ours func([]byte) bool
		may  bool
	}{
		{env, isEnvironment, true}, {folder.Path("ca.pem"), isAuthority, true},
		{folder.Path("nothing"), isEnvironment, true}, {"", isAuthority, true},
		{env, isAuthority, false}, {folder.Path("tls.pem"), isAuthority, false},
		{folder.Path("ca.pem"), isEnvironment, false},
	} {
		if err := mayReplace("env-file", row.file, row.ours); (err == nil) != row.may {
			t.Errorf("%s: %v, want that it may be replaced: %v", row.file, err, row.may)
		}
	}
}
