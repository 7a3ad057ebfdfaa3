package prove

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// A collection is the kind of a secret or a key: an object with versions, soft deletion, recovery
// and purge. Its model is in versions.go.
type collection struct {
	r     *Run
	path  string // "secrets" or "keys"
	hides bool   // a disabled version is not shown, and not where it is deleted either

	whenLive, whenDeleted weights
}

func secrets(r *Run) *collection {
	return &collection{r: r, path: "secrets", hides: true,
		whenLive: weights{{set, 27}, {get, 25}, {list, 9}, {listed, 6}, {update, 14}, {remove, 10},
			{getDeleted, 2}, {listedDeleted, 3}, {undelete, 2}, {purge, 2}},
		whenDeleted: weights{{undelete, 28}, {purge, 20}, {getDeleted, 11}, {listedDeleted, 8}, {set, 11},
			{get, 8}, {listed, 5}, {list, 4}, {update, 3}, {remove, 2}},
	}
}

func keys(r *Run) *collection {
	return &collection{r: r, path: "keys",
		whenLive: weights{{set, 22}, {sign, 20}, {verify, 7}, {get, 9}, {list, 7}, {listed, 6},
			{update, 12}, {remove, 8}, {getDeleted, 2}, {listedDeleted, 3}, {undelete, 2}, {purge, 2}},
		whenDeleted: weights{{undelete, 28}, {purge, 20}, {getDeleted, 11}, {listedDeleted, 8}, {set, 11},
			{sign, 8}, {listed, 5}, {list, 4}, {update, 3}, {remove, 2}},
	}
}

// maxVersions keeps a listing on one page (25): pages are requests of their own, and together no
// view of one moment.
const maxVersions = 24

func (c *collection) choose(o *object, rng *rand.Rand) request {
	s, from := o.guess.(versions), c.whenLive
	if s.deleted {
		from = c.whenDeleted
	}
	q := request{verb: from.pick(rng), on: rng.IntN(4) > 0}
	switch q.verb {
	case set:
		if o.sets == maxVersions {
			q.verb = get
		} else {
			o.sets++
		}
	case verify:
		if q.signed = o.signature; q.signed == nil {
			q.verb = sign
		} else {
			q.version = q.signed.version
		}
	case get, sign, update:
		q.version = o.someVersion(rng)
	}
	return q
}

func (c *collection) call(o *object, q request) call {
	live, gone := "/"+c.path+"/"+o.name, "/deleted"+c.path+"/"+o.name
	version := live
	if q.version != 0 {
		version += "/" + o.versionID(q.version)
	}
	switch q.verb {
	case set:
		return c.set(live, q)
	case get:
		return c.asWorker(http.MethodGet, version, "")
	case list:
		return c.asWorker(http.MethodGet, live+"/versions", "")
	case listed:
		return c.listing("/"+c.path, q.id)
	case listedDeleted:
		return c.listing("/deleted"+c.path, q.id)
	case update:
		return c.asWorker(http.MethodPatch, version,
			fmt.Sprintf(`{"attributes":{"enabled":%t,"exp":%d}}`, q.on, markBase+int64(q.id)))
	case remove:
		return c.asWorker(http.MethodDelete, live, "")
	case getDeleted:
		return c.asWorker(http.MethodGet, gone, "")
	case undelete:
		return c.asWorker(http.MethodPost, gone+"/recover", "")
	case purge:
		return c.asWorker(http.MethodDelete, gone, "")
	case sign:
		return c.asWorker(http.MethodPost, version+"/sign",
			fmt.Sprintf(`{"alg":"ES256","value":%q}`, digestOf(q.id)))
	default:
		return c.asWorker(http.MethodPost, version+"/verify",
			fmt.Sprintf(`{"alg":"ES256","digest":%q,"value":%q}`, q.signed.digest, q.signed.value))
	}
}

func (c *collection) asWorker(method, path, body string) call {
	return c.r.applicationCall(c.r.worker, method, path, body)
}

func (c *collection) set(live string, q request) call {
	if c.path == "keys" {
		return c.asWorker(http.MethodPost, live+"/create",
			fmt.Sprintf(`{"kty":"EC","crv":"P-256","tags":{"write":"%d"}}`, q.id))
	}
	return c.asWorker(http.MethodPut, live,
		fmt.Sprintf(`{"value":%q,"tags":{"write":"%d"}}`, valueOf(q.id), q.id))
}

// markBase is the end of a version's time that means no update; an update adds its id. It is in the
// year 2100.
const markBase = 4102444800

