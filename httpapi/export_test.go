package httpapi

import (
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/figures"
	"keyquorum/httpapi/hosts"
	"keyquorum/httpapi/joining"
	"keyquorum/httpapi/openapi"
	"keyquorum/httpapi/throttle"
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

func rows(routes []exchange.Route) (out []RouteRow) {
	for _, r := range routes {
		out = append(out, RouteRow{r.Methods, r.Shape, r.Body, r.Open, r.Idle, r.Operation})
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
func AppendString(dst []byte, s string) []byte {
	return wire.AppendString(dst,
		s)
}
func DecodeShare(text []byte) ([]byte, error) { return decodeShare(text) }
func ValidVersion(v string) bool              { return validVersion(v) }
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
		"challenge":  into(func() any { return new(joining.ChallengeBody) }),
		"answer":     into(func() any { return new(joining.AnswerBody) }),
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
func Place(host string, z hosts.Zone) (plane, vault, parent string) {
	p, place := hosts.Zones{z}.Place(host)
	return [...]string{"operator", "application", "login"}[p], place.Vault, place.Parent
}

// Find looks a path of the application plane up.
func Find(method, escapedPath string) (shape string, params [2]string) {
	var segments [exchange.MaxSegments]string
	var p [2]string
	rt, _, _ := exchange.Find(applicationRoutes(), method,
		exchange.SplitPath(escapedPath, true, &segments), wire.EqualFold,
		(*pair)(&p))
	if rt == nil {
		return "", params
	}
	return rt.Shape, p
}

type pair = exchange.Params

// A Described is what descriptions say of a route.
type Described struct {
	Summary string
	Takes   bool
}

// Descriptions are all of them, by first method and shape.
func Descriptions() map[string]Described {
	out := make(map[string]Described)
	for _, s := range theSurfaces() {
		for key, d := range s.Descriptions {
			out[key] = Described{d.Summary, d.Takes.Name != ""}
		}
	}
	return out
}

var theSurfaces = sync.OnceValue(func() map[hosts.Plane]openapi.Surface {
	application, login := appSurfaces()
	return map[hosts.Plane]openapi.Surface{hosts.OperatorPlane: opSurface(),
		hosts.ApplicationPlane: application, hosts.LoginPlane: login}
})

// Documented is the document's path for one that is asked for, "" where no route has it.
func Documented(host, method, escapedPath string, z hosts.Zone) string {
	plane, _ := hosts.Zones{z}.Place(host)
	s := theSurfaces()[plane]
	same := exactly
	if plane != hosts.OperatorPlane {
		same = wire.EqualFold
	}
	path, ok := strings.CutPrefix(escapedPath, s.Prefix)
	if !ok {
		return ""
	}
	var segments [exchange.MaxSegments]string
	var p exchange.Params
	given := exchange.SplitPath(path, plane == hosts.ApplicationPlane, &segments)
	rt, _, _ := exchange.Find(s.Routes, method, given, same, &p)
	if rt == nil {
		return ""
	}
	shape := rt.Shape
	if len(given) <= strings.Count(shape, "/") {
		shape = strings.ReplaceAll(shape, "/[version]", "")
	}
	return s.Prefix + strings.NewReplacer("[", "{", "]", "}").Replace(shape)
}

// Panicking are handlers of the three formats whose every request panics.
func (h *Handler) Panicking() map[string]http.Handler {
	out := make(map[string]http.Handler)
	for name, begin := range map[string]func(w http.ResponseWriter, r *http.Request) *exchange.Call{
		"application": func(w http.ResponseWriter, r *http.Request) *exchange.Call {
			return &h.apps.newCall(w, r, azureFormat).Call
		},
		"operator": func(w http.ResponseWriter, r *http.Request) *exchange.Call {
			return &h.ops.newCall(w, r).Call
		},
		"login": func(w http.ResponseWriter, r *http.Request) *exchange.Call {
			return &h.apps.newCall(w, r, oauthFormat).Call
		},
	} {
		out[name] = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			c := begin(w, r)
			c.CommonHeaders()
			c.Run(func() error {
				*c.Out = append(*c.Out, `{"value":"half an answer`...)
				panic("the canary")
			})
		})
	}
	return out
}

// Counting is what each request pays for being counted and throttled, and nothing else of it.
func Counting(t throttle.Limit) (request func()) {
	m := figures.NewMeters()
	routes := exchange.Metered(m, secretRoutes())
	p := &applications{Desk: exchange.NewDesk(hclog.NewNullLogger(), m)}
	p.SetThrottle(t)
	c := &appCall{apps: p}
	c.Route, c.Status = &routes[0], http.StatusOK
	c.caller.Vault, c.caller.Identity.OID = "demo", "11111111-2222-3333-4444-555555555555"
	c.Req.Start = time.Now()
	p.throttle.Load().Take(throttle.Who{OID: c.caller.Identity.OID, Vault: c.caller.Vault},
		c.Req.Start,
		func(string) bool { return true })
	return func() {
		m.InFlight.Add(1)
		if err := c.unthrottled(); err != nil {
			panic(err)
		}
		routes[0].Meter.Count(c.Status, c.Req.Start)
		m.InFlight.Add(-1)
	}
}

// At sets the clock by which Authorities fetch anew.
func (a *Authorities) At(now func() time.Time) { a.now = now }

// Outlook is what sys/ha-status says in words of a survey.
func Outlook(s node.Survey) []string { return haStatusOf(s, time.Now()).Outlook }
