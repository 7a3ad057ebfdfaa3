package vault

import (
	"context"
	"iter"
	"strings"

	"keyquorum/fsm"
)

// performList lists the live objects, performListDeleted the deleted ones, by folded name.
func (k *collection[T]) performList(ctx context.Context, v *Vaults, c Caller,
	p PageRequest) (Page[T], error) {
	return perform(ctx, v, c, k.list, target{}, func(d *decision) (Page[T], error) {
		return k.page(d, live, listLive, p)
	})
}

func (k *collection[T]) performListDeleted(ctx context.Context, v *Vaults, c Caller,
	p PageRequest) (Page[T], error) {
	return perform(ctx, v, c, k.listDeleted, target{}, func(d *decision) (Page[T], error) {
		if !d.indexed() {
			return k.page(d, deleted, listDeleted, p)
		}
		return k.deletedPage(d, p)
	})
}

// deletedPage looks at nothing but what is deleted, or is on its way to be purged or restored.
func (k *collection[T]) deletedPage(d *decision, p PageRequest) (Page[T], error) {
	after, err := p.open(k.kind, listDeleted)
	if err != nil {
		return Page[T]{}, err
	}
	return k.pageOf(d, names(d.view, deletedDir(d.vault.ID, k.kind), after), deleted, listDeleted, p)
}

// names yields what stands in a directory of an index, in order, from after on.
func names(view fsm.View, dir, after string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if after != "" {
			after = dir + after
		}
		for path := range view.Scan(dir, after) {
			if !yield(path[len(dir):]) {
				return
			}
		}
	}
}

// maxPage is the most items of a page; maxLooked how many heads are looked at for one, so that a
// listing of few among many stays cheap: such a page comes short, with a token for more.
const (
	maxPage   = 25
	maxLooked = 10 * maxPage
)

func (k *collection[T]) page(d *decision, want state, l listing, p PageRequest) (Page[T], error) {
	after, err := p.open(k.kind, l)
	if err != nil {
		return Page[T]{}, err
	}
	dir := headDir(d.vault.ID, k.kind)
	if after != "" {
		after = dir + after
	}
	return k.pageOf(d, heads(d.view, dir, after), want, l, p)
}

// pageOf is a page of those named objects that are in a state.
func (k *collection[T]) pageOf(
	d *decision, names iter.Seq[string], want state, l listing, p PageRequest,
) (page Page[T], err error) {
	dir := headDir(d.vault.ID, k.kind)
	looked, last := 0, ""
	for name := range names {
		if len(page.Items) == p.Max || looked == maxLooked {
			page.Next = pageToken(k.kind, l, last)
			break
		}
		looked, last = looked+1, name
		if page.Items, err = k.appendIf(d, page.Items, dir+name, want); err != nil {
			return Page[T]{}, err
		}
	}
	return page, nil
}

// appendIf appends the answer for the head at path if it is in the wanted state.
func (k *collection[T]) appendIf(d *decision, items []T, path string, want state) ([]T, error) {
	h, _, err := load(d, d.v.heads, path)
	if err != nil || h.State != want {
		return items, err
	}
	o, err := k.pick(d, object{path: path, head: h}, h.Name, "")
	if err != nil {
		return nil, err
	}
	d.version = "" // the usage record of a listing names none
	item, err := k.answer(d, o)
	return append(items, item), err
}

// heads yields the folded names in the directory of a collection, in order. What lies below an
// object's head sorts between the heads ("a", "a-b", "a/version/…", "a0"); it is jumped over at
// once.
func heads(view fsm.View, dir, after string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for jumped := true; jumped; {
			jumped = false
			for path := range view.Scan(dir, after) {
				name, _, below := strings.Cut(path[len(dir):], "/")
				if below {
					after, jumped = dir+name+"/\xff", true // no path has this byte
					break
				}
				if !yield(name) {
					return
				}
			}
		}
	}
}

// performListVersions lists the versions of a live object by version id. A name that isn't there
// has none (Azure answers an empty page).
func (k *collection[T]) performListVersions(ctx context.Context, v *Vaults, c Caller, name string,
	p PageRequest) (Page[T], error) {
	return perform(ctx, v, c, k.versions, target{name: name}, func(d *decision) (Page[T], error) {
		o, err := k.head(d, name)
		if err != nil {
			return Page[T]{}, err
		}
		after, err := p.open(k.kind, listVersions)
		if err != nil || o.head == nil || o.head.State != live {
			return Page[T]{}, err
		}
		return k.versionPage(d, o, after, p.Max)
	})
}

func (k *collection[T]) versionPage(d *decision, o object, after string, most int) (Page[T],
	error) {
	var page Page[T]
	dir := versionDir(o.path)
	if after != "" {
		after = dir + after
	}
	for path, r := range d.view.Scan(dir, after) {
		if len(page.Items) == most {
			page.Next = pageToken(k.kind, listVersions, o.version)
			break
		}
		o.version, o.record = path[len(dir):], r
		item, err := k.answer(d, o)
		if err != nil {
			return Page[T]{}, err
		}
		page.Items = append(page.Items, item)
	}
	return page, nil
}
