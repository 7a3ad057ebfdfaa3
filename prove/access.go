package prove

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math/bits"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
)

// access is the kind of what an application may do in the vault: administrators change it through
// any node while the application uses it through any node.
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

// granting is the state: what is granted, whether the application is switched off, and which of its
// client secrets are gone.
type granting struct {
	rights  rights
	off     bool
	revoked uint8 // a bit for each secret; the first is never revoked
}

// spares is how many client secrets an application has beside its first.
const spares = 3

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
	case revoke:
		if s.gone(q.secret) {
			return reply{word: missing}, s
		}
		s.revoked |= 1 << q.secret
		return reply{word: done}, s
	default:
		return reply{word: s.admit(q)}, s
	}
}

func (s granting) gone(secret uint8) bool { return s.revoked>>secret&1 == 1 }

func (s granting) admit(q request) word {
	switch {
	case s.off || s.gone(q.secret):
		return barred
	case q.verb == signIn:
		return done
	case s.rights&q.rights == 0:
		return denied
	case q.rights == mayGet: // a secret that is absent
		return missing
	default:
		return done
	}
}

var (
	whenOn = weights{{grant, 20}, {enable, 6}, {revoke, 5}, {granted, 6}, {enabled, 3}, {signIn, 12},
		{use, 48}}
	whenOff = weights{{grant, 8}, {enable, 40}, {revoke, 2}, {granted, 4}, {enabled, 8}, {signIn, 14},
		{use, 24}}
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
	q.secret = s.chooseSecret(q.verb, rng)
	return q
}

// chooseSecret revokes one after the other, and tries what was revoked last as often as any other.
func (s granting) chooseSecret(v verb, rng *rand.Rand) uint8 {
	revoked := bits.OnesCount8(s.revoked)
	switch {
	case v == revoke:
		return uint8(min(revoked+1, spares))
	case v != signIn && v != use:
		return 0
	case rng.IntN(2) == 0:
		return uint8(revoked)
	default:
		return uint8(rng.IntN(1 + spares))
	}
}

func (a access) call(o *object, q request) call {
	name := o.apps[0].name
	app, path := "/v1/keyquorum/apps/"+name, a.r.grantPath(name)
	switch {
	case q.verb == grant && q.rights == 0:
		return operatorCall(http.MethodDelete, path, "")
	case q.verb == grant:
		names, _ := json.Marshal(q.rights.names())
		return operatorCall(http.MethodPut, path, fmt.Sprintf(`{"secrets":%s}`, names))
	case q.verb == granted:
		return operatorCall(http.MethodGet, strings.TrimSuffix(path, "/"+name), "")
	case q.verb == enable:
		return operatorCall(http.MethodPost, app, fmt.Sprintf(`{"enabled":%t}`, q.on))
	case q.verb == enabled:
		return operatorCall(http.MethodGet, app, "")
	case q.verb == revoke:
		return operatorCall(http.MethodDelete, app+"/credentials/"+o.apps[q.secret].credential, "")
	case q.verb == signIn:
		return a.r.issueCall(o.apps[q.secret])
	case q.rights == mayGet:
		return a.r.applicationCall(o.apps[q.secret], http.MethodGet, "/secrets/"+o.name+"-absent", "")
	default:
		return a.r.applicationCall(o.apps[q.secret], http.MethodPut, "/secrets/"+o.name, `{"value":"x"}`)
	}
}

func (access) decode(o *object, q request, body []byte) (reply, error) {
	switch {
	case q.verb == use, q.verb == revoke, q.verb == grant && q.rights == 0:
		return reply{word: done}, nil
	case q.verb == signIn:
		var issued issued
		if err := json.Unmarshal(body, &issued); err != nil || issued.Bearer == "" {
			return reply{}, fmt.Errorf("no token in %q", body)
		}
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
		if g.App == o.apps[0].name {
			b.Secrets = g.Secrets
		}
	}
	return reply{word: done, rights: rightsOf(b.Secrets), on: b.Enabled}, nil
}

func (access) readBack(_ *object, node, _ int) []request {
	return []request{{verb: granted}, {verb: enabled}, {verb: use, rights: mayGet},
		{verb: use, rights: maySet},
		{verb: signIn, secret: uint8(1 + node%spares)}} // a token of a secret that may be revoked, nobody may have any more
}

// cleanUp leaves the removal of the secret to the worker: the application may not.
func (a access) cleanUp(o *object) []call {
	secret := secrets(a.r).cleanUp(o)
	return append(secret, operatorCall(http.MethodDelete, "/v1/keyquorum/apps/"+o.apps[0].name, ""))
}
