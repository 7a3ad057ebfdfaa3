package testcluster_test

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

// A client is one application at one node, with the SDKs' default options but for the transport,
// which reaches that node and nothing else.
type client struct {
	secrets *azsecrets.Client
	keys    *azkeys.Client
}

// asApp puts the application into the environment, as an operator would.
func asApp(t *testing.T, c *testcluster.Cluster, app testcluster.App) {
	t.Helper()
	t.Setenv("AZURE_AUTHORITY_HOST", c.LoginURL())
	t.Setenv("AZURE_TENANT_ID", "adfs")
	t.Setenv("AZURE_CLIENT_ID", app.ClientID)
	t.Setenv("AZURE_CLIENT_SECRET", app.Secret)
}

// at makes the clients of the application in the environment, at node i.
func at(t *testing.T, c *testcluster.Cluster, i int, vault string) client {
	t.Helper()
	options := azcore.ClientOptions{Transport: c.Client(i)}
	credential, err := azidentity.NewEnvironmentCredential(&azidentity.EnvironmentCredentialOptions{
		ClientOptions: options})
	must(t, err)
	secrets, err := azsecrets.NewClient(c.VaultURL(vault), credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	keys, err := azkeys.NewClient(c.VaultURL(vault), credential,
		&azkeys.ClientOptions{ClientOptions: options})
	must(t, err)
	return client{secrets, keys}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
