package httpapi

import (
	"net/http"

	"keyquorum/httpapi/wire"
)

// documentPath is on every host, in front of both planes.
const documentPath = "/openapi.json"

func asksForDocument(r *http.Request) bool {
	return r.URL.Path == documentPath && (r.Method == http.MethodGet || r.Method == http.MethodHead)
}

// document serves what anybody may know; it leaves no usage record, and a sealed node answers too.
func (h *Handler) document(w http.ResponseWriter, r *http.Request) {
	c := new(documentCall)
	c.begin(h.desk, w, r, c)
	c.commonHeaders()
	c.run(func() (err error) {
		if err := c.headLimits(); err != nil {
			return err
		}
		c.shared, err = h.openapi()
		return err
	})
}

// A documentCall asks for the document. Anybody may, and it has no body.
type documentCall struct{ call }

func (*documentCall) Known() bool { return false }

func (*documentCall) AppendFailure(f *wire.Failure, dst []byte) []byte { return f.AppendSys(dst) }

func (*documentCall) MakeRoom(int) error { return nil }
