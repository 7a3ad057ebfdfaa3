package testcluster_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"keyquorum/testcluster"
)

// A leader whose disk hangs can neither write nor step down. It falls silent, and another takes
// over; when its disk goes on it follows.
func TestLeaderWithAHangingDiskIsReplaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3)
		c.NewVault("demo")
		old := c.Leader()
		c.HangDisk(old)
		begun := time.Now()
		next := (old + 1) % 3
		c.Call(next, "POST", "/v1/keyquorum/apps", map[string]string{"name": "billing"}, nil)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("the next write was acknowledged after %s", took)
		}
		c.Heal()
		c.Settled()
	})
}

// A leader that can't record what it does hands its office over, while its disk is well.
func TestLeaderWithoutUsageLogHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3)
		c.NewVault("demo")
		old := c.Leader()
		c.FailUsageLog(old)
		r, err := http.NewRequest("GET", c.URL(old)+"/v1/keyquorum/vaults", nil)
		must(t, err)
		r.Header.Set("X-Vault-Token", c.Token)
		answer, err := c.Client(old).Do(r)
		must(t, err)
		answer.Body.Close()
		if answer.StatusCode < 500 {
			t.Fatalf("what could not be recorded was answered with %d", answer.StatusCode)
		}
		time.Sleep(3 * time.Second)
		if now := c.Leader(); now == old {
			t.Errorf("node %d leads on", old)
		}
		c.Heal()
		c.Settled()
	})
}
