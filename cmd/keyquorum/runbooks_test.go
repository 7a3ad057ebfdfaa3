package main

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"keyquorum/cmd/keyquorum/console"
)

// ofTheSystem are the programs of the system that runbooks call.
var ofTheSystem = []string{
	"chronyc", "df", "export", "iostat", "journalctl", "ls", "openssl", "read", "systemctl",
	"timedatectl",
}

// TestCommandsOfRunbooksAreThere: whoever is woken by an alert copies a command, so each is one of
// ours with arguments and flags that it takes, or one of the system's.
func TestCommandsOfRunbooksAreThere(t *testing.T) {
	page, err := os.ReadFile("../../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, block := range regexp.MustCompile("(?ms)^ *```sh\n(.*?)^ *```$").FindAllStringSubmatch(
		string(page), -1) {
		for line := range strings.Lines(strings.ReplaceAll(block[1], "\\\n", " ")) {
			words := strings.Fields(strings.Replace(line, "sudo -u keyquorum ", "", 1))
			if words[0] != "keyquorum" {
				if !slices.Contains(ofTheSystem, words[0]) {
					t.Errorf("docs/runbooks.md calls %s", words[0])
				}
				continue
			}
			ours++
			if err := takes(words[1:]); err != nil {
				t.Errorf("docs/runbooks.md: %s: %v", strings.TrimSpace(line), err)
			}
		}
	}
	if ours < 20 {
		t.Errorf("the page has %d commands of ours", ours)
	}
	if takes([]string{"operator", "raft", "remove-peer"}) == nil ||
		takes([]string{"status", "--x"}) == nil {
		t.Error("every command is taken")
	}
}

// takes says why the program would not begin a call, nil if it would.
func takes(args []string) error {
	root := newRoot("keyquorum")
	c, rest, err := root.Find(console.DoubleDashes(root, args))
	if err != nil {
		return err
	}
	if err := c.ParseFlags(rest); err != nil {
		return err
	}
	return c.ValidateArgs(c.Flags().Args())
}
