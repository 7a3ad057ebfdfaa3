package prove

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// access is the kind of what an application may do in the vault: administrators change it through any node while the
// application uses it through any node.
type access struct{ r *Run }

// rights are what a grant allows, of what is tried here.
type rights uint8

const (
	mayGet rights = 1 << iota
	maySet
)

var rightNames = [...]struct {
	right rights
	name  string
}{{mayGet, "get"}, {maySet, "set"}}

func (m rights) names() []string {
	names := []string{}
	for _, n := range rightNames {
		if m&n.right != 0 {
			names = append(names, n.name)
		}
	}
	return names
}

func rightsOf(names []string) (m rights) {
	for _, n := range rightNames {
		if slices.Contains(names, n.name) {
			m |= n.right
		}
	}
	return m
}

func (m rights) String() string {
	if m == 0 {
		return "nothing"
	}
	return strings.Join(m.names(), "+")
}

// granting is the state: what is granted, and whether the application is switched off.
type granting struct {
	rights rights
	off    bool
}

func (access) initial() any { return granting{} }

func (access) same(a, b any) bool { return a == b }

func (access) hash(state any) uint64 { return maphash.Comparable(seed, state.(granting)) }

func (access) answer(state any, q request) (reply, any) {
	s := state.(granting)
	switch q.verb {
	case grant:
		s.rights = q.rights
		return reply{word: done, rights: s.rights}, s
	case enable:
		s.off = !q.on
		return reply{word: done, on: q.on}, s
	case granted:
		return reply{word: done, rights: s.rights}, s
	case enabled:
		return reply{word: done, on: !s.off}, s
	default:
		return reply{word: s.admit(q.rights)}, s
	}
}

func (s granting) admit(need rights) word {
	switch {
	case s.off:
		return barred
	case s.rights&need == 0:
		return denied
	case need == mayGet: // a secret that is absent
		return missing
	default:
		return done
	}
}

var (
	whenOn  = weights{{grant, 22}, {enable, 6}, {granted, 7}, {enabled, 4}, {use, 61}}
	whenOff = weights{{grant, 10}, {enable, 40}, {granted, 5}, {enabled, 10}, {use, 35}}
)

func (access) choose(o *object, rng *rand.Rand) request {
	s := o.guess.(granting)
	from := whenOn
	if s.off {
		from = whenOff
	}
	q := request{verb: from.pick(rng), on: s.off}
	switch q.verb {
	case grant:
		q.rights = (s.rights + rights(1+rng.IntN(3))) % 4 // another than now
	case use:
		q.rights = rights(1 + rng.IntN(2))
		if denied := (mayGet | maySet) &^ s.rights; denied != 0 && rng.IntN(2) == 0 {
			q.rights = min(denied, maySet) // what was taken away is the right to try
		}
	}
	return q
}

func (a access) call(o *object, q request) call {
	app, path := "/v1/keyquorum/apps/"+o.app.name, a.r.grantPath(o.app.name)
	switch {
	case q.verb == grant && q.rights == 0:
		return operatorCall(http.MethodDelete, path, "")
	case q.verb == grant:
		names, _ := json.Marshal(q.rights.names())
		return operatorCall(http.MethodPut, path, fmt.Sprintf(`{"secrets":%s}`, names))
	case q.verb == granted:
		return operatorCall(http.MethodGet, strings.TrimSuffix(path, "/"+o.app.name), "")
	case q.verb == enable:
		return operatorCall(http.MethodPost, app, fmt.Sprintf(`{"enabled":%t}`, q.on))
	case q.verb == enabled:
		return operatorCall(http.MethodGet, app, "")
	case q.rights == mayGet:
		return a.r.applicationCall(o.app, http.MethodGet, "/secrets/"+o.name+"-absent", "")
	default:
		return a.r.applicationCall(o.app, http.MethodPut, "/secrets/"+o.name, `{"value":"x"}`)
	}
}

func (access) decode(o *object, q request, body []byte) (reply, error) {
	if q.verb == use || q.verb == grant && q.rights == 0 {
		return reply{word: done}, nil
	}
	type permissions struct {
		App     string   `json:"app"`
		Secrets []string `json:"secrets"`
	}
	var b struct {
		permissions               // of one grant
		Grants      []permissions `json:"grants"`
		Enabled     bool          `json:"enabled"`
	}
	if err := json.Unmarshal(body, &b); err != nil {
		return reply{}, err
	}
	for _, g := range b.Grants {
		if g.App == o.app.name {
			b.Secrets = g.Secrets
		}
	}
	return reply{word: done, rights: rightsOf(b.Secrets), on: b.Enabled}, nil
}

func (access) readBack(*object, int, int) []request {
	return []request{{verb: granted}, {verb: enabled}, {verb: use, rights: mayGet}, {verb: use, rights: maySet}}
}

// cleanUp leaves the removal of the secret to the worker: the application may not.
func (a access) cleanUp(o *object) []call {
	secret := secrets(a.r).cleanUp(o)
	return append(secret, operatorCall(http.MethodDelete, "/v1/keyquorum/apps/"+o.app.name, ""))
}
