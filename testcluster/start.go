package testcluster

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"keyquorum/node"
)

// A Vault is what a test of an application needs: where a vault is, who may use it, and how to get
// there. It has all of Azure's permissions, and is gone with the test.
type Vault struct {
	URL        string // for azsecrets.NewClient and azkeys.NewClient
	Credential azcore.TokenCredential
	// Options make Microsoft's clients trust the nodes and find them, whatever the machine resolves:
	// put them into azsecrets.ClientOptions and azkeys.ClientOptions.
	Options azcore.ClientOptions
	HTTP    *http.Client // the same for everybody else's
	Cluster *Cluster     // for tests that break things

	ClientID, ClientSecret, LoginURL string // for a credential of the test's own; the tenant is "adfs"
}

// Start runs one node in the test's process, and gives a vault in it. It takes a fraction of a
// second, and wants Linux: nodes have addresses of 127.0.0.0/8.
//
//	v := testcluster.Start(t)
//	client, err := azsecrets.NewClient(v.URL, v.Credential,
//		&azsecrets.ClientOptions{ClientOptions: v.Options})
func Start(t testing.TB) *Vault {
	t.Helper()
	return startVault(Loopback(t, 1, func(_ int, config *node.Config) {
		// Nobody else could lead, so there is little to wait for.
		config.Timing = node.Timing{
			Heartbeat: 20 * time.Millisecond, Election: 30 * time.Millisecond,
			LeaderLease: 20 * time.Millisecond,
		}
	}))
}

// StartThree is Start with three nodes: whichever is killed (Cluster.Kill), connections go to one
// that runs.
func StartThree(t testing.TB) *Vault {
	t.Helper()
	return startVault(Loopback(t, 3, nil))
}

func startVault(c *Cluster) *Vault {
	c.t.Helper()
	const vault, app = "test", "test"
	c.NewVault(vault)
	made := c.NewApp(app)
	c.Grant(0, vault, app, []string{"all"}, []string{"all"})
	v := &Vault{
		URL: c.VaultURL(vault), LoginURL: c.LoginURL(), HTTP: c.anyNode(), Cluster: c,
		ClientID: made.ClientID, ClientSecret: made.Secret,
	}
	v.Options = azcore.ClientOptions{
		Transport: v.HTTP,
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: v.LoginURL},
	}
	var err error
	v.Credential, err = azidentity.NewClientSecretCredential("adfs", v.ClientID, v.ClientSecret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: v.Options})
	c.must(err)
	return v
}

// anyNode is a client whose connections go to the first node that takes one, whatever name it asks
// for.
func (c *Cluster) anyNode() *http.Client {
	client := c.newClient(0)
	transport := client.Transport.(*http.Transport)
	transport.DialContext = func(ctx context.Context, _, _ string) (conn net.Conn, err error) {
		for i := range c.size {
			if conn, err = c.kind.dial(ctx, i, apiPort); err == nil {
				break
			}
		}
		return conn, err
	}
	c.t.Cleanup(client.CloseIdleConnections)
	return client
}
