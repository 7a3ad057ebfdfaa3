package operators_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/operators"
)

func TestPanicsAreAnsweredInThePlanesFormat(t *testing.T) {
	w := httptest.NewRecorder()
	operators.Panicking(hclog.NewNullLogger()).ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	body := w.Body.String()
	if w.Code != 500 || strings.Contains(body, "canary") || strings.Contains(body, "half") ||
		!strings.HasPrefix(body, `{"errors":["`) {
		t.Errorf("%d %s", w.Code, body)
	}
}
