package audit_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"keyquorum/audit"
)

// TestQuestionsOfTheSecurityOfficer asks a usage log what docs/security-officer.md asks, word for
// word.
func TestQuestionsOfTheSecurityOfficer(t *testing.T) {
	for _, tool := range []string{"sh", "jq"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("there is no %s on this machine", tool)
		}
	}
	text, err := os.ReadFile(filepath.Join("..", "docs", "security-officer.md"))
	if err != nil {
		t.Fatal(err)
	}
	var answers []string
	folder := someUses(t)
	for _, match := range regexp.MustCompile("(?ms)^```sh usage\n(.*?)^```$").FindAllSubmatch(text,
		-1) {
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", string(match[1]))
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s\nfailed (%v): %s", match[1], err, out)
		}
		answers = append(answers, strings.Join(strings.Fields(string(out)), " "))
	}
	wanted := []string{
		"2026-03-01T12:00:00.000000Z billing-id 10.0.0.7:1",
		"1 billing-id secrets/set payments db",
		"2026-03-01T12:00:00.000000Z admin/grants/set payments billing-id keys=sign secrets=get",
	}
	if strings.Join(answers, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("the page's questions are answered\n%s\nwant\n%s", strings.Join(answers, "\n"),
			strings.Join(wanted, "\n"))
	}
}

// someUses is a folder with a usage log in which each question of the page has one answer, among
// lines that are none.
func someUses(t *testing.T) (folder string) {
	t.Helper()
	folder = t.TempDir()
	l, err := audit.Open(filepath.Join(folder, "audit.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []audit.Entry{
		{Plane: "operator", Operation: "admin/grants/set", Vault: "payments", SubjectAppID: "billing-id",
			Detail: "keys=sign secrets=get", Status: 200},
		{Plane: "app", Remote: "10.0.0.7:1", Operation: "keys/sign", Status: 401, Vault: "payments",
			Object: "signer"},
		{Plane: "app", AppID: "billing-id", Remote: "10.0.0.7:1", Operation: "keys/sign", Status: 200,
			Vault: "payments", Object: "signer", Version: "v1"},
		{Plane: "app", AppID: "billing-id", Operation: "keys/sign", Status: 200, Vault: "other",
			Object: "signer"},
		{Plane: "app", AppID: "billing-id", Operation: "secrets/set", Status: 403, Vault: "payments",
			Object: "db"},
	} {
		e.Time = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		if err := l.Write(&e); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return folder
}
