package httpapi

import (
	"net/http"

	"github.com/gorilla/mux"
)

// planes builds the router. Its matchers are functions: gorilla's patterns are regular expressions
// tried one after the other, too dear for a secret read, and paths must match whatever their case
// and empty segments.
//
// SkipClean: a cleaned path would be answered with a redirect, which application clients do not
// survive.
func (h *Handler) planes(openMetrics bool) *mux.Router {
	root := mux.NewRouter().SkipClean(true).UseEncodedPath()

	root.MatcherFunc(func(r *http.Request,
		_ *mux.RouteMatch) bool {
		return asksForDocument(r)
	}).HandlerFunc(h.document)

	h.apps.Mount(root)
	h.ops.Mount(root, openMetrics)
	return root
}
