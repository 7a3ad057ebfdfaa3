package httpapi_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"keyquorum/httpapi"
)

// one returns the only usage record since the last take.
func (s *service) one(t *testing.T, what string) map[string]any {
	t.Helper()
	u := s.usage.take()
	if len(u) != 1 {
		t.Errorf("%s left %d usage records: %v", what, len(u), u)
		return nil
	}
	return u[0]
}

// recordedAs checks that a call left one record, with the status of its answer.
func (s *service) recordedAs(t *testing.T, what string, a answer) any {
	t.Helper()
	u := s.one(t, what)
	if u["status"] != float64(a.status) {
		t.Errorf("%s was answered %d and recorded as %v", what, a.status, u)
	}
	return u["operation"]
}

// Whoever searches the usage log for an operation must find those that were refused before the
// domain saw them too.
func TestRefusalsAreRecordedUnderTheirOperation(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "operation-names", `{}`)
	s.usage.take()
	eachRoute(httpapi.ApplicationRows(), func(_ httpapi.RouteRow, method, path string) {
		what := method + " " + path
		early := s.recordedAs(t, what+" without a version", c.raw(method, path, ""))
		if late := s.recordedAs(t, what, c.call(method, path, "{}")); early != late {
			t.Errorf("%s is recorded as %v and as %v", what, early, late)
		}
	})
	eachRoute(httpapi.OperatorRows(), func(r httpapi.RouteRow, method, path string) {
		if !strings.HasPrefix(r.Shape, "keyquorum/") || r.Open || method == "LIST" {
			return
		}
		what := method + " " + path
		early := s.recordedAs(t, what+" in a namespace",
			s.with("X-Vault-Namespace", "a").operate(method, "/v1"+path, s.token, ""))
		if late := s.recordedAs(t, what,
			s.operate(method, "/v1"+path, s.token, `{"enabled":true}`)); early != late {
			t.Errorf("%s is recorded as %v and as %v", what, early, late)
		}
	})
}

func TestRecordsHaveTheStatusOfTheAnswer(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "status-recorded", everything)
	s.usage.take()
	large := `{"value":"` + strings.Repeat("a", 1<<20) + `"}`
	for what, call := range map[string]func() answer{
		"a large body":    func() answer { return c.call("PUT", "/secrets/s", large) },
		"a wrong method":  func() answer { return c.call("POST", "/secrets", "") },
		"an unknown path": func() answer { return c.call("GET", "/nothing", "") },
		"a large request": func() answer {
			return s.operate("POST", "/v1/keyquorum/apps", s.token,
				large)
		},
		"an operator's slip": func() answer {
			return s.operate("PATCH", "/v1/sys/step-down", s.token,
				"")
		},
		"a large form": func() answer { return s.login("POST", "/adfs/oauth2/token", large) },
	} {
		s.recordedAs(t, what, call())
	}
}

func TestACredentialLeavesOneRecord(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "credential", everything)
	s.usage.take()
	a := s.operate("POST", "/v1/keyquorum/apps/"+c.id+"/credentials", s.token, `{"ttl":"1h"}`)
	if a.text("client_id") != c.id || a.text("secret") == "" || a.at("data", "expires") == nil {
		t.Errorf("%d %s", a.status, a.body)
	}
	s.recordedAs(t, "a new credential", a)
	a = s.operate("POST", "/v1/keyquorum/apps/"+c.id+"/credentials", s.token, `{"ttl":-1}`)
	if a.status != 400 || a.body != `{"errors":["Property ttl has invalid value"]}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A missing value means nothing, which is said last (decision 10).
func TestSetWithoutAValueAndWithoutPermission(t *testing.T) {
	c := unsealed(t).application(t, "no-value", `{}`)
	if a := c.call("PUT", "/secrets/s", `{}`); a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Nor can strangers fill the program's log: not by failures, and not by what they put into them.
func TestStrangersCannotFillTheProgramsLog(t *testing.T) {
	for name, n := range map[string]*service{"unsealed": unsealed(t), "without data": newService(t)} {
		out := new(logText)
		h := httpapi.New(n.n, httpapi.Config{Zones: []httpapi.Zone{zone}, Logger: out.logger()})
		const calls = 1000
		for range calls {
			body := fmt.Sprintf(`{"leader_api_addr":"%s"}`, strings.Repeat("a", 20<<10))
			r := httptest.NewRequest("PUT", "/v1/sys/storage/raft/join", strings.NewReader(body))
			r.Host = nodeHost
			h.ServeHTTP(httptest.NewRecorder(), r)
		}
		h.Close()
		if n := len(out.String()); n > calls*500/2 {
			t.Errorf("%s: %d bytes of log for %d calls", name, n, calls)
		}
		if n := len(n.usage.take()); n == 0 || n > calls/2 {
			t.Errorf("%s: %d usage records of %d calls", name, n, calls)
		}
	}
}
