package prove

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// A list of the vault shows many objects at no one moment, for each page is a request of its own.
// To the history of one object a walk through all pages is a read: at some moment between the first
// call and the last return, that object was listed as the walk shows it, or was not.

// A page is a part of a list.
type page struct {
	Value []json.RawMessage `json:"value"`
	Next  string            `json:"nextLink"` // "": it is the last
}

// maxPages bounds a walk: in a vault that is so full, lists are not proven.
const maxPages = 64

// listing is the walk through a list. Pages are of 5 to 25 names, by the request's id.
func (c *collection) listing(path string, id int32) call {
	list := c.asWorker(http.MethodGet, path, "")
	list.url += fmt.Sprintf("&maxresults=%d", 5+id%21)
	list.pages = true
	return list
}

// ask sends a request, and one for each page more.
func (r *Run) ask(ctx context.Context, node int, c call, id int32) answer {
	if !c.pages {
		return r.send(ctx, node, c, id)
	}
	return r.walk(ctx, node, c, id)
}

// walk answers with all pages as one, or with the first answer that is no page.
func (r *Run) walk(ctx context.Context, node int, c call, id int32) answer {
	var all []json.RawMessage
	for range maxPages {
		a := r.send(ctx, node, c, id)
		var p page
		if a.status != http.StatusOK || json.Unmarshal(a.body, &p) != nil {
			return a
		}
		if all = append(all, p.Value...); p.Next == "" {
			a.body, a.err = json.Marshal(all)
			return a
		}
		c.url, id = p.Next, r.ids.Add(1)
	}
	return answer{sent: 1, err: errors.New("more pages than are walked through")}
}

// decodeListing finds the object in a list, whose names must be in order, each there once.
func (c *collection) decodeListing(o *object, body []byte) (reply, error) {
	var items []json.RawMessage
	if err := json.Unmarshal(body, &items); err != nil {
		return reply{}, err
	}
	found, last := reply{word: missing}, ""
	for _, item := range items {
		name, err := c.nameOf(item)
		if err != nil {
			return reply{}, err
		}
		if name <= last {
			return reply{}, fmt.Errorf("%s is listed after %s", name, last)
		}
		if last = name; name != o.name {
			continue
		}
		var b bundle
		if err := json.Unmarshal(item, &b); err != nil {
			return reply{}, err
		}
		found = b.version().reply()
	}
	return found, nil
}

// nameOf is the name of a listed object in lower case, by which lists are in order. Others' are
// among them.
func (c *collection) nameOf(item []byte) (string, error) {
	var b struct {
		ID  string `json:"id"`
		KID string `json:"kid"`
	}
	if err := json.Unmarshal(item, &b); err != nil {
		return "", err
	}
	_, name, ok := strings.Cut(b.ID+b.KID, "/"+c.path+"/")
	if !ok || strings.Contains(name, "/") {
		return "", fmt.Errorf("%q is listed", b.ID+b.KID)
	}
	return strings.ToLower(name), nil
}
