package testcluster_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"golang.org/x/sys/unix"

	"keyquorum/prove"
	"keyquorum/testcluster"
)

// TestFullDiskEndsTheNode lets the log's file grow no further. The node must end by itself with a
// failure that says why, acknowledge nothing after the failed write, and serve everything that it
// acknowledged when it is started again.
func TestFullDiskEndsTheNode(t *testing.T) {
	c := testcluster.Processes(t, 1)
	c.NewVault("demo")
	app := c.NewApp("writer")
	c.Grant(0, "demo", "writer", nil, []string{"all"})
	asApp(t, c, app)
	secrets := impatient(t, c)
	log, err := os.Stat(filepath.Join(c.Data(0), "cluster", "raft.db"))
	must(t, err)
	limit := unix.Rlimit{Cur: uint64(log.Size()), Max: uint64(log.Size())}
	must(t, unix.Prlimit(c.PID(0), unix.RLIMIT_FSIZE, &limit, nil))
	acknowledged := 0
	for value := strings.Repeat("v", 20000); acknowledged < 10000; acknowledged++ {
		if _, err := secrets.SetSecret(t.Context(), fmt.Sprint("s-", acknowledged),
			azsecrets.SetSecretParameters{Value: &value}, nil); err != nil {
			break
		}
	}
	code := c.ExitCode(0, 10*time.Second)
	if code == 0 {
		t.Fatal("the node ended as if nothing had happened")
	}
	if out := string(c.Output(0)); !strings.Contains(out, "disk") {
		t.Fatalf("the node does not say that its disk failed: %s", out[max(0, len(out)-2000):])
	}
	c.Start(0)
	c.Unseal(0)
	for i := range acknowledged {
		_, err := secrets.GetSecret(t.Context(), fmt.Sprint("s-", i), "", nil)
		must(t, err)
	}
	_, err = secrets.SetSecret(t.Context(), "after", azsecrets.SetSecretParameters{Value: to.Ptr("x")},
		nil)
	must(t, err)
	t.Logf("exit code %d after %d acknowledged writes, all of them there", code, acknowledged)
}

// impatient makes a client that does not try again: the node will not come back by itself.
func impatient(t *testing.T, c *testcluster.Cluster) *azsecrets.Client {
	t.Helper()
	options := azcore.ClientOptions{Transport: c.Client(0), Retry: policy.RetryOptions{MaxRetries: -1}}
	credential, err := azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{
		ClientOptions: options})
	must(t, err)
	secrets, err := azsecrets.NewClient(c.VaultURL("demo"), credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	return secrets
}

// TestSmallDisk fills the disk under the unmodified program's data while clients work on all nodes.
// The node may end or refuse, but what it answers must be in its usage log, what was acknowledged
// must be there when there is room again, and the others go on.
func TestSmallDisk(t *testing.T) {
	c := testcluster.Processes(t, 3, func(int) []string { return []string{"--disk-reserve", "0"} })
	for i := range c.Size() {
		c.Kill(i)
		c.SmallDisk(i, 32<<20)
		c.Start(i)
		c.Unseal(i)
	}
	leader := c.Leader()
	unrecorded(t, c, (leader+1)%3)
	for seed, victim := range []int{(leader + 1) % 3, leader} {
		l := lived{}
		l.during(t, c, prove.Options{
			Seed: uint64(seed), Vault: fmt.Sprint("full-", seed), Clients: 8, Operations: 10000,
			Think: 20 * time.Millisecond,
		}, func() { withoutRoom(t, c, victim) })
		l.judge(t, "", "^TestSmallDisk$", testcluster.Schedule{Seed: uint64(seed)})
		if s := create(c, victim, fmt.Sprint("with-room-", victim)); s != http.StatusOK {
			t.Errorf("node %d has room again, and answers %d", victim, s)
		}
	}
}

