package httpapi_test

import (
	"strings"
	"testing"
)

// Operators see where goroutines are, and not what they were called with.
func TestGoroutinesAreShownWithoutArguments(t *testing.T) {
	s := unsealed(t)
	a := s.operate("GET", "/v1/sys/pprof/goroutine", s.token, "")
	text := a.body
	if a.status != 200 || !strings.HasPrefix(text, "goroutine profile: total ") ||
		!strings.Contains(text, "operators.goroutines") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if strings.Contains(text, "(0x") || strings.Contains(text, "({0x") {
		t.Errorf("there are arguments in it:\n%s", a.body)
	}
	if !strings.HasPrefix(a.header.Get("Content-Type"), "text/plain") {
		t.Errorf("it is %s", a.header.Get("Content-Type"))
	}
	if a := s.operate("GET", "/v1/sys/pprof/goroutine", "", ""); a.status != 403 {
		t.Errorf("a stranger gets %d %s", a.status, a.body)
	}
}
