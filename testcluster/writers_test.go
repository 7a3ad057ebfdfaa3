package testcluster_test

import (
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// Sixty-four writers of one secret through three nodes are all served, by clients that ask once:
// for three seconds, or for KEYQUORUM_WRITERS=1m.
func TestWritersOfOneSecretAreAllServed(t *testing.T) {
	heavy.Test(t)
	limit := 3 * time.Second
	if s := os.Getenv("KEYQUORUM_WRITERS"); s != "" {
		var err error
		limit, err = time.ParseDuration(s)
		must(t, err)
	}
	c := testcluster.Loopback(t, 3, nil)
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", nil, []string{"all"})
	asApp(t, c, app)
	var writers sync.WaitGroup
	var writes [3]atomic.Int64
	for i := range 64 {
		secrets := once(t, c, i%3, "demo")
		writers.Go(func() {
			for end := time.Now().Add(limit); time.Now().Before(end) && !t.Failed(); {
				value := azsecrets.SetSecretParameters{Value: to.Ptr("v")}
				if _, err := secrets.SetSecret(t.Context(), "s", value, nil); err != nil {
					t.Errorf("writer %d: %v", i, err)
				}
				writes[i%3].Add(1)
			}
		})
	}
	writers.Wait()
	for i := range writes {
		t.Logf("node %d: %d writes", i, writes[i].Load())
	}
}

// once is a client of one node that asks no request again.
func once(t *testing.T, c *testcluster.Cluster, i int, vault string) *azsecrets.Client {
	t.Helper()
	options := azcore.ClientOptions{Transport: c.Client(i), Retry: policy.RetryOptions{MaxRetries: -1}}
	credential, err := azidentity.NewEnvironmentCredential(
		&azidentity.EnvironmentCredentialOptions{ClientOptions: options})
	must(t, err)
	secrets, err := azsecrets.NewClient(
		c.VaultURL(vault), credential, &azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	return secrets
}
