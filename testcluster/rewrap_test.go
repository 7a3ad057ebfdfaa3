package testcluster_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// A keyStatus is what an operator is told of the keyring.
type keyStatus struct {
	Term        int
	Older       int       `json:"older_terms"`
	UnderOlder  int       `json:"sealed_under_older_terms"`
	InstallTime time.Time `json:"install_time"`
}

func statusOfKeys(c *testcluster.Cluster, i int) (s keyStatus) {
	c.Call(i, "GET", "/v1/sys/key-status", nil, &s)
	return s
}

// awaitRewrapped waits until nothing is sealed under an older term, as every node sees it.
func awaitRewrapped(t *testing.T, c *testcluster.Cluster, nodes ...int) {
	t.Helper()
	begun := time.Now()
	for _, i := range nodes {
		for statusOfKeys(c, i).UnderOlder > 0 {
			if time.Since(begun) > 2*time.Minute {
				t.Fatalf("node %d: not within two minutes: %+v", i, statusOfKeys(c, i))
			}
			time.Sleep(100 * time.Millisecond)
		}
	}
}

// looksOften has nodes look for work every second.
func looksOften(_ int, config *node.Config) { config.Timing.Rest = time.Second }

// sow writes secrets, two versions of each, and returns what a client can see of them.
func sow(t *testing.T, c *testcluster.Cluster, app testcluster.App, count int) client {
	t.Helper()
	asApp(t, c, app)
	k := at(t, c, 0, "demo")
	for n := range count {
		for v := range 2 {
			value := fmt.Sprint("value ", n, " ", v)
			_, err := k.secrets.SetSecret(t.Context(), fmt.Sprint("s", n),
				azsecrets.SetSecretParameters{Value: &value}, nil)
			must(t, err)
		}
	}
	return k
}

// seen is all that a client can see of the secrets.
func seen(t *testing.T, k client, count int) (lines []string) {
	t.Helper()
	for n := range count {
		got, err := k.secrets.GetSecret(t.Context(), fmt.Sprint("s", n), "", nil)
		must(t, err)
		text, err := got.MarshalJSON()
		must(t, err)
		lines = append(lines, string(text))
	}
	return lines
}

// After a change of the keyring all records are sealed anew, whoever leads and whoever is killed
// meanwhile; a client sees nothing of it; what it writes at the same time stays; and then the older
// term can be dropped, on all nodes.
func TestRecordsAreSealedAnew(t *testing.T) {
	heavy.Test(t)
	for seed := range uint64(number(t, "KEYQUORUM_REWRAPS", 2)) {
		synctest.Test(t, func(t *testing.T) {
			c := testcluster.New(t, 3, looksOften)
			c.NewVault("demo")
			app := c.NewApp("billing")
			c.Grant(0, "demo", "billing", nil, []string{"all"})
			const count = 60
			k := sow(t, c, app, count)
			before := seen(t, k, count)
			dice := rand.New(rand.NewPCG(seed, 17))

			rotate(t, c, 1, "keyring")
			if status := c.Status(1, "PUT", "/v1/keyquorum/rotate/keyring",
				map[string]any{"drop": true}); status != 400 {
				t.Fatalf("a term is dropped while records are sealed under it: %d", status)
			}
			all := statusOfKeys(c, 0).UnderOlder
			awaitLeft(t, c, all-1)
			write(t, k, 0, count) // beside the pass, which has begun
			left := awaitLeft(t, c, all-1-dice.IntN(all/2))
			c.Kill(c.Leader())
			for i := range 3 {
				if !c.Running(i) {
					c.Start(i)
					c.Unseal(i)
				}
			}
			k = at(t, c, 0, "demo")
			write(t, k, 1, count) // beside the pass of the next leader
			awaitRewrapped(t, c, 0, 1, 2)
			t.Logf("seed %d: %d of %d records were left when the leader was killed", seed, left, all)
			after := seen(t, k, count)
			for n := range count {
				switch {
				case n%3 < 2 && !strings.Contains(after[n], fmt.Sprintf(`"later %d"`, n)):
					t.Errorf("a write beside the pass is gone: %s", after[n])
				case n%3 == 2 && after[n] != before[n]:
					t.Errorf("a client sees that %s became %s", before[n], after[n])
				}
			}
			dropTerms(t, c, 2)
			for i := range 3 {
				if s := statusOfKeys(c, i); s.Term != 3 || s.Older != 1 {
					t.Errorf("node %d after the drop: %+v", i, s)
				}
			}
			c.Settled()
			for i := range 3 {
				c.Restart(i)
				c.Unseal(i)
			}
			if again := seen(t, at(t, c, 1, "demo"), count); fmt.Sprint(again) != fmt.Sprint(after) {
				t.Error("something is lost with the dropped term")
			}
		})
	}
}

