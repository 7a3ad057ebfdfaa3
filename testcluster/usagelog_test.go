package testcluster_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"keyquorum/testcluster"
)

// The usage log may stand on another disk than the data. Whoever deletes it stops the node: what
// can't be recorded is not served, and the log names the file, until an operator has it opened
// anew.
func TestNodeWithoutItsUsageLogServesNothing(t *testing.T) {
	logs := t.TempDir()
	usage := func(i int) string { return filepath.Join(logs, fmt.Sprintf("node%d.log", i)) }
	c := testcluster.Processes(t, 1, func(i int) []string { return []string{"--usage-log", usage(i)} })
	c.NewVault("demo")
	list := func() int { return c.Status(0, "GET", "/v1/keyquorum/vaults?list=true", nil) }
	if status := list(); status != http.StatusOK {
		t.Fatalf("with its usage log the node answers %d", status)
	}
	must(t, os.Remove(usage(0)))
	if status := list(); status != http.StatusInternalServerError {
		t.Errorf("without its usage log the node answers %d", status)
	}
	within(t, 3*time.Second, func() bool {
		log, err := os.ReadFile(c.Data(0) + ".log")
		return err == nil && strings.Contains(string(log), usage(0)+" was deleted")
	})
	must(t, syscall.Kill(c.PID(0), syscall.SIGHUP))
	within(t, 3*time.Second, func() bool { return list() == http.StatusOK })
	if b, err := os.ReadFile(usage(0)); err != nil || len(b) == 0 {
		t.Errorf("the new usage log holds %d bytes, %v", len(b), err)
	}
}

// within waits for what is to come soon.
func within(t *testing.T, limit time.Duration, come func() bool) {
	t.Helper()
	for end := time.Now().Add(limit); !come(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it did not come within %s", limit)
		}
	}
}
