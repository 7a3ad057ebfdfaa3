package httpapi

import (
	"net/http"

	"keyquorum/httpapi/azure"
	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/openapi"
	"keyquorum/httpapi/operators"
	"keyquorum/httpapi/wire"
)

// documentPath is on every host, in front of both planes.
const documentPath = "/openapi.json"

// OpenAPI describes both planes as an OpenAPI 3.1 document in JSON. version is the program's.
func OpenAPI(version string) ([]byte, error) {
	application, login := azure.Surfaces()
	return openapi.Document(version, operators.Surface(), application, login)
}

func asksForDocument(r *http.Request) bool {
	return r.URL.Path == documentPath && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// document serves what anybody may know; it leaves no usage record, and a sealed node answers too.
func (h *Handler) document(w http.ResponseWriter, r *http.Request) {
	c := new(documentCall)
	c.Begin(h.desk, w, r, c)
	c.CommonHeaders()
	c.Run(func() (err error) {
		if err := c.HeadLimits(); err != nil {
			return err
		}
		c.Shared, err = h.openapi()
		return err
	})
}

// A documentCall asks for the document. Anybody may, and it has no body.
type documentCall struct{ exchange.Call }

func (*documentCall) Known() bool { return false }

func (*documentCall) AppendFailure(f *wire.Failure, dst []byte) []byte { return f.AppendSys(dst) }

func (*documentCall) MakeRoom(int) error { return nil }
