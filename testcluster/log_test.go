package testcluster_test

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"
	"time"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// A node that is stopped in order logs no error, as text or as JSON, and a peer that is dead makes
// the others log a few lines and not one for each call.
func TestLogsStayShort(t *testing.T) {
	heavy.Test(t)
	c := testcluster.Processes(t, 3, func(i int) []string {
		if i == 2 {
			return []string{"--log-format", "json"}
		}
		return nil
	})
	logOf := func(i int) []byte {
		b, err := os.ReadFile(c.Data(i) + ".log")
		must(t, err)
		return b
	}
	c.Stop(2)
	for line := range bytes.Lines(logOf(2)) {
		var said struct {
			Level   string `json:"@level"`
			Message string `json:"@message"`
		}
		if err := json.Unmarshal(line, &said); err != nil || said.Message == "" || said.Level == "error" {
			t.Errorf("node 2 logged %s", line)
		}
	}
	time.Sleep(12 * time.Second)
	for i := range 2 {
		if n := bytes.Count(logOf(i), []byte("[ERROR]")); n > 25 {
			t.Errorf("with one peer gone for 12 s node %d logged %d errors", i, n)
		}
	}
}
