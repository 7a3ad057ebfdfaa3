package httpapi

import (
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/wire"
	"keyquorum/node"
)

// What tests from outside may look at.

const (
	MaxLarge   = maxLarge
	MaxHuge    = maxHuge
	MaxBackups = maxBackups
)

// A RouteRow is what the walk over the tables wants of a route.
type RouteRow struct {
	Methods         []string
	Shape           string
	Body            int64
	Open, WhenIdle  bool
	OperationRecord string
}

func rows(routes []route) (out []RouteRow) {
	for _, r := range routes {
		out = append(out, RouteRow{r.methods, r.shape, r.body, r.open, r.idle, r.operation})
	}
	return out
}

func ApplicationRows() []RouteRow { return rows(applicationRoutes()) }
func TokenRows() []RouteRow       { return rows(tokenRoutes()) }
func OperatorRows() []RouteRow {
	return rows(slices.Concat(operatorRoutes(false), adminRoutes()))
}

func EachMember(b []byte, f func(name, value []byte) error) error { return wire.EachMember(b, f) }
func Unquote(b []byte) []byte                                     { return wire.Unquote(b) }
func AppendString(dst []byte, s string) []byte                    { return wire.AppendString(dst, s) }
func DecodeShare(text []byte) ([]byte, error)                     { return decodeShare(text) }
func ValidVersion(v string) bool                                  { return validVersion(v) }
func HealthCode(h node.Health, leaderKnown bool, query string) (int, error) {
	return healthCode(h, leaderKnown, query)
}

// BodyTypes are all types that a request body is decoded into.
func BodyTypes() map[string]func(body []byte) error {
	into := func(req func() any) func([]byte) error {
		return func(b []byte) error { return wire.Decode(b, req()) }
	}
	return map[string]func([]byte) error{
		"secret":     into(func() any { return new(secretRequest) }),
		"key":        into(func() any { return new(keyRequest) }),
		"crypto":     into(func() any { return new(cryptoRequest) }),
		"import":     into(func() any { return new(importRequest) }),
		"backup":     into(func() any { return new(valueRequest) }),
		"random":     into(func() any { return new(countRequest) }),
		"release":    into(func() any { return new(releaseRequest) }),
		"rotation":   into(func() any { return new(rotationPolicy) }),
		"init":       into(func() any { return new(initRequest) }),
		"unseal":     into(func() any { return new(unsealRequest) }),
		"join":       into(func() any { return new(joinRequest) }),
		"challenge":  into(func() any { return new(challengeBody) }),
		"answer":     into(func() any { return new(answerBody) }),
		"remove":     into(func() any { return new(removeRequest) }),
		"vault":      into(func() any { return new(vaultRequest) }),
		"grant":      into(func() any { return new(grantRequest) }),
		"app":        into(func() any { return new(appRequest) }),
		"enabled":    into(func() any { return new(enabledRequest) }),
		"credential": into(func() any { return new(credentialRequest) }),
	}
}

// DecodeSecret decodes the body of a set.
func DecodeSecret(b []byte) (value []byte, err error) {
	var q secretRequest
	err = wire.Decode(b, &q)
	return q.value, err
}

// Place takes a Host apart under one zone. Plane is "operator", "application" or "login".
func Place(host string, z Zone) (plane, vault, parent string) {
	p, place := zones{z}.placeOf(host)
	return [...]string{"operator", "application", "login"}[p], place.vault, place.parent
}

// Find looks a path of the application plane up.
func Find(method, escapedPath string) (shape string, params [2]string) {
	var segments [maxSegments]string
	var p [2]string
	rt, _, _ := find(applicationRoutes(), method, splitPath(escapedPath, true, &segments), wire.EqualFold,
		(*pair)(&p))
	if rt == nil {
		return "", params
	}
	return rt.shape, p
}

type pair = params

// A Described is what descriptions say of a route.
type Described struct {
	Summary string
	Takes   bool
}

// Descriptions are all of them, by first method and shape.
func Descriptions() map[string]Described {
	out := make(map[string]Described)
	for key, d := range descriptions {
		out[key] = Described{d.summary, d.takes.name != ""}
	}
	return out
}

var theSurfaces = sync.OnceValue(surfaces)

