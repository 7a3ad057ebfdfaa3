package testcluster_test

import (
	"crypto/sha256"
	"crypto/x509"
	"fmt"
	"math/rand/v2"
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

	"keyquorum/internal/heavy"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// traffic is applications at some nodes, with the SDK's own retries and no others: each writes a
// secret, reads it at the next node, and signs. An error is the test's.
type traffic struct {
	t     *testing.T
	stop  chan struct{}
	wg    sync.WaitGroup
	done  atomic.Int64
	again atomic.Int64
	begun time.Time
}

// newTraffic makes a vault with a key and has three workers at each of the nodes work, at 200
// requests a second together.
func newTraffic(t *testing.T, c *testcluster.Cluster, nodes ...int) *traffic {
	t.Helper()
	c.NewVault("demo")
	app := c.NewApp("billing")
	c.Grant(0, "demo", "billing", []string{"all"}, []string{"all"})
	u := &traffic{t: t, stop: make(chan struct{}), begun: time.Now()}
	var clients []client
	for _, i := range nodes {
		clients = append(clients, u.signedIn(c, i, i, app))
	}
	_, err := clients[0].keys.CreateKey(t.Context(), "k",
		azkeys.CreateKeyParameters{Kty: to.Ptr(azkeys.KeyTypeEC)}, nil)
	must(t, err)
	const workers = 3
	pause := time.Duration(len(nodes)*workers) * 3 * time.Second / 200 // three requests a turn
	for at := range clients {
		for w := range workers {
			u.wg.Go(func() {
				u.work(fmt.Sprintf("s%d-%d", at, w), clients[at], clients[(at+1)%len(clients)],
					pause)
			})
		}
	}
	for n, i := range nodes {
		at := nodes[(n+1)%len(nodes)]
		u.wg.Go(func() { u.signIn(func() client { return u.signedIn(c, i, at, app) }) })
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
type crossed struct {
	tokens, rest *http.Client
	again        *atomic.Int64 // requests that the SDK sends again
}

func (x crossed) Do(r *http.Request) (*http.Response, error) {
	to := x.rest
	if strings.HasPrefix(r.URL.Host, testcluster.Login) {
		to = x.tokens
	}
	answer, err := to.Do(r)
	if err != nil || answer.StatusCode >= 500 {
		x.again.Add(1)
	}
	return answer, err
}

// signedIn is an application with a token of its own, which node tokens issues and node i is shown.
func (u *traffic) signedIn(c *testcluster.Cluster, tokens, i int, app testcluster.App) client {
	t := u.t
	t.Helper()
	options := azcore.ClientOptions{
		Transport: crossed{c.Client(tokens), c.Client(i), &u.again},
		Cloud:     cloud.Configuration{ActiveDirectoryAuthorityHost: c.LoginURL()},
	}
	credential, err := azidentity.NewClientSecretCredential("adfs", app.ClientID, app.Secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options, DisableInstanceDiscovery: true})
	must(t, err)
	secrets, err := azsecrets.NewClient(c.VaultURL("demo"), credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	keys, err := azkeys.NewClient(c.VaultURL("demo"), credential,
		&azkeys.ClientOptions{ClientOptions: options})
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
		_, err := here.secrets.SetSecret(u.t.Context(), name,
			azsecrets.SetSecretParameters{Value: &value}, nil)
		u.note("set", err)
		got, err := next.secrets.GetSecret(u.t.Context(), name, "", nil)
		u.note("get", err)
		if err == nil && *got.Value != value {
			u.t.Errorf("read %q after %q was written", *got.Value, value)
		}
		es256 := azkeys.SignParameters{Algorithm: to.Ptr(azkeys.SignatureAlgorithmES256),
			Value: digest[:]}
		_, err = here.keys.Sign(u.t.Context(), "k", "", es256, nil)
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
	u.t.Logf("%d requests in %v, %.0f a second; %d were sent again by the SDK",
		u.done.Load(), took, float64(u.done.Load())/took.Seconds(), u.again.Load())
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

func awaitRotation(t *testing.T, c *testcluster.Cluster, i int, key string,
	until func(keyChange) bool) (r keyChange) {
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

// The keyring and the transaction key change ten times under load, through every node in turn: what
// one node seals under a new term the next one reads at once, and what was on its way to the leader
// under an older one is signed again.
func TestKeyringRotatesUnderLoad(t *testing.T) {
	heavy.Test(t)
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

// The token key changes under load, while applications sign in at one node and show their tokens at
// another, one of them without leases. Then the older keys are forgotten: who keeps a token is told
// to get another one.
func TestTokenKeyRotatesUnderLoad(t *testing.T) {
	heavy.Test(t)
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

// The gossip key changes under load: at the end every folder has the new one and no other, a sealed
// node's too, and the nodes hear of each other as before. One that was away takes it over when it
// is back, sealed.
func TestGossipKeyRotatesUnderLoad(t *testing.T) {
	heavy.Test(t)
	c := testcluster.Loopback(t, 4, nil)
	c.Seal(2)
	old := inFolder(t, c, 0, "gossip.key")
	c.Kill(3)
	u := newTraffic(t, c, 0, 1)
	for range 2 {
		before := inFolder(t, c, 0, "gossip.key")
		r := rotate(t, c, 1, "gossip-key")
		if len(r.Data.Waiting) != 1 || r.Data.Waiting[0].Answers || r.Data.Older != 0 {
			t.Errorf("one is away: %+v", r)
		}
		for i := range 3 {
			if k := inFolder(t, c, i, "gossip.key"); len(k) != 32 || k == before ||
				k != inFolder(t, c, 0, "gossip.key") {
				t.Errorf("node %d has %d bytes of gossip keys, the same as before: %v", i, len(k), k == before)
			}
		}
	}
	if inFolder(t, c, 3, "gossip.key") != old {
		t.Error("the node that is away has another key: the test shows nothing")
	}
	c.Start(3)
	awaitRotation(t, c, 0, "gossip-key", func(r keyChange) bool { return len(r.Data.Waiting) == 0 })
	if inFolder(t, c, 3, "gossip.key") != inFolder(t, c, 0, "gossip.key") {
		t.Error("the node that was away has not taken the key over")
	}
	u.end()
	awaitGossip(t, c, 0)
	awaitGossip(t, c, 3)
}

// awaitGossip waits until a node has heard from all how far they were a moment ago: that comes by
// gossip alone. A sealed node does not tell what it has heard; it is the others that must have
// heard of it.
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

// inFolder is a file of node i's.
func inFolder(t *testing.T, c *testcluster.Cluster, i int, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(c.Data(i), "cluster", name))
	must(t, err)
	return string(b)
}

// The nodes' keys and the authority behind them change under load. A sealed node follows at once;
// one that was away is waited for, and follows when it is back, sealed, though it has never heard
// of the keys that the others show by then.
func TestNodeKeysAndAuthorityRotateUnderLoad(t *testing.T) {
	heavy.Test(t)
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 5)
		c.Seal(3)
		c.Kill(4)
		u := newTraffic(t, c, 0, 1, 2)
		for n, key := range []string{"node-keys", "authority"} {
			var before []string
			for i := range 5 {
				before = append(before, inFolder(t, c, i, "node.key"))
			}
			c.Call(1, "PUT", "/v1/keyquorum/rotate/"+key, nil, nil)
			r := awaitRotation(t, c, 1, key, func(r keyChange) bool { return len(r.Data.Waiting) == 1 })
			if r.Data.Done || r.Data.Waiting[0].Answers {
				t.Errorf("%s, while a member is away: %+v", key, r)
			}
			for i := range 4 {
				if inFolder(t, c, i, "node.key") == before[i] {
					t.Errorf("%s: node %d has the key that it had", key, i)
				}
			}
			time.Sleep(2 * time.Second)
			c.Start(4)
			r = awaitRotation(t, c, 2, key, func(r keyChange) bool { return r.Data.Done })
			if inFolder(t, c, 4, "node.key") == before[4] {
				t.Errorf("%s: the node that was away has the key that it had", key)
			}
			if n == 0 {
				c.Kill(4)
			} else {
				c.Unseal(4)
			}
		}
		awaitFolders(t, c)
		time.Sleep(2 * time.Second)
		u.end()
		c.Settled()
		for i := range c.Size() { // from the folders as they are now
			c.Restart(i)
		}
		c.Settled()
		i := c.AddVoter()
		if inFolder(t, c, i, "ca.crt") != inFolder(t, c, 0, "ca.crt") {
			t.Error("who joins now trusts another authority")
		}
	})
}

// awaitFolders waits until all trust one authority, the same.
func awaitFolders(t *testing.T, c *testcluster.Cluster) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		same := true
		for i := range c.Size() {
			list, err := x509.ParseCertificates([]byte(inFolder(t, c, i, "ca.crt")))
			must(t, err)
			same = same && len(list) == 1 && inFolder(t, c, i, "ca.crt") == inFolder(t, c, 0, "ca.crt")
		}
		if same {
			return
		}
	}
	t.Error("not within 10 s: all folders trust one authority")
}

// A thief speaks as a sealed node, by the key in a copy of its folder, until the nodes' keys are
// changed. Then nobody hears him, also on connections that he had, and he is named; the node itself
// is heard as before.
func TestOldNodeKeyIsHeardNoMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := testcluster.New(t, 4)
		c.Seal(3)
		thief := c.Steal(3)
		for i := range 3 {
			must(t, thief.Call(i, "/v1/digest", nil, 1)) // the positive control
		}
		rotate(t, c, 0, "node-keys")
		time.Sleep(100 * time.Millisecond) // connections are cut right after the state shows the change
		for i := range 3 {
			if err := thief.Call(i, "/v1/digest", nil, 1); err == nil {
				t.Errorf("node %d answers the old key", i)
			}
		}
		if lines := c.Accusations(thief.ID); len(lines) == 0 {
			t.Error("nobody names him")
		}
		c.Unseal(3)
		rotate(t, c, 3, "authority")
		c.Settled()
	})
}