// TestReserve has a real file system run low under the unmodified program: it takes no writes below
// its reserve, reads on, and takes writes again when a file is gone.
func TestReserve(t *testing.T) {
	c := testcluster.Processes(t, 1, func(int) []string { return []string{"--disk-reserve", "16MiB"} })
	c.NewVault("demo")
	c.Kill(0)
	c.SmallDisk(0, 96<<20)
	c.Start(0)
	c.Unseal(0)
	if s := create(c, 0, "with-room"); s != http.StatusOK {
		t.Fatalf("with room the node answers %d", s)
	}
	ballast := filepath.Join(c.Data(0), "big")
	var disk unix.Statfs_t
	must(t, unix.Statfs(c.Data(0), &disk))
	must(t, os.WriteFile(ballast, make([]byte, int64(disk.Bavail)*disk.Bsize-(15<<20)), 0o600))
	within(t, 3*time.Second, func() bool {
		return create(c, 0, fmt.Sprint("low-", time.Now().UnixNano())) == http.StatusServiceUnavailable
	})
	for range 100 {
		c.Call(0, "GET", "/v1/keyquorum/vaults/demo", nil, nil)
	}
	c.Call(0, "DELETE", "/v1/keyquorum/vaults/demo", nil, nil)
	if out := string(c.Output(0)); !strings.Contains(out, "takes no writes until there is more room") {
		t.Errorf("the node's log does not say that it takes no writes: %s", out)
	}
	must(t, os.Remove(ballast))
	within(t, 3*time.Second, func() bool { return create(c, 0, "with-room-again") == http.StatusOK })
}

// unrecorded reads through node i, whose disk is full, until no usage record finds room. A read
// takes no other room.
func unrecorded(t *testing.T, c *testcluster.Cluster, i int) {
	t.Helper()
	records := func() int { return bytes.Count(c.UsageLog(i), []byte(`"status":200`)) }
	c.FillDisk(i)
	before, answered := records(), 0
	for knock(t, c, i, "GET", "/v1/keyquorum/vaults", "") == http.StatusOK {
		if answered++; answered == 1000 {
			t.Fatalf("node %d has answered %d reads although its disk is full", i, answered)
		}
	}
	if n := records() - before; n != answered {
		t.Errorf("node %d has answered %d reads and recorded %d", i, answered, n)
	}
	c.Heal()
	if s := knock(t, c, i, "GET", "/v1/keyquorum/vaults", ""); s != http.StatusOK {
		t.Errorf("node %d has room again, and answers %d", i, s)
	}
	t.Logf("node %d answered %d reads on a full disk", i, answered)
}

// withoutRoom fills node i's disk and returns when the node has noticed, and the others have gone
// on.
func withoutRoom(t *testing.T, c *testcluster.Cluster, i int) {
	t.Helper()
	c.FillDisk(i)
	taken := 0
	for refused := false; !refused; taken++ {
		if taken == 1000 {
			t.Fatalf("node %d has answered %d writes although its disk is full", i, taken)
		}
		refused = knock(t, c, i, "POST", "/v1/keyquorum/vaults",
			fmt.Sprintf(`{"name":"no-room-%d-%d"}`, i, taken)) != http.StatusOK
	}
	for n := range 20 {
		other := (i + 1 + n%2) % 3
		if s := create(c, other, fmt.Sprintf("elsewhere-%d-%d", i, n)); s != http.StatusOK {
			t.Errorf("node %d, whose disk has room, answers %d", other, s)
		}
	}
	if !c.Running(i) {
		ended(t, c, i)
	}
	t.Logf("node %d answered %d writes on a full disk; running: %v", i, taken-1, c.Running(i))
}

// knock asks a node that may be about to end, and returns the status, 0 for none.
func knock(t *testing.T, c *testcluster.Cluster, i int, method, path, body string) int {
	t.Helper()
	r, err := http.NewRequest(method, c.URL(i)+path, strings.NewReader(body))
	must(t, err)
	r.Header.Set("X-Vault-Token", c.Token)
	answer, err := c.Client(i).Do(r)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}