// Documented is the document's path for one that is asked for, "" where no route has it.
func Documented(host, method, escapedPath string, z Zone) string {
	plane, _ := zones{z}.placeOf(host)
	s := theSurfaces()[plane]
	same := exactly
	if plane != operatorPlane {
		same = wire.EqualFold
	}
	path, ok := strings.CutPrefix(escapedPath, s.prefix)
	if !ok {
		return ""
	}
	var segments [maxSegments]string
	var p params
	given := splitPath(path, plane == applicationPlane, &segments)
	rt, _, _ := find(s.routes, method, given, same, &p)
	if rt == nil {
		return ""
	}
	shape := rt.shape
	if len(given) <= strings.Count(shape, "/") {
		shape = strings.ReplaceAll(shape, "/[version]", "")
	}
	return s.prefix + strings.NewReplacer("[", "{", "]", "}").Replace(shape)
}

// Panicking are handlers of the three formats whose every request panics.
func (h *Handler) Panicking() map[string]http.Handler {
	out := make(map[string]http.Handler)
	for name, begin := range map[string]func(w http.ResponseWriter, r *http.Request) *call{
		"application": func(w http.ResponseWriter, r *http.Request) *call {
			return &h.apps.newCall(w, r, azureFormat).call
		},
		"operator": func(w http.ResponseWriter, r *http.Request) *call {
			return &h.ops.newCall(w, r).call
		},
		"login": func(w http.ResponseWriter, r *http.Request) *call {
			return &h.apps.newCall(w, r, oauthFormat).call
		},
	} {
		out[name] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := begin(w, r)
			c.commonHeaders()
			c.run(func() error {
				*c.out = append(*c.out, `{"value":"half an answer`...)
				panic("the canary")
			})
		})
	}
	return out
}

// FigureRows are the lines of the table in docs/metrics.md.
func FigureRows() (rows []string) {
	where := map[when]string{always: "all", onMember: "with data", onLeader: "leader"}
	for _, f := range figures {
		labels := ""
		if len(f.labels) > 0 {
			labels = "`" + strings.Join(f.labels, "`, `") + "`"
		}
		rows = append(rows, "| `"+f.name+"` | "+f.shape+" | "+labels+" | "+where[f.when]+" | "+f.help+
			" |")
	}
	return rows
}

// Buckets are a throttle without a node.
type Buckets struct{ t *throttle }

const MaxBuckets = maxBuckets

func NewBuckets(t Throttle) Buckets { return Buckets{newThrottle(t)} }

func (b Buckets) Take(oid, vault string, now time.Time) bool {
	return b.t.take(who{oid, vault}, now, func(string) bool { return true })
}

func (b Buckets) Len() int { return len(b.t.young) + len(b.t.old) }

// Counting is what each request pays for being counted and throttled, and nothing else of it.
func Counting(t Throttle) (request func()) {
	m := newMeters()
	routes := metered(m, secretRoutes())
	p := &applications{desk: newDesk(hclog.NewNullLogger(), m)}
	p.SetThrottle(t)
	c := &appCall{apps: p}
	c.route, c.status = &routes[0], http.StatusOK
	c.caller.Vault, c.caller.Identity.OID = "demo", "11111111-2222-3333-4444-555555555555"
	c.req.Start = time.Now()
	p.throttle.Load().take(who{c.caller.Identity.OID, c.caller.Vault}, c.req.Start,
		func(string) bool { return true })
	return func() {
		m.inFlight.Add(1)
		if err := c.unthrottled(); err != nil {
			panic(err)
		}
		routes[0].meter.count(c.status, c.req.Start)
		m.inFlight.Add(-1)
	}
}

// At sets the clock by which Authorities fetch anew.
func (a *Authorities) At(now func() time.Time) { a.now = now }

// A Framing follows the requests of one connection.
type Framing struct{ framing }

func (f *Framing) Take(p []byte) error { return f.take(p) }

// InHead says that a request's head was begun and is not complete.
func (f *Framing) InHead() bool { return f.state <= afterHead && !f.Between() }

// Between says that all requests that were begun have ended.
func (f *Framing) Between() bool { return f.state == atMethod && len(f.line) == 0 }

// NewForgetfulConn is what stands under a TLS layer; slow counts peers that do not read.
func NewForgetfulConn(conn net.Conn, slow *atomic.Uint64) net.Conn {
	return forgetful(conn, slow)
}

// Outlook is what sys/ha-status says in words of a survey.
func Outlook(s node.Survey) []string { return haStatusOf(s, time.Now()).Outlook }
