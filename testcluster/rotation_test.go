package testcluster_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/node"
	"keyquorum/testcluster"
)

// traffic is applications at some nodes, with the SDK's own retries and no others: each writes a secret, reads it at the next node,
// and signs. An error is the test's.
type traffic struct {
	t     *testing.T
	stop  chan struct{}
	wg    sync.WaitGroup
	done  atomic.Int64
	begun time.Time
}

// newTraffic makes a vault with a key and has three workers at each of the nodes work, at 200 requests a second together.
func newTraffic(t *testing.T, c *testcluster.Cluster, nodes ...int) *traffic {
	t.Helper()
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", []string{"all"}, []string{"all"})
	u := &traffic{t: t, stop: make(chan struct{}), begun: time.Now()}
	var clients []client
	for _, i := range nodes {
		clients = append(clients, signedIn(t, c, i, i, app))
	}
	_, err := clients[0].keys.CreateKey(t.Context(), "k", azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil)
	must(t, err)
	const workers = 3
	pause := time.Duration(len(nodes)*workers) * 3 * time.Second / 200 // three requests a turn
	for at := range clients {
		for w := range workers {
			u.wg.Go(func() { u.work(fmt.Sprintf("s%d-%d", at, w), clients[at], clients[(at+1)%len(clients)], pause) })
		}
	}
	for n, i := range nodes {
		at := nodes[(n+1)%len(nodes)]
		u.wg.Go(func() { u.signIn(func() client { return signedIn(t, c, i, at, app) }) })
	}
	return u
}

// signIn gets a new token ten times a second, and uses it at another node at once.
func (u *traffic) signIn(fresh func() client) {
	for {
		select {
		case <-u.stop:
			return
		case <-time.After(100 * time.Millisecond):
		}
		_, err := fresh().keys.GetKey(u.t.Context(), "k", "", nil)
		u.note("a new token, at another node", err)
	}
}

// crossed brings requests for tokens to one node, and all others to another.
type crossed struct{ tokens, rest *http.Client }

func (x crossed) Do(r *http.Request) (*http.Response, error) {
	if strings.HasPrefix(r.URL.Host, testcluster.Login) {
		return x.tokens.Do(r)
	}
	return x.rest.Do(r)
}

// signedIn is an application with a token of its own, which node tokens issues and node i is shown.
func signedIn(t *testing.T, c *testcluster.Cluster, tokens, i int, app testcluster.App) client {
	t.Helper()
	options := azcore.ClientOptions{Transport: crossed{c.Client(tokens), c.Client(i)}, Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: c.LoginURL()}}
	credential, err := azidentity.NewClientSecretCredential("adfs", app.ClientID, app.Secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	must(t, err)
	secrets, err := azsecrets.NewClient(c.VaultURL("demo"), credential, &azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	keys, err := azkeys.NewClient(c.VaultURL("demo"), credential, &azkeys.ClientOptions{ClientOptions: options})
	must(t, err)
	return client{secrets, keys}
}

func (u *traffic) work(name string, here, next client, pause time.Duration) {
	digest := sha256.Sum256([]byte(name))
	for n := 0; ; n++ {
		select {
		case <-u.stop:
			return
		case <-time.After(pause):
		}
		value := fmt.Sprint(name, " ", n)
		_, err := here.secrets.SetSecret(u.t.Context(), name, azsecrets.SetSecretParameters{Value: &value}, nil)
		u.note("set", err)
		got, err := next.secrets.GetSecret(u.t.Context(), name, "", nil)
		u.note("get", err)
		if err == nil && *got.Value != value {
			u.t.Errorf("read %q after %q was written", *got.Value, value)
		}
		_, err = here.keys.Sign(u.t.Context(), "k", "", azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256), Value: digest[:]}, nil)
		u.note("sign", err)
	}
}

func (u *traffic) note(what string, err error) {
	u.done.Add(1)
	if err != nil {
		u.t.Errorf("%s: %v", what, err)
	}
}

// end stops it, and says how much there was.
func (u *traffic) end() {
	close(u.stop)
	u.wg.Wait()
	took := time.Since(u.begun)
	u.t.Logf("%d requests in %v, %.0f a second", u.done.Load(), took, float64(u.done.Load())/took.Seconds())
}

// A keyChange is where the change of a key stands, as the API says it.
type keyChange struct {
	Data struct {
		ID      string
		Older   int
		Done    bool
		Step    string
		Waiting []struct {
			NodeID  string `json:"node_id"`
			Answers bool
		}
	}
}

// rotate has node i change a key, and waits until nothing of it is under way.
func rotate(t *testing.T, c *testcluster.Cluster, i int, key string) (r keyChange) {
	t.Helper()
	c.Call(i, "PUT", "/v1/keyquorum/rotate/"+key, map[string]any{}, &r)
	return awaitRotation(t, c, i, key, func(r keyChange) bool { return r.Data.Done })
}

