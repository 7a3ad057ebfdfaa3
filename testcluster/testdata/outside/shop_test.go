package shop

import (
	"testing"
	"testing/synctest"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// In a bubble, time is fake: what is waited for is over at once.
func TestTheTillInABubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outlivesALeader(t, testcluster.New(t, 3))
	})
}

// As processes, the cluster is what runs in production.
func TestTheTill(t *testing.T) {
	outlivesALeader(t, testcluster.Processes(t, 3))
}

// outlivesALeader kills the leader under the shop, which must not notice.
func outlivesALeader(t *testing.T, c *testcluster.Cluster) {
	tills := open(t, c)
	leader := c.Leader()
	change(t, tills[leader], "abracadabra")
	c.Kill(leader)
	for i, till := range tills {
		if i != leader {
			expect(t, till, "abracadabra")
			change(t, till, "open sesame")
			expect(t, till, "open sesame")
			change(t, till, "abracadabra")
		}
	}
	c.Restart(leader)
	c.Unseal(leader)
	expect(t, tills[leader], "abracadabra")
	c.Digests()
}

func change(t *testing.T, till Till, password string) {
	t.Helper()
	if err := till.Change(t.Context(), password); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, till Till, want string) {
	t.Helper()
	got, err := till.Password(t.Context())
	if err != nil || got != want {
		t.Fatalf("the password is %q (%v), want %q", got, err, want)
	}
}

// open makes a vault and an application that may use its secrets, and gives it a till at each node.
func open(t *testing.T, c *testcluster.Cluster) (tills []Till) {
	t.Helper()
	c.NewVault("shop")
	app := c.NewApp("till")
	c.Grant(0, "shop", "till", nil, []string{"get", "set"})
	for i := range c.Size() {
		options := azcore.ClientOptions{
			Transport: c.Client(i),
			Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: c.LoginURL()},
		}
		credential, err := azidentity.NewClientSecretCredential("adfs", app.ClientID, app.Secret,
			&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		client, err := azsecrets.NewClient(c.VaultURL("shop"), credential, &azsecrets.ClientOptions{ClientOptions: options})
		if err != nil {
			t.Fatal(err)
		}
		tills = append(tills, Till{client})
	}
	return tills
}
