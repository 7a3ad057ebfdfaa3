package wrapper_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"

	"keyquorum/internal/wrapper"
	"keyquorum/node"
	"keyquorum/testcluster"
)

// A cluster of three that another Keyquorum wraps for is killed as a whole, and comes back without a
// share. When the other takes the right to unwrap away, it waits for shares.
func TestOneClusterOpensAnother(t *testing.T) {
	other := testcluster.Start(t)
	keys, err := azkeys.NewClient(other.URL, other.Credential,
		&azkeys.ClientOptions{ClientOptions: other.Options})
	check(t, err)
	rsa := azkeys.KeyTypeRSA
	_, err = keys.CreateKey(t.Context(), "root", azkeys.CreateKeyParameters{Kty: &rsa}, nil)
	check(t, err)
	said := fmt.Sprintf("AZURE_TENANT_ID=adfs\nAZURE_CLIENT_ID=%s\nAZURE_CLIENT_SECRET=%s\n"+
		"AZURE_AUTHORITY_HOST=%s\n", other.ClientID, other.ClientSecret, other.LoginURL)
	key := wrapper.Through(parse(t, "other=keyvault:"+other.URL+"/keys/root?credential="+
		file(t, "c", said)), other.HTTP)
	c := testcluster.Loopback(t, 3, func(_ int, config *node.Config) {
		config.Wrappers = map[string]node.ForeignKey{"other": key}
	})
	begun := struct {
		Data struct{ Nonce string }
	}{}
	const addition = "/v1/keyquorum/seal/addition"
	c.Call(0, "PUT", addition, map[string]string{"name": "other"}, &begun)
	for _, share := range c.Shares[:2] {
		c.Call(0, "PUT", addition+"/share",
			map[string]string{"key": share, "nonce": begun.Data.Nonce}, nil)
	}
	c.NewVault("demo")
	for i := range 3 {
		await(t, "the list is everywhere", func() bool { return listed(c, i) })
	}
	for i := range 3 {
		c.Stop(i)
	}
	since := time.Now()
	for i := range 3 {
		c.Start(i)
	}
	for i := range 3 {
		await(t, fmt.Sprintf("node %d unseals itself", i), func() bool { return !sealed(c, i) })
	}
	t.Logf("three nodes were started and unsealed by a key of another cluster in %v",
		time.Since(since).Round(10*time.Millisecond))
	c.Call(2, "GET", "/v1/keyquorum/vaults/demo", nil, nil)
	other.Cluster.Grant(0, "test", "test", []string{"wrapKey"}, nil)
	c.Restart(0)
	await(t, "it is refused, and waits", func() bool { return unattended(c, 0) == "trying" })
	c.Unseal(0)
}

// patience is for what a cluster does by itself.
const patience = 30 * time.Second

func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func listed(c *testcluster.Cluster, i int) bool {
	var list struct {
		Data struct{ Wrappers []struct{ Name string } }
	}
	c.Call(i, "GET", "/v1/keyquorum/seal/wrappers", nil, &list)
	return len(list.Data.Wrappers) == 1
}

func sealed(c *testcluster.Cluster, i int) bool {
	var status struct{ Sealed bool }
	c.Call(i, "GET", "/v1/sys/seal-status", nil, &status)
	return status.Sealed
}

func unattended(c *testcluster.Cluster, i int) string {
	var status struct {
		Unattended string `json:"unattended_unseal"`
	}
	c.Call(i, "GET", "/v1/sys/seal-status", nil, &status)
	return status.Unattended
}
