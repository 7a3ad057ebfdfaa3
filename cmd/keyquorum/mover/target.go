package mover

import (
	"context"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azkeys"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"keyquorum/cmd/keyquorum/reference"
	"keyquorum/cmd/keyquorum/session"
)

// A target is the vault that things are moved into.
type target struct {
	vault    *session.Vault
	secrets  *azsecrets.Client
	keys     *azkeys.Client
	parallel int // how many names are worked on at the same time
}

func newTarget(v *session.Vault, parallel int) (*target, error) {
	t := &target{vault: v, parallel: parallel}
	var err error
	if t.secrets, err = v.Secrets(); err != nil {
		return nil, err
	}
	t.keys, err = v.Keys()
	return t, err
}

// held is what the destination has of a name.
type held struct {
	kind       reference.Kind
	name       string
	deleted    bool
	enabled    bool       // the newest version
	newest     string     // origin of the newest version; "": it is none of ours
	attributes attributes // of the newest version
	origins    []string   // of all versions, in no order
}

// known are the origins that are there of what came from somewhere, and how many more there are.
func (h *held) known(from string) (origins map[string]bool, twice int) {
	origins = map[string]bool{}
	for _, o := range h.origins {
		switch {
		case !isOf(o, from):
		case origins[o] && o != originBase(from): // one without versions may come again
			twice++
		default:
			origins[o] = true
		}
	}
	return origins, twice
}

// holds are all names of a kind that the vault has, or has deleted, in lower case.
func (t *target) holds(ctx context.Context, kind reference.Kind) (map[string]*held, error) {
	ctx = session.Patient(ctx)
	all := map[string]*held{}
	note := func(h *held, deleted bool) {
		h.kind, h.deleted = kind, deleted
		all[strings.ToLower(h.name)] = h
	}
	var err error
	if kind == reference.Keys {
		err = pages(ctx, t.keys.NewListKeyPropertiesPager(nil),
			func(p azkeys.ListKeyPropertiesResponse) {
				for _, k := range p.Value {
					note(heldKey(k.KID, k.Attributes, k.Tags), false)
				}
			})
		if err == nil {
			err = pages(ctx, t.keys.NewListDeletedKeyPropertiesPager(nil),
				func(p azkeys.ListDeletedKeyPropertiesResponse) {
					for _, k := range p.Value {
						note(heldKey(k.KID, k.Attributes, k.Tags), true)
					}
				})
		}
		return all, t.vault.Explain(err, kind, "")
	}
	err = pages(ctx, t.secrets.NewListSecretPropertiesPager(nil),
		func(p azsecrets.ListSecretPropertiesResponse) {
			for _, s := range p.Value {
				note(heldSecret(s.ID, s.Attributes, s.Tags, s.ContentType), false)
			}
		})
	if err == nil {
		err = pages(ctx, t.secrets.NewListDeletedSecretPropertiesPager(nil),
			func(p azsecrets.ListDeletedSecretPropertiesResponse) {
				for _, s := range p.Value {
					note(heldSecret(s.ID, s.Attributes, s.Tags, s.ContentType), true)
				}
			})
	}
	return all, t.vault.Explain(err, kind, "")
}

// versionsOf fills in the origins of all versions.
func (t *target) versionsOf(ctx context.Context, h *held) error {
	ctx = session.Patient(ctx)
	h.origins = nil
	var err error
	if h.kind == reference.Keys {
		err = pages(ctx, t.keys.NewListKeyPropertiesVersionsPager(h.name, nil),
			func(p azkeys.ListKeyPropertiesVersionsResponse) {
				for _, k := range p.Value {
					h.origins = append(h.origins, tag(k.Tags))
				}
			})
	} else {
		err = pages(ctx, t.secrets.NewListSecretPropertiesVersionsPager(h.name, nil),
			func(p azsecrets.ListSecretPropertiesVersionsResponse) {
				for _, s := range p.Value {
					h.origins = append(h.origins, tag(s.Tags))
				}
			})
	}
	return t.vault.Explain(err, h.kind, h.name)
}

// same says whether the newest version here has the value that a version at the source has now.
func (t *target) same(ctx context.Context, h *held, v version) (bool, error) {
	theirs, err := v.read(ctx)
	if err != nil {
		return false, err
	}
	ours, err := t.secrets.GetSecret(session.Patient(ctx), h.name, "", nil)
	if err != nil {
		return false, t.vault.Explain(err, h.kind, h.name)
	}
	return ours.Value != nil && *ours.Value == theirs.text.reveal(), nil
}

func heldSecret(
	id *azsecrets.ID, a *azsecrets.SecretAttributes, tags map[string]*string, contentType *string,
) *held {
	h := &held{newest: tag(tags), attributes: attributes{tags: othersOf(tags)}}
	if id != nil {
		h.name = id.Name()
	}
	if contentType != nil {
		h.attributes.contentType = *contentType
	}
	if a != nil {
		h.enabled = a.Enabled != nil && *a.Enabled
		h.attributes.notBefore, h.attributes.expires = a.NotBefore, a.Expires
	}
	return h
}

func heldKey(id *azkeys.ID, a *azkeys.KeyAttributes, tags map[string]*string) *held {
	h := &held{newest: tag(tags), attributes: attributes{tags: othersOf(tags)}}
	if id != nil {
		h.name = id.Name()
	}
	if a != nil {
		h.enabled = a.Enabled != nil && *a.Enabled
		h.attributes.notBefore, h.attributes.expires = a.NotBefore, a.Expires
	}
	return h
}

// tag is the origin that stands in tags, "" where none does.
func tag(tags map[string]*string) string {
	if v := tags[originTag]; v != nil {
		return *v
	}
	return ""
}

// othersOf are the tags without ours; nil where there are none.
func othersOf(tags map[string]*string) map[string]string {
	var others map[string]string
	for name, v := range tags {
		if name == originTag || v == nil {
			continue
		}
		if others == nil {
			others = map[string]string{}
		}
		others[name] = *v
	}
	return others
}

// pages reads all pages of a list.
func pages[Page any](ctx context.Context, pager *runtime.Pager[Page], take func(Page)) error {
	for pager.More() {
		page, err := pager.NextPage(ctx)
		if err != nil {
			return err
		}
		take(page)
	}
	return nil
}
