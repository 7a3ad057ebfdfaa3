package prove

import (
	"encoding/json"
	"fmt"
	"hash/maphash"
	"math/rand/v2"
	"net/http"
	"strings"
)

// names is the kind of an application's name: whoever creates it first has it, until it is deleted.
//
// Names are compared without case and kept as they were spelt. So the spelling says which request
// made the application.
type names struct{ r *Run }

func (names) initial() any { return int32(0) } // the id of the create that won

func (names) same(a, b any) bool { return a == b }

func (names) hash(state any) uint64 { return maphash.Comparable(seed, state.(int32)) }

func (names) answer(state any, q request) (reply, any) {
	owner := state.(int32)
	switch {
	case q.verb == create && owner != 0:
		return reply{word: taken}, owner
	case q.verb == create:
		return reply{word: done, version: q.id}, q.id
	case owner == 0:
		return reply{word: missing}, owner
	case q.verb == drop:
		return reply{word: done}, int32(0)
	default:
		return reply{word: done, version: owner}, owner
	}
}

var (
	whenFree = weights{{create, 60}, {find, 30}, {drop, 10}}
	whenHeld = weights{{create, 35}, {find, 40}, {drop, 25}}
)

func (names) choose(o *object, rng *rand.Rand) request {
	if o.guess.(int32) == 0 {
		return request{verb: whenFree.pick(rng)}
	}
	return request{verb: whenHeld.pick(rng)}
}

func (n names) call(o *object, q request) call {
	const apps = "/v1/keyquorum/apps"
	switch q.verb {
	case create:
		return operatorCall(http.MethodPost, apps, fmt.Sprintf(`{"name":%q}`, o.name+spelling(q.id)))
	case find:
		return operatorCall(http.MethodGet, apps+"/"+o.name+spelling(0), "")
	default:
		return operatorCall(http.MethodDelete, apps+"/"+o.name+spelling(0), "")
	}
}

func (names) decode(o *object, q request, body []byte) (reply, error) {
	if q.verb == drop {
		return reply{word: done}, nil
	}
	var app struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(body, &app); err != nil {
		return reply{}, err
	}
	spelt, ok := strings.CutPrefix(app.Name, o.name)
	if !ok || len(spelt) != letters {
		return reply{}, fmt.Errorf("the answer is for %q", app.Name)
	}
	return reply{word: done, version: spelt2id(spelt)}, nil
}

func (names) readBack(*object, int, int) []request { return []request{{verb: find}} }

func (names) cleanUp(o *object) []call { return []call{names{}.call(o, request{verb: drop})} }

// letters is how many letters a name ends in: as many bits of an id.
const letters = 24

// spelling writes an id as letters, a small one for 0 and a capital for 1.
func spelling(id int32) string {
	b := make([]byte, letters)
	for i := range b {
		b[i] = 'a'
		if id>>i&1 == 1 {
			b[i] = 'A'
		}
	}
	return string(b)
}

func spelt2id(s string) (id int32) {
	for i := range len(s) {
		if s[i] == 'A' {
			id |= 1 << i
		}
	}
	return id
}
