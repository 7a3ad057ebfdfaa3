package httpapi

import (
	"strings"
	"sync"
	"time"

	"keyquorum/httpapi/azure"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/hosts"
	"keyquorum/httpapi/openapi"
	"keyquorum/httpapi/operators"
	"keyquorum/httpapi/wire"
)

// What tests from outside may look at.

// Bounds of the application plane, as docs/limits.md has them.
const (
	MaxLarge   = 32
	MaxHuge    = 2
	MaxBackups = 2
)

// A RouteRow is what the walk over the tables wants of a route.
type RouteRow struct {
	Methods         []string
	Shape           string
	Body            int64
	Open, WhenIdle  bool
	OperationRecord string
}

func rowsOf(plane hosts.Plane) (out []RouteRow) {
	for _, r := range theSurfaces()[plane].Routes {
		out = append(out, RouteRow{r.Methods, r.Shape, r.Body, r.Open, r.Idle, r.Operation})
	}
	return out
}

func ApplicationRows() []RouteRow { return rowsOf(hosts.ApplicationPlane) }
func TokenRows() []RouteRow       { return rowsOf(hosts.LoginPlane) }
func OperatorRows() []RouteRow    { return rowsOf(hosts.OperatorPlane) }

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
	application, login := azure.Surfaces()
	return map[hosts.Plane]openapi.Surface{hosts.OperatorPlane: operators.Surface(),
		hosts.ApplicationPlane: application, hosts.LoginPlane: login}
})

// Documented is the document's path for one that is asked for, "" where no route has it.
func Documented(host, method, escapedPath string, z hosts.Zone) string {
	plane, _ := hosts.Zones{z}.Place(host)
	s := theSurfaces()[plane]
	same := func(got, literal string) bool { return got == literal }
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

// At sets the clock by which Authorities fetch anew.
func (a *Authorities) At(now func() time.Time) { a.now = now }

// SeriesEnds is closed when the attempts to join have ended that somebody asked for.
func (h *Handler) SeriesEnds() <-chan struct{} { return h.joins.Asked().Ended() }
