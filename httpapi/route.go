package httpapi

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A route is one operation: when it is asked for, what the usage log calls it, how much body it
// takes, and what to do.
type route struct {
	methods   []string
	shape     string // "keys/{name}/[version]/sign": {} takes one segment, [] one or none, all else is literal
	operation string
	body      int64         // most bytes of body that are read; 0: the body is not looked at
	open      bool          // operator plane: served without a token. Whatever does not say so is refused
	shares    bool          // takes or shows unseal shares: the connection forgets it, and ends
	probe     bool          // asks how this node is: its connection has a share that strangers' have not
	alone     bool          // operator plane: needs no other node's consent, so the token is verified without asking any
	idle      bool          // operator plane: a sealed node has nothing to do and answers 204
	within    time.Duration // from its headers to its answer; 0: requestTime
	serve     endpoint
	meter     *meter // set when the tables are built
}

// An endpoint serves a call that is authenticated and has a route. Its error becomes the answer.
type endpoint func(c *call) error

// serve makes an endpoint of an act between decoded request and encoded answer.
// C is the plane's call.
func serve[C planeCall, Req, Resp any](act func(c C, req *Req) (Resp, error),
	write func(c C, resp *Resp) error) endpoint {
	return directly(func(c C) error {
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

// directly makes an endpoint of what reads its request and writes its answer itself.
func directly[C planeCall](do func(c C) error) endpoint {
	return func(c *call) error { return do(c.plane.(C)) }
}

// none is the request or answer without a body.
type none struct{}

// noContent writes 204.
func noContent[C planeCall](c C, _ *none) error {
	c.self().status = http.StatusNoContent
	return nil
}

// params are what the {} and [] segments of a shape took, in order.
type params [2]string

// find returns the route for method and path. Where the path has only other methods, allow lists
// them, and open says that one of them is served without a token; where it has none, allow is
// empty.
func find(routes []route, method string, segments []string, same func(got, literal string) bool,
	p *params) (rt *route, allow []string, open bool) {
	for i := range routes {
		if rt := &routes[i]; slices.Contains(rt.methods, method) && match(rt.shape, segments, same, p) {
			return rt, nil, rt.open
		}
	}
	var ignored params
	for i := range routes {
		if rt := &routes[i]; match(rt.shape, segments, same, &ignored) {
			allow = append(allow, rt.methods...)
			open = open || rt.open
		}
	}
	return nil, allow, open
}

// match compares segments with a shape that has at most one optional segment.
func match(shape string, segments []string, same func(got, literal string) bool, p *params) bool {
	missing := strings.Count(shape, "/") + 1 - len(segments)
	if missing < 0 || missing > 1 {
		return false
	}
	var taken params
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

// maxSegments is more than any shape has; longer paths match nothing.
const maxSegments = 8

// splitPath takes an escaped path apart into decoded segments; an escaped slash stays inside its
// segment. With collapse, empty segments are dropped: clients write "name/" and "name//sign" for
// "the latest version".
func splitPath(escaped string, collapse bool, into *[maxSegments]string) []string {
	n := 0
	for s := range strings.SplitSeq(strings.TrimPrefix(escaped, "/"), "/") {
		if s == "" && collapse {
			continue
		}
		if n == maxSegments {
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

// metered binds routes to their meters.
func metered(m *meters, routes []route) []route {
	for i := range routes {
		routes[i].meter = m.of(routes[i].operation, classOf(&routes[i]))
	}
	return routes
}

// classOf: the collection, and whether the route reads, writes or uses a key. What belongs to no
// vault is one class for each plane.
func classOf(r *route) string {
	collection, _, _ := strings.Cut(r.operation, "/")
	switch {
	case collection != "secrets" && collection != "keys":
		return collection
	case slices.Contains(r.methods, http.MethodGet):
		return collection + "_read"
	case strings.Contains(r.shape, "[version]/"):
		return collection + "_use"
	default:
		return collection + "_write"
	}
}
