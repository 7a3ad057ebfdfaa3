package testcluster_test

import (
	"fmt"
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

	"keyquorum/testcluster"
)

// TestFullDiskEndsTheNode lets the log's file grow no further. The node must end by itself with a failure that says why,
// acknowledge nothing after the failed write, and serve everything that it acknowledged when it is started again.
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
		if _, err := secrets.SetSecret(t.Context(), fmt.Sprint("s-", acknowledged), azsecrets.SetSecretParameters{Value: &value}, nil); err != nil {
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
	_, err = secrets.SetSecret(t.Context(), "after", azsecrets.SetSecretParameters{Value: to.Ptr("x")}, nil)
	must(t, err)
	t.Logf("exit code %d after %d acknowledged writes, all of them there", code, acknowledged)
}

// impatient makes a client that does not try again: the node will not come back by itself.
func impatient(t *testing.T, c *testcluster.Cluster) *azsecrets.Client {
	t.Helper()
	options := azcore.ClientOptions{Transport: c.HTTP(0), Retry: policy.RetryOptions{MaxRetries: -1}}
	credential, err := azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{ClientOptions: options})
	must(t, err)
	secrets, err := azsecrets.NewClient(c.VaultURL("demo"), credential, &azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	return secrets
}
