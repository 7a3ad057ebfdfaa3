package httpapi_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"

	"keyquorum/httpapi"
)

func TestLogLevelChangesAtRunTime(t *testing.T) {
	shared := unsealed(t)
	var out bytes.Buffer
	logger := hclog.New(&hclog.LoggerOptions{Level: hclog.Info, Output: &out})
	part := logger.Named("cluster").Named("raft")
	s := *shared
	s.h = httpapi.New(s.n, httpapi.Config{Zones: []httpapi.Zone{zone}, Logger: logger.Named("api")})
	defer s.h.Close()
	change := func(method, body string, status int) {
		t.Helper()
		if a := s.operate(method, "/v1/sys/loggers", s.token, body); a.status != status {
			t.Fatalf("%s %s: %d %s", method, body, a.status, a.body)
		}
	}
	says := func(want bool) {
		t.Helper()
		out.Reset()
		part.Debug("a detail")
		if strings.Contains(out.String(), "a detail") != want {
			t.Errorf("the log says %q", out.String())
		}
	}
	says(false)
	change("POST", `{"level":"debug"}`, 204)
	says(true)
	if a := s.operate("GET", "/v1/sys/loggers", s.token, ""); a.text("level") != "debug" {
		t.Errorf("the level: %d %s", a.status, a.body)
	}
	for _, bad := range []string{`{"level":"loud"}`, `{"level":"off"}`, `{}`} {
		change("PUT", bad, 400)
	}
	change("DELETE", ``, 204)
	says(false)

	s.h.SetLogLevel(hclog.Debug) // as a reload does
	says(true)
	change("POST", `{"level":"error"}`, 204)
	says(false)
	change("DELETE", ``, 204)
	says(true)
}
