package testcluster_test

import (
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/internal/heavy"
	"keyquorum/testcluster"
)

// An administrator who revokes a right knows, when the call returns, that no node honours it: not
// one that is cut off, nor one 150 ms away. An application uses a secret at every node all the
// time, while its right is taken away and given back, in calm and with nodes or regions cut off.
// KEYQUORUM_RACES sets how often (default 10; make races sets 1,000).
func TestRevocationHoldsEverywhere(t *testing.T) {
	heavy.Test(t)
	races := number(t, "KEYQUORUM_RACES", 10)
	const length = 40 // of a bubble's life, in races
	for first := 0; first < races; first += length {
		synctest.Test(t, func(t *testing.T) { race(t, seed(t)+uint64(first), min(length, races-first)) })
		if t.Failed() {
			return
		}
	}
	t.Logf("%d races, no use that began after the revocation had returned", races)
}

func race(t *testing.T, dices uint64, races int) {
	dice := rand.New(rand.NewPCG(dices, 5))
	c := testcluster.New(t, 3)
	c.AddNonvoter()
	c.AddVoter()
	c.AddVoter()
	spread(c)
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", nil, []string{"all"})
	var users []*user
	for i := range c.Size() {
		users = append(users, newUser(t, c, i, app))
	}
	_, err := users[0].secrets.SetSecret(t.Context(), "s",
		azsecrets.SetSecretParameters{Value: to.Ptr("v")}, nil)
	must(t, err)
	var turn atomic.Int64 // odd while the right is revoked
	stop := make(chan struct{})
	var working sync.WaitGroup
	end := sync.OnceFunc(func() { close(stop); working.Wait() })
	defer end()
	for i, u := range users {
		working.Go(func() { u.work(t, i, &turn, stop) })
	}
	for range races {
		time.Sleep(time.Duration(dice.Int64N(int64(2 * time.Second))))
		admin := dice.IntN(c.Size())
		switch dice.IntN(4) {
		case 0: // calm
		case 1, 2:
			cut := dice.IntN(c.Size())
			c.Isolate(cut)
			admin = (cut + 1) % c.Size()
		case 3:
			cut := c.Region(dice.IntN(c.Size()))
			c.Partition(cut...)
			admin = (cut[0] + 1) % c.Size()
		}
		c.Grant(admin, "demo", "billing", nil, []string{"list"})
		turn.Add(1)
		time.Sleep(time.Duration(dice.Int64N(int64(3 * time.Second))))
		c.Heal()
		time.Sleep(time.Duration(dice.Int64N(int64(time.Second)))) // who was cut off is asked as it comes back
		turn.Add(1)
		c.Grant(admin, "demo", "billing", nil, []string{"all"})
	}
	time.Sleep(time.Second)
	end()
	for i, u := range users {
		if u.used.Load() == 0 || u.refused.Load() == 0 {
			t.Errorf("node %d let the application use its secret %d times, and %d times not: the test shows nothing",
				i, u.used.Load(), u.refused.Load())
		}
	}
}

// A user is the application at one node, without retries.
type user struct {
	secrets       *azsecrets.Client
	used, refused atomic.Int64
}

func newUser(t *testing.T, c *testcluster.Cluster, i int, app testcluster.App) *user {
	t.Helper()
	options := azcore.ClientOptions{
		Transport: c.Client(i), Retry: policy.RetryOptions{MaxRetries: -1},
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: c.LoginURL()},
	}
	credential, err := azidentity.NewClientSecretCredential("adfs", app.ClientID, app.Secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	must(t, err)
	secrets, err := azsecrets.NewClient(c.VaultURL("demo"), credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	return &user{secrets: secrets}
}

// work uses the secret until the test is over. A use that began when the revocation had returned
// must not succeed.
func (u *user) work(t *testing.T, node int, turn *atomic.Int64, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
		before := turn.Load()
		_, err := u.secrets.GetSecret(t.Context(), "s", "", nil)
		switch {
		case err != nil:
			u.refused.Add(1)
		case before%2 == 1 && turn.Load() == before:
			t.Errorf("node %d honours a right whose revocation had returned", node)
		default:
			u.used.Add(1)
		}
	}
}
