package conformance_test

import (
	"context"
	"slices"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
)

// ours is the section of what Microsoft's suites do not ask for, asked with the same clients.
const ours = "claims"

// A claim is something that the page says of every node.
type claim struct {
	name  string
	holds func(ctx context.Context, w *world) error
}

func claims() []claim {
	return slices.Concat(algorithmClaims(), importClaims(), secretClaims(), refusalClaims())
}

// A world is one node as an application sees it, and another that has to see the same.
type world struct {
	here, there client
	made        map[string]bool // keys by their shapes' names: some take seconds
}

type client struct {
	keys    *azkeys.Client
	secrets *azsecrets.Client
}

// prove runs all claims through node n.
func (b *bed) prove(t *testing.T, n node, r *report) {
	w := &world{here: b.client(t, n, n.number), there: b.client(t, n, (n.number+1)%len(kinds)),
		made: map[string]bool{}}
	for _, c := range claims() {
		t.Run(c.name, func(t *testing.T) {
			all := b.seated(t, n, r, ours, c.name, func() []outcome {
				if err := c.holds(t.Context(), w); err != nil {
					return []outcome{{c.name, "FAIL", err.Error()}}
				}
				return []outcome{{c.name, "PASS", ""}}
			})
			judge(t, c.name, all)
		})
	}
}

// client is the application of the suites at a node, in the vault of n.
func (b *bed) client(t *testing.T, n node, at int) (c client) {
	options := azcore.ClientOptions{Transport: b.Client(at),
		Cloud: cloud.Configuration{ActiveDirectoryAuthorityHost: b.LoginURL()}}
	credential, err := azidentity.NewClientSecretCredential("adfs", b.app.ClientID, b.app.Secret,
		&azidentity.ClientSecretCredentialOptions{ClientOptions: options})
	must(t, err)
	c.keys, err = azkeys.NewClient(b.VaultURL(n.vault), credential,
		&azkeys.ClientOptions{ClientOptions: options})
	must(t, err)
	c.secrets, err = azsecrets.NewClient(b.VaultURL(n.vault), credential,
		&azsecrets.ClientOptions{ClientOptions: options})
	must(t, err)
	return c
}
