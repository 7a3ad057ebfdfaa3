package objects

import (
	"context"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

// A shelf is the objects of one kind in a vault. An empty version is the newest. Errors are the
// SDK's.
type shelf interface {
	get(ctx context.Context, name, version string) (object, error)
	getDeleted(ctx context.Context, name string) (object, error)
	list(ctx context.Context) ([]object, error)
	listVersions(ctx context.Context, name string) ([]object, error)
	listDeleted(ctx context.Context) ([]object, error)
	update(ctx context.Context, name, version string, a attributes) (object, error)
	delete(ctx context.Context, name string) (object, error)
	recover(ctx context.Context, name string) (object, error)
	purge(ctx context.Context, name string) error
	backup(ctx context.Context, name string) ([]byte, error)
	restore(ctx context.Context, blob []byte) (object, error)
}

func shelfOf(v *session.Vault, kind reference.Kind) (shelf, error) {
	if kind == reference.Keys {
		client, err := v.Keys()
		return &keys{client}, err
	}
	client, err := v.Secrets()
	return &secrets{client}, err
}

// pages reads all pages of a list.
func pages[Page, Item any](
	ctx context.Context,
	pager *runtime.Pager[Page],
	items func(Page) []*Item,
	convert func(*Item) object,
) ([]object, error) {
	all := []object{}
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, err
		}
		for _, item := range items(page) {
			all = append(all, convert(item))
		}
	}
	return all, nil
}
