package httpapi_test

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// next is the request that a page's nextLink asks for, "" for the last page. It must be of the host
// that was asked, and is sent as it stands.
func (c *client) next(a answer) string {
	c.t.Helper()
	link, ok := a.json["nextLink"]
	if !ok {
		c.t.Fatalf("no nextLink: %s", a.body)
	}
	if link == nil {
		return ""
	}
	target, ok := strings.CutPrefix(link.(string), "https://"+c.host)
	if _, err := url.Parse(target); !ok || err != nil {
		c.t.Fatalf("nextLink %v is not at https://%s", link, c.host)
	}
	return target
}

// walk follows a listing to its end and returns the names, or versions, that it showed. between is
// called before each page but the first.
func (c *client) walk(target string, between func()) (shown []string) {
	c.t.Helper()
	for page := 0; target != ""; page++ {
		if page > 0 && between != nil {
			between()
		}
		a := c.raw("GET", target, "")
		if a.status != 200 || page > 200 {
			c.t.Fatalf("page %d, %s: %d %s", page, target, a.status, a.body)
		}
		for _, item := range a.rows() {
			id, ok := item.(map[string]any)["id"].(string)
			if !ok {
				id = item.(map[string]any)["kid"].(string)
			}
			shown = append(shown, id[strings.LastIndexByte(id, '/')+1:])
		}
		target = c.next(a)
	}
	return shown
}

// Every listing of both collections, by every size of page: all of it, in order, each once, with
// the query that was sent in every link.
func TestEveryListingIsFollowedToItsEnd(t *testing.T) {
	c := unsealed(t).application(t, "listings", everything)
	var names, versions = []string{}, map[string][]string{}
	for _, k := range kinds {
		names = names[:0]
		for i := range 7 {
			name := fmt.Sprintf("n%d", i)
			names = append(names, name)
			k.make(c, name, i%2 == 0) // disabled ones are listed too
			k.make(c, "gone-"+name, false)
			c.ok("DELETE", "/"+k.path+"/gone-"+name, "")
		}
		for range 6 {
			versions[k.path] = append(versions[k.path], k.make(c, "n0", false).version())
		}
		first := c.walk("/"+k.path+"/n0/versions"+apiQuery, nil)
		if len(first) != 7 {
			t.Fatalf("%d versions of %s", len(first), k.path)
		}
		for most := range 25 {
			query := fmt.Sprintf("?maxresults=%d&api%%2Dversion=7.4", most+1)
			if got := c.walk("/"+k.path+query, nil); !slices.Equal(got, names) {
				t.Errorf("%s by %d: %v", k.path, most+1, got)
			}
			if got := c.walk("//"+strings.ToUpper(k.path)+"/"+query, nil); !slices.Equal(got, names) {
				t.Errorf("%s by %d, spelt otherwise: %v", k.path, most+1, got)
			}
			if got := c.walk("/deleted"+k.path+query, nil); len(got) != 7 || got[0] != "gone-n0" ||
				got[6] != "gone-n6" {
				t.Errorf("deleted %s by %d: %v", k.path, most+1, got)
			}
			if got := c.walk("/"+k.path+"/N0/versions"+query, nil); !slices.Equal(got, first) {
				t.Errorf("versions of %s by %d: %v", k.path, most+1, got)
			}
		}
	}
}

func TestItemsOfListingsShowNoValuesAndNoKeys(t *testing.T) {
	c := unsealed(t).application(t, "items", everything)
	for _, k := range kinds {
		made := c.ok(k.method, "/"+k.path+"/N"+k.suffix,
			strings.TrimSuffix(k.body, "}")+`,"tags":{"a":"b"},"attributes":{"exp":4102444800}}`)
		for path, version := range map[string]string{"": "", "/n/versions": "/" + made.version()} {
			item := c.ok("GET", "/"+k.path+path, "").rows()[0].(map[string]any)
			id, rest := "id", 3
			if k.path == "keys" {
				id = "kid"
			}
			if item[id] != "https://"+c.host+"/"+k.path+"/N"+version ||
				item["tags"].(map[string]any)["a"] != "b" ||
				item["attributes"].(map[string]any)["exp"] != 4102444800.0 || len(item) != rest {
				t.Errorf("%s%s: %v", k.path, path, item)
			}
		}
		c.ok("DELETE", "/"+k.path+"/n", "")
		item := c.ok("GET", "/deleted"+k.path, "").rows()[0].(map[string]any)
		if item["recoveryId"] != "https://"+c.host+"/deleted"+k.path+"/N" || item["deletedDate"] == nil ||
			item["scheduledPurgeDate"] == nil || item["tags"] == nil || len(item) != 6 {
			t.Errorf("deleted %s: %v", k.path, item)
		}
	}
}