// Every key of the cluster changes, each twice, while applications send 200 requests a second to
// all nodes of the real program, and none of them sees an error: not one that Microsoft's SDK would
// not have tried again.
func TestEveryKeyChangesUnderLoad(t *testing.T) {
	heavy.Test(t)
	c := testcluster.Processes(t, 4)
	c.Seal(3)
	u := newTraffic(t, c, 0, 1, 2)
	for n := range 2 {
		for at, key := range []string{"keyring", "token-key", "gossip-key", "node-keys", "authority"} {
			begun := time.Now()
			rotate(t, c, (n+at)%3, key)
			t.Logf("%s: %v", key, time.Since(begun).Round(time.Millisecond))
		}
	}
	c.Call(1, "PUT", "/v1/keyquorum/rotate/token-key", map[string]any{"forget": true}, nil)
	time.Sleep(time.Second)
	u.end()
	c.Settled()
}

// What was begun goes on with whoever leads, and nodes that are killed while their keys change come
// back with one or the other.
func TestRotationsOutliveKills(t *testing.T) {
	heavy.Test(t)
	for seed := range uint64(number(t, "KEYQUORUM_ROTATIONS", 3)) {
		synctest.Test(t, func(t *testing.T) {
			c := testcluster.New(t, 3)
			c.NewVault("demo")
			dice := rand.New(rand.NewPCG(seed, 13))
			for range 5 {
				key := []string{"gossip-key", "node-keys", "authority"}[dice.IntN(3)]
				c.Call(dice.IntN(3), "PUT", "/v1/keyquorum/rotate/"+key, nil, nil)
				time.Sleep(time.Duration(dice.Int64N(int64(1200 * time.Millisecond))))
				c.Restart(dice.IntN(3))
				time.Sleep(time.Duration(dice.Int64N(int64(time.Second))))
				c.Settled()
				r := awaitRotation(t, c, 0, key,
					func(r keyChange) bool { return r.Data.Done && len(r.Data.Waiting) == 0 })
				if r.Data.Older != 0 {
					t.Errorf("seed %d, %s: %+v", seed, key, r)
				}
			}
			for i := range 3 {
				if inFolder(t, c, i, "gossip.key") != inFolder(t, c, 0, "gossip.key") {
					t.Errorf("seed %d: node %d has another gossip key", seed, i)
				}
			}
		})
	}
}