func awaitRotation(t *testing.T, c *testcluster.Cluster, i int, key string, until func(keyChange) bool) (r keyChange) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		r = keyChange{}
		c.Call(i, "GET", "/v1/keyquorum/rotate/"+key, nil, &r)
		if until(r) {
			return r
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within 30 s: %+v", key, r)
		}
	}
}

// The keyring and the transaction key change ten times under load, through every node in turn: what one node seals under a new
// term the next one reads at once, and what was on its way to the leader under an older one is signed again.
func TestKeyringRotatesUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 5)
		c.Seal(3)
		c.Kill(4) // it comes back to terms that it has never heard of
		u := newTraffic(t, c, 0, 1, 2)
		for n := range 10 {
			time.Sleep(500 * time.Millisecond)
			if r := rotate(t, c, n%3, "keyring"); r.Data.ID != fmt.Sprint(n+2) || r.Data.Older != n+1 {
				t.Errorf("after %d rotations: %+v", n+1, r)
			}
		}
		c.Start(4)
		c.Unseal(4)
		rotate(t, c, 4, "keyring")
		u.end()
		c.Settled()
	})
}

// The token key changes under load, while applications sign in at one node and show their tokens at another, one of them without
// leases. Then the older keys are forgotten: who keeps a token is told to get another one.
func TestTokenKeyRotatesUnderLoad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 4, func(i int, config *node.Config) { config.Leases.Off = i == 1 })
		c.Seal(3)
		u := newTraffic(t, c, 0, 1, 2)
		for n := range 5 {
			time.Sleep(time.Second)
			if r := rotate(t, c, n%3, "token-key"); r.Data.Older != n+1 {
				t.Errorf("after %d rotations: %+v", n+1, r)
			}
		}
		var r keyChange
		c.Call(0, "PUT", "/v1/keyquorum/rotate/token-key", map[string]any{"forget": true}, &r)
		if r.Data.Older != 0 {
			t.Errorf("forgotten: %+v", r)
		}
		time.Sleep(2 * time.Second)
		u.end()
	})
}

// gossipKeys are the keys in the folder of node i, one after the other.
func gossipKeys(t *testing.T, c *testcluster.Cluster, i int) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.Data(i), "cluster", "gossip.key"))
	must(t, err)
	return string(b)
}

// The gossip key changes under load: at the end every folder has the new one and no other, a sealed node's too, and the nodes hear of
// each other as before. One that was away takes it over when it is back, sealed.
func TestGossipKeyRotatesUnderLoad(t *testing.T) {
	c := testcluster.Loopback(t, 4, nil)
	c.Seal(2)
	old := gossipKeys(t, c, 0)
	c.Kill(3)
	u := newTraffic(t, c, 0, 1)
	for range 2 {
		before := gossipKeys(t, c, 0)
		r := rotate(t, c, 1, "gossip-key")
		if len(r.Data.Waiting) != 1 || r.Data.Waiting[0].Answers || r.Data.Older != 0 {
			t.Errorf("one is away: %+v", r)
		}
		for i := range 3 {
			if k := gossipKeys(t, c, i); len(k) != 32 || k == before || k != gossipKeys(t, c, 0) {
				t.Errorf("node %d has %d bytes of gossip keys, the same as before: %v", i, len(k), k == before)
			}
		}
	}
	if gossipKeys(t, c, 3) != old {
		t.Error("the node that is away has another key: the test shows nothing")
	}
	c.Start(3)
	awaitRotation(t, c, 0, "gossip-key", func(r keyChange) bool { return len(r.Data.Waiting) == 0 })
	if gossipKeys(t, c, 3) != gossipKeys(t, c, 0) {
		t.Error("the node that was away has not taken the key over")
	}
	u.end()
	awaitGossip(t, c, 0)
	awaitGossip(t, c, 3)
}

// awaitGossip waits until a node has heard from all how far they were a moment ago: that comes by gossip alone. A sealed node does not
// tell what it has heard; it is the others that must have heard of it.
func awaitGossip(t *testing.T, c *testcluster.Cluster, i int) {
	t.Helper()
	if i == 3 {
		c.Unseal(i)
	}
	least := c.Digests().Index
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var answer struct {
			Data struct {
				Config struct {
					Servers []struct {
						Applied uint64 `json:"applied_index"`
					}
				}
			}
		}
		c.Call(i, "GET", "/v1/sys/storage/raft/configuration", nil, &answer)
		heard := 0
		for _, s := range answer.Data.Config.Servers {
			if s.Applied >= least {
				heard++
			}
		}
		if heard == 4 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("node %d: not within 30 s: gossip of all: %+v", i, answer)
		}
	}
}
