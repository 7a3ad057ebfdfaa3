package azure_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi/azure"
)

func TestPanicsAreAnsweredInThePlanesFormat(t *testing.T) {
	for name, h := range azure.Panicking(hclog.NewNullLogger()) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
		if w.Code != 500 || strings.Contains(w.Body.String(), "canary") ||
			strings.Contains(w.Body.String(), "half") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
		want := map[string]string{"application": `{"error":{"code":"InternalServerError"`,
			"login": `{"error":"server_error"`}[name]
		if !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %s", name, w.Body)
		}
	}
}