// awaitLeft waits until no more than some records are sealed under an older term, as node 0 sees it.
func awaitLeft(t *testing.T, c *testcluster.Cluster, most int) (left int) {
	t.Helper()
	for begun := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		if left = statusOfKeys(c, 0).UnderOlder; left <= most {
			return left
		}
		if time.Since(begun) > 2*time.Minute {
			t.Fatalf("not within two minutes: %d records are left, want %d", left, most)
		}
	}
}

// write gives every third of the secrets that sow has written another version, with pauses, so that
// some are written between a look of a pass at them and what it does then.
func write(t *testing.T, k client, from, count int) {
	t.Helper()
	for n := from; n < count; n += 3 {
		time.Sleep(7 * time.Millisecond)
		value := fmt.Sprint("later ", n)
		_, err := k.secrets.SetSecret(t.Context(), fmt.Sprint("s", n),
			azsecrets.SetSecretParameters{Value: &value}, nil)
		must(t, err)
	}
}

// dropTerms has node i drop the older terms.
func dropTerms(t *testing.T, c *testcluster.Cluster, i int) {
	t.Helper()
	c.Call(i, "PUT", "/v1/keyquorum/rotate/keyring", map[string]any{"drop": true}, nil)
	c.Settled()
}

// The schedule changes the keyring once when its time has come, though the leader goes and another
// comes at that moment, and not again before its time.
func TestKeyringChangesBySchedule(t *testing.T) {
	heavy.Test(t)
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 3, looksOften)
		for _, bad := range []map[string]any{
			{"interval": "1h"}, {"interval": -1}, {"interval": "soon"}, {"max_operations": 10},
		} {
			if status := c.Status(0, "POST", "/v1/sys/rotate/config", bad); status != 400 {
				t.Errorf("%v: %d", bad, status)
			}
		}
		c.Call(0, "POST", "/v1/sys/rotate/config", map[string]any{"interval": "24h"}, nil)
		var s struct {
			Enabled       bool
			MaxOperations uint64 `json:"max_operations"`
			Interval      int64
		}
		c.Call(2, "GET", "/v1/sys/rotate/keyring/config", nil, &s)
		if !s.Enabled || s.Interval != 86400 || s.MaxOperations != 3_865_470_566 {
			t.Errorf("the schedule: %+v", s)
		}
		ahead := func(by time.Duration) { // all wall clocks
			for i := range 3 {
				c.SkewClock(i, by)
			}
		}
		for day := range 3 {
			ahead(time.Duration(day+1) * 24 * time.Hour)
			for range 3 { // the leader goes while it is at it
				c.Call(c.Leader(), "PUT", "/v1/sys/step-down", nil, nil)
				time.Sleep(700 * time.Millisecond)
			}
			time.Sleep(5 * time.Second)
			if s := statusOfKeys(c, 1); s.Term != day+2 {
				t.Errorf("after %d days the term is %d", day+1, s.Term)
			}
		}
		c.Call(1, "POST", "/v1/sys/rotate/config", map[string]any{"enabled": false}, nil)
		ahead(10 * 24 * time.Hour)
		time.Sleep(5 * time.Second)
		if s := statusOfKeys(c, 1); s.Term != 4 {
			t.Errorf("without a schedule the term is %d", s.Term)
		}
		rotations := 0
		for i := range 3 {
			rotations += bytes.Count(c.UsageLog(i), []byte(`"detail":"by schedule","status":200`))
		}
		if rotations != 3 {
			t.Errorf("%d changes by schedule are in the usage logs", rotations)
		}
	})
}

// TestTenThousandRecords says how long a pass takes, with KEYQUORUM_REWRAP=10000.
func TestTenThousandRecords(t *testing.T) {
	count := number(t, "KEYQUORUM_REWRAP", 0)
	if count == 0 {
		t.Skip("a measurement")
	}
	c := testcluster.Loopback(t, 3, looksOften)
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", nil, []string{"all"})
	sow(t, c, app, count/3) // a head and two versions each
	rotate(t, c, 0, "keyring")
	begun, first := time.Now(), statusOfKeys(c, 0).UnderOlder
	for statusOfKeys(c, 0).UnderOlder > 0 {
		time.Sleep(time.Second)
	}
	t.Logf("%d records in %v", first, time.Since(begun))
}