// valueOf is a value that no other write writes. Lengths vary, for records do.
func valueOf(id int32) string {
	return strconv.Itoa(int(id)) + strings.Repeat(".", int(id%7)*300)
}

func digestOf(id int32) string {
	sum := sha256.Sum256([]byte(valueOf(id)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// A bundle is a version as the API shows it.
type bundle struct {
	ID  string `json:"id"`
	KID string `json:"kid"`
	Key struct {
		KID string `json:"kid"`
		X   string `json:"x"`
		Y   string `json:"y"`
	} `json:"key"`
	Attributes struct {
		Enabled bool  `json:"enabled"`
		Expires int64 `json:"exp"`
	} `json:"attributes"`
	Tags struct {
		Write int32 `json:"write,string"`
	} `json:"tags"`
}

func (c *collection) decode(o *object, q request, body []byte) (reply, error) {
	switch q.verb {
	case purge:
		return reply{word: done}, nil
	case list:
		return c.decodeList(o, body)
	case listed, listedDeleted:
		return c.decodeListing(o, body)
	case sign:
		return c.decodeSignature(o, q, body)
	case verify:
		return decodeVerdict(q, body)
	}
	var b struct {
		bundle
		Value string `json:"value"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return reply{}, err
	}
	if c.path == "keys" && b.Key.X == "" {
		return reply{}, fmt.Errorf("the version of write %d is without its public key", b.Tags.Write)
	}
	v, err := c.version(o, &b.bundle)
	if err == nil && c.path == "secrets" && (q.verb == get || q.verb == set) &&
		b.Value != valueOf(v.write) {
		err = fmt.Errorf("the version of write %d has the value %q", v.write, b.Value)
	}
	return v.reply(), err
}

// version is what a bundle says.
func (b *bundle) version() version {
	v := version{write: b.Tags.Write, off: !b.Attributes.Enabled}
	if b.Attributes.Expires != 0 {
		v.mark = int32(b.Attributes.Expires - markBase)
	}
	return v
}

// version is what a bundle says, once it is clear that it fits what other answers said of the same
// version.
func (c *collection) version(o *object, b *bundle) (version, error) {
	v := b.version()
	return v, c.r.learn(o, b.ID+b.KID+b.Key.KID, v.write, point{b.Key.X, b.Key.Y})
}

func (c *collection) decodeList(o *object, body []byte) (reply, error) {
	var page struct {
		Value []bundle `json:"value"`
		Next  *string  `json:"nextLink"`
	}
	if err := json.Unmarshal(body, &page); err != nil {
		return reply{}, err
	}
	if page.Next != nil {
		return reply{}, errors.New("a page of so few versions is not the last")
	}
	var all []version
	for i := range page.Value {
		v, err := c.version(o, &page.Value[i])
		if err != nil {
			return reply{}, err
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b version) int { return cmp.Compare(a.write, b.write) })
	return reply{word: done, list: spell(all)}, nil
}

func (c *collection) decodeSignature(o *object, q request, body []byte) (reply, error) {
	var signed struct {
		KID   string `json:"kid"`
		Value string `json:"value"`
	}
	if err := json.Unmarshal(body, &signed); err != nil {
		return reply{}, err
	}
	s := &signature{kid: signed.KID, version: c.r.writeOf(signed.KID), digest: digestOf(q.id),
		value: signed.Value}
	if s.version == 0 {
		return reply{word: done, version: somebody, signed: s}, nil // perhaps Check knows
	}
	o.keep(s)
	return reply{word: done, version: s.version, signed: s}, nil
}

func decodeVerdict(q request, body []byte) (reply, error) {
	var verdict struct {
		Value bool `json:"value"`
	}
	if err := json.Unmarshal(body, &verdict); err != nil {
		return reply{}, err
	}
	if !verdict.Value {
		return reply{}, errors.New("the key's own signature is not its signature")
	}
	return reply{word: done, version: q.version}, nil
}

// readBack reads the latest version and the list, and every nodes-th version that was ever seen.
// Some node has the object in its list, too. A key's signs, too: that it is shown does not say that
// its private half is there.
func (c *collection) readBack(o *object, node, nodes int) []request {
	requests := []request{{verb: get}, {verb: list}}
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(o.made)%nodes == node {
		requests = append(requests, request{verb: listed})
	}
	for i, m := range o.made {
		if i%nodes == node {
			requests = append(requests, request{verb: get, version: m.write})
			if c.path == "keys" {
				requests = append(requests, request{verb: sign, version: m.write})
			}
		}
	}
	return requests
}

func (c *collection) cleanUp(o *object) []call {
	return []call{c.call(o, request{verb: remove}), c.call(o, request{verb: purge})}
}