// A token of one listing is none of another: not of the other collection, the deleted ones, or
// versions; nor one that was altered.
func TestTokensOfOtherListingsAreRefused(t *testing.T) {
	c := unsealed(t).application(t, "tokens", everything)
	tokens := map[string]string{}
	for _, k := range kinds {
		for _, name := range []string{"a", "b", "c", "d"} {
			k.make(c, name, false)
			k.make(c, name, false)
		}
		c.ok("DELETE", "/"+k.path+"/c", "")
		c.ok("DELETE", "/"+k.path+"/d", "")
		for _, path := range []string{"/" + k.path, "/deleted" + k.path, "/" + k.path + "/a/versions"} {
			u, err := url.Parse(c.next(c.ok("GET", path+"?maxresults=1", "")))
			if err != nil || u.Query().Get("$skiptoken") == "" {
				t.Fatalf("%s: no token: %v", path, u)
			}
			tokens[path] = u.Query().Get("$skiptoken")
		}
	}
	for path := range tokens {
		for of, token := range tokens {
			for _, name := range []string{"$skiptoken", "%24skiptoken"} {
				a := c.call("GET", path+"?"+name+"="+token, "")
				if want := map[bool]int{true: 200, false: 400}[of == path]; a.status != want || want == 400 &&
					a.at("error", "code") != "BadParameter" {
					t.Errorf("%s with a token of %s: %d %s", path, of, a.status, a.body)
				}
			}
		}
		for _, token := range []string{tokens[path] + "A", tokens[path][1:], tokens[path] + "%0a", "%20",
			strings.Repeat("A", 300)} {
			if a := c.call("GET", path+"?$skiptoken="+token, ""); a.status != 400 {
				t.Errorf("%s with %s: %d %s", path, token, a.status, a.body)
			}
		}
	}
	// A token of the versions of one name goes on in those of another: it holds a version id, and
	// shows nothing that isn't asked for.
	if a := c.call("GET", "/secrets/b/versions?$skiptoken="+tokens["/secrets/a/versions"],
		""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// What is made and deleted between pages makes none come twice, and none of those that stay be
// missed.
func TestListingsWhileObjectsComeAndGo(t *testing.T) {
	c := unsealed(t).application(t, "come-and-go", everything)
	for _, k := range kinds {
		var stay []string
		for i := range 30 {
			name := fmt.Sprintf("m%02d-stays", i)
			stay = append(stay, name)
			k.make(c, name, false)
			k.make(c, fmt.Sprintf("m%02d-goes", i), false)
		}
		round := 0
		shown := c.walk("/"+k.path+apiQuery+"&maxresults=3", func() {
			k.make(c, fmt.Sprintf("a%02d-before", round), false) // sorts before everything, and after
			k.make(c, fmt.Sprintf("z%02d-after", round), false)
			k.make(c, fmt.Sprintf("m%02d-between", (round*7)%30), false)
			if round < 30 {
				c.ok("DELETE", fmt.Sprintf("/%s/m%02d-goes", k.path, (round*11)%30), "")
			}
			k.make(c, stay[round%30], false) // a new version moves nothing
			round++
		})
		sorted := slices.Clone(shown)
		slices.Sort(sorted)
		if !slices.Equal(shown, sorted) || len(slices.Compact(sorted)) != len(shown) {
			t.Errorf("%s: out of order, or twice: %v", k.path, shown)
		}
		for _, name := range stay {
			if !slices.Contains(shown, name) {
				t.Errorf("%s: %s was missed", k.path, name)
			}
		}
		if round < 15 || !slices.ContainsFunc(shown,
			func(s string) bool { return strings.HasSuffix(s, "-after") }) {
			t.Errorf("%s: %d pages, and nothing that came meanwhile: %v", k.path, round, shown)
		}
	}
}

// So it is with versions, whose ids have no order in time.
func TestListingsWhileVersionsCome(t *testing.T) {
	c := unsealed(t).application(t, "versions-come", everything)
	for _, k := range kinds {
		var there []string
		for range 12 {
			there = append(there, k.make(c, "n", false).version())
		}
		shown := c.walk("/"+k.path+"/n/versions"+apiQuery+"&maxresults=2",
			func() { k.make(c, "n", false) })
		if sorted := slices.Sorted(slices.Values(shown)); !slices.Equal(shown, sorted) ||
			len(slices.Compact(sorted)) != len(shown) {
			t.Errorf("%s: out of order, or twice: %v", k.path, shown)
		}
		for _, version := range there {
			if !slices.Contains(shown, version) {
				t.Errorf("%s: %s was missed", k.path, version)
			}
		}
	}
}

// The name that a token ends with may be gone when the token comes back.
func TestAListingGoesOnAfterItsLastNameWasPurged(t *testing.T) {
	c := unsealed(t).application(t, "purged-between", everything)
	for _, name := range []string{"a", "b", "c"} {
		secretKind.make(c, name, false)
	}
	first := c.ok("GET", "/secrets?maxresults=2", "")
	c.ok("DELETE", "/secrets/b", "")
	c.ok("DELETE", "/deletedsecrets/b", "")
	if got := c.walk(c.next(first), nil); !slices.Equal(got, []string{"c"}) {
		t.Errorf("after b: %v", got)
	}
}
