package exchange

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"keyquorum/httpapi/figures"
)

// A Route is one operation: when it is asked for, what the usage log calls it, how much body it
// takes, and what to do.
type Route struct {
	Methods   []string
	Shape     string // "keys/{name}/[version]/sign": {} takes one segment, [] one or none, all else is literal
	Operation string
	Body      int64         // most bytes of body that are read; 0: the body is not looked at
	Open      bool          // operator plane: served without a token. Whatever does not say so is refused
	Shares    bool          // takes or shows unseal shares: the connection forgets it, and ends
	Probe     bool          // asks how this node is: its connection has a share that strangers' have not
	Alone     bool          // operator plane: needs no other node's consent, so the token is verified without asking any
	Held      bool          // operator plane: tells what this node holds. Without a leader the token is verified on that, too
	Idle      bool          // operator plane: a sealed node has nothing to do and answers 204
	Within    time.Duration // from its headers to its answer; 0: RequestTime
	Serve     Endpoint
	Meter     *figures.Meter // set when the tables are built
}

// An Endpoint serves a call that is authenticated and has a route. Its error becomes the answer.
type Endpoint func(c *Call) error

// Serve makes an endpoint of an act between decoded request and encoded answer.
// C is the plane's call.
func Serve[C planeCall, Req, Resp any](act func(c C, req *Req) (Resp, error),
	write func(c C, resp *Resp) error) Endpoint {
	return Directly(func(c C) error {
		var req Req
		if err := c.self().decode(&req); err != nil {
			return err
		}
		resp, err := act(c, &req)
		if err != nil {
			return err
		}
		return write(c, &resp)
	})
}

// Directly makes an endpoint of what reads its request and writes its answer itself.
func Directly[C planeCall](do func(c C) error) Endpoint {
	return func(c *Call) error { return do(c.plane.(C)) }
}

// None is the request or answer without a body.
type None struct{}

// NoContent writes 204.
func NoContent[C planeCall](c C, _ *None) error {
	c.self().Status = http.StatusNoContent
	return nil
}

// Params are what the {} and [] segments of a shape took, in order.
type Params [2]string

// Find returns the route for method and path. Where the path has only other methods, allow lists
// them, and open says that one of them is served without a token; where it has none, allow is
// empty.
func Find(routes []Route, method string, segments []string, same func(got, literal string) bool,
	p *Params) (rt *Route, allow []string, open bool) {
	for i := range routes {
		if rt := &routes[i]; slices.Contains(rt.Methods, method) && match(rt.Shape, segments, same, p) {
			return rt, nil, rt.Open
		}
	}
	var ignored Params
	for i := range routes {
		if rt := &routes[i]; match(rt.Shape, segments, same, &ignored) {
			allow = append(allow, rt.Methods...)
			open = open || rt.Open
		}
	}
	return nil, allow, open
}

// match compares segments with a shape that has at most one optional segment.
func match(shape string, segments []string, same func(got, literal string) bool, p *Params) bool {
	missing := strings.Count(shape, "/") + 1 - len(segments)
	if missing < 0 || missing > 1 {
		return false
	}
	var taken Params
	n := 0
	for piece := range strings.SplitSeq(shape, "/") {
		switch piece[0] {
		case '[':
			if missing == 1 {
				missing, n = 0, n+1
				continue
			}
			fallthrough
		case '{':
			if len(segments) == 0 || segments[0] == "" {
				return false
			}
			taken[n], n = segments[0], n+1
		default:
			if len(segments) == 0 || !same(segments[0], piece) {
				return false
			}
		}
		segments = segments[1:]
	}
	*p = taken
	return len(segments) == 0
}

// MaxSegments is more than any shape has; longer paths match nothing.
const MaxSegments = 8

// SplitPath takes an escaped path apart into decoded segments; an escaped slash stays inside its
// segment. With collapse, empty segments are dropped: clients write "name/" and "name//sign" for
// "the latest version".
func SplitPath(escaped string, collapse bool, into *[MaxSegments]string) []string {
	n := 0
	for s := range strings.SplitSeq(strings.TrimPrefix(escaped, "/"), "/") {
		if s == "" && collapse {
			continue
		}
		if n == MaxSegments {
			return nil
		}
		if strings.IndexByte(s, '%') >= 0 {
			decoded, err := url.PathUnescape(s)
			if err != nil {
				return nil
			}
			s = decoded
		}
		into[n], n = s, n+1
	}
	return into[:n]
}

// Metered binds routes to their meters.
func Metered(m *figures.Meters, routes []Route) []Route {
	for i := range routes {
		routes[i].Meter = m.Of(routes[i].Operation, classOf(&routes[i]))
	}
	return routes
}

// classOf: the collection, and whether the route reads, writes or uses a key. What belongs to no
// vault is one class for each plane.
func classOf(r *Route) string {
	collection, _, _ := strings.Cut(r.Operation, "/")
	switch {
	case collection != "secrets" && collection != "keys":
		return collection
	case slices.Contains(r.Methods, http.MethodGet):
		return collection + "_read"
	case strings.Contains(r.Shape, "[version]/"):
		return collection + "_use"
	default:
		return collection + "_write"
	}
}
