// Package till is somebody else's test of somebody else's application.
package till

import (
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/testcluster"
)

func TestPasswordIsKept(t *testing.T) {
	v := testcluster.Start(t)
	keeps(t, v)
}

func TestPasswordOutlivesANode(t *testing.T) {
	v := testcluster.StartThree(t)
	keeps(t, v)
	v.Cluster.Kill(0)
	keeps(t, v)
}

func keeps(t *testing.T, v *testcluster.Vault) {
	t.Helper()
	client, err := azsecrets.NewClient(v.URL, v.Credential,
		&azsecrets.ClientOptions{ClientOptions: v.Options})
	if err != nil {
		t.Fatal(err)
	}
	password := "abracadabra"
	ctx := t.Context()
	if _, err := client.SetSecret(ctx, "till", azsecrets.SetSecretParameters{Value: &password}, nil); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetSecret(ctx, "till", "", nil)
	if err != nil || *got.Value != password {
		t.Fatalf("the password is %v (%v)", got.Value, err)
	}
}
