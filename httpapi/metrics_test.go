package httpapi_test

import (
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"keyquorum/httpapi"
)

// figures are the samples of a node by name and labels: `up{a="b",c="d"}`. A distribution has its
// count under name_count.
type figures map[string]float64

// scrape asks as Prometheus does.
func (s *service) scrape(t *testing.T) (figures, string) {
	t.Helper()
	r := httptest.NewRequest("GET", "/v1/sys/metrics", nil)
	r.Host = nodeHost
	r.Header.Set("Authorization", "Bearer "+s.token)
	r.Header.Set("Accept",
		"application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1")
	a := s.serve(r)
	if a.status != 200 || a.header.Get("Content-Type") != "text/plain; version=0.0.4; charset=utf-8" {
		t.Fatalf("%d %q: %.300s", a.status, a.header.Get("Content-Type"), a.body)
	}
	return samples(t, a.body), a.body
}

func samples(t *testing.T, text string) figures {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	all := figures{}
	for name, family := range families {
		for _, m := range family.Metric {
			switch family.GetType() {
			case dto.MetricType_GAUGE:
				all[name+labels(m)] = m.GetGauge().GetValue()
			case dto.MetricType_COUNTER:
				all[name+labels(m)] = m.GetCounter().GetValue()
			case dto.MetricType_HISTOGRAM:
				all[name+"_count"+labels(m)] = float64(m.GetHistogram().GetSampleCount())
			case dto.MetricType_SUMMARY:
				all[name+"_count"+labels(m)] = float64(m.GetSummary().GetSampleCount())
			}
		}
	}
	return all
}

func labels(m *dto.Metric) string {
	var pairs []string
	for _, l := range m.Label {
		pairs = append(pairs, l.GetName()+`="`+l.GetValue()+`"`)
	}
	if pairs == nil {
		return ""
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

func TestMetricsSayWhatWasDone(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "metered", everything)
	c.ok("POST", "/keys/k/create", `{"kty":"EC"}`)
	before, _ := s.scrape(t)
	digest := strings.Repeat("A", 43)
	c.ok("PUT", "/secrets/s", `{"value":"v"}`)
	for range 3 {
		c.ok("GET", "/secrets/s/", "")
	}
	signed := c.ok("POST", "/keys/k/sign", `{"alg":"ES256","value":"`+digest+`"}`)
	c.ok("POST", "/keys/k/verify",
		`{"alg":"ES256","digest":"`+digest+`","value":"`+signed.text("value")+`"}`)
	c.call("POST", "/keys/k/sign", `{"alg":"ES256","value":"AAAA"}`)
	c.call("GET", "/secrets/nothing/", "")
	c.call("GET", "/nowhere", "")
	after, _ := s.scrape(t)
	for name, want := range map[string]float64{
		`keyquorum_http_requests_total{operation="secrets/get",status="2xx"}`:                           3,
		`keyquorum_http_requests_total{operation="secrets/get",status="4xx"}`:                           1,
		`keyquorum_http_requests_total{operation="secrets/set",status="2xx"}`:                           1,
		`keyquorum_http_requests_total{operation="keys/sign",status="2xx"}`:                             1,
		`keyquorum_http_requests_total{operation="keys/sign",status="4xx"}`:                             1,
		`keyquorum_http_requests_total{operation="unknown",status="4xx"}`:                               1,
		`keyquorum_http_requests_total{operation="sys/metrics",status="2xx"}`:                           1, // the scrape before
		`keyquorum_http_requests_total{operation="keys/get",status="2xx"}`:                              0,
		`keyquorum_http_request_duration_seconds_count{class="secrets_read"}`:                           4,
		`keyquorum_http_request_duration_seconds_count{class="secrets_write"}`:                          1,
		`keyquorum_http_request_duration_seconds_count{class="keys_use"}`:                               3,
		`vault_core_handle_request_count`:                                                               10,
		`keyquorum_crypto_operations_total{algorithm="ES256",operation="sign",result="ok"}`:             1,
		`keyquorum_crypto_operations_total{algorithm="ES256",operation="sign",result="refused"}`:        1,
		`keyquorum_crypto_operations_total{algorithm="ES256",operation="verify",result="ok"}`:           1,
		`keyquorum_crypto_operations_total{algorithm="RSA-OAEP-256",operation="unwrapKey",result="ok"}`: 0,
		`keyquorum_usage_record_wait_seconds_count`:                                                     9,
		`vault_audit_log_request_count`:                                                                 9,
		`vault_audit_log_request_failure`:                                                               0,
		`vault_raft_apply`:                                                                              1,
		`vault_raft_commitTime_count`:                                                                   1,
		`keyquorum_write_seconds_count`:                                                                 1,
	} {
		was, there := before[name]
		if !there {
			t.Errorf("there is no %s", name)
		} else if got := after[name] - was; got != want {
			t.Errorf("%s went up by %v, want %v", name, got, want)
		}
	}
	// A refusal is a read too. Each view was made current in one way or the other.
	reads := func(f figures) float64 {
		return f[`keyquorum_reads_total{by="lease"}`] + f[`keyquorum_reads_total{by="fence"}`]
	}
	if got := reads(after) - reads(before); got < 7 {
		t.Errorf("%v views were made current for 7 reads", got)
	}
	for name, want := range map[string]float64{
		"vault_core_unsealed": 1, "vault_core_active": 1, "vault_core_in_flight_requests": 1,
		"vault_raft_peers": 1, "vault_autopilot_healthy": 1,
		"vault_autopilot_failure_tolerance": 0, "keyquorum_initialized": 1, "keyquorum_leader_known": 1,
		`keyquorum_raft_state{state="leader"}`:   1,
		`keyquorum_raft_state{state="follower"}`: 0, "keyquorum_diverged": 0, "keyquorum_clock_astray": 0,
		"keyquorum_usage_log_in_trouble":             0,
		`keyquorum_build_info{version="0.0.0-test"}`: 1,
	} {
		if got, there := after[name]; !there || got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	if after["vault_raft_storage_stats_applied_index"] <= before["vault_raft_storage_stats_applied_index"] ||
		after["keyquorum_state_records"] <= before["keyquorum_state_records"] {
		t.Error("a write moved neither index nor number of records")
	}
}

// A read that asks for a fence is told from one under a lease.
func TestMetricsTellFencesFromLeases(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "fenced", everything)
	before, _ := s.scrape(t)
	c.s = s.with("X-Keyquorum-Consistency", "fenced")
	for range 5 {
		c.ok("GET", "/secrets", "")
	}
	after, _ := s.scrape(t)
	for _, name := range []string{`keyquorum_reads_total{by="fence"}`,
		"keyquorum_fence_wait_seconds_count"} {
		if got := after[name] - before[name]; got < 5 {
			t.Errorf("%s went up by %v for 5 fenced reads", name, got)
		}
	}
}

func TestMetricsTellOfAFailingUsageLog(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "unrecorded", everything)
	before, _ := s.scrape(t)
	s.usage.breakDown(true)
	a := c.call("GET", "/secrets", "")
	during, _ := s.scrape(t)
	s.usage.breakDown(false)
	c.ok("GET", "/secrets", "")
	after, _ := s.scrape(t)
	if a.status != 500 ||
		during["vault_audit_log_request_failure"]-before["vault_audit_log_request_failure"] != 1 ||
		during["keyquorum_usage_log_in_trouble"] != 1 {
		t.Errorf("%d, %v failures, trouble %v", a.status, during["vault_audit_log_request_failure"],
			during["keyquorum_usage_log_in_trouble"])
	}
	if after["keyquorum_usage_log_in_trouble"] != 0 {
		t.Error("the trouble is over")
	}
}

// Whoever has nothing but the metrics learns neither what is stored here nor for whom.
func TestMetricsNameNobody(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "canary-vault", everything)
	c.ok("PUT", "/secrets/canary-secret", `{"value":"canary-value"}`)
	c.ok("POST", "/keys/canary-key/create", `{"kty":"EC"}`)
	c.call("GET", "/canary-path", "")
	s.operate("GET", "/v1/canary-operator-path", s.token, "")
	s.login("POST", "/canary-tenant/oauth2/token", "client_id=canary-client")
	_, text := s.scrape(t)
	for _, found := range []string{"canary", c.id, c.secret, c.token, s.token, s.shares[0]} {
		if strings.Contains(text, found) {
			t.Errorf("%q stands in the metrics", found)
		}
	}
}

func TestMetricsAreForOperators(t *testing.T) {
	s := unsealed(t)
	for what, a := range map[string]answer{
		"no token":    s.operate("GET", "/v1/sys/metrics?format=prometheus", "", ""),
		"a bad token": s.operate("GET", "/v1/sys/metrics", "bad", ""),
	} {
		if a.status != 403 || strings.Contains(a.body, "keyquorum_") {
			t.Errorf("%s: %d %.200s", what, a.status, a.body)
		}
	}
	s.usage.take()
	if a := s.operate("GET", "/v1/sys/metrics?format=prometheus", s.token, ""); a.status != 200 ||
		!strings.Contains(a.body, "\nvault_core_unsealed 1\n") {
		t.Errorf("%d %.200s", a.status, a.body)
	}
	if lines := s.usage.take(); len(lines) != 0 {
		t.Errorf("a scrape left a usage record: %v", lines)
	}
	if a := s.operate("GET", "/v1/sys/metrics?format=json", s.token, ""); a.status != 400 {
		t.Errorf("another format: %d %.200s", a.status, a.body)
	}
	c := s.application(t, "metrics-plane", everything)
	if a := c.call("GET", "/v1/sys/metrics", ""); a.status != 404 ||
		strings.Contains(a.body, "vault_core") {
		t.Errorf("on the application plane: %d %.200s", a.status, a.body)
	}
}

// Who watches must see a node that is sealed, or that has no data, too; neither can verify a token.
func TestOpenMetricsNeedNoToken(t *testing.T) {
	s := newService(t)
	open := s.behind(t, httpapi.Config{OpenMetrics: true})
	if f := samples(t, open.operate("GET", "/v1/sys/metrics", "",
		"").body); f["keyquorum_initialized"] != 0 || f["vault_core_unsealed"] != 0 {
		t.Errorf("without data: %v", f)
	}
	if err := s.begin(2, 2); err != nil {
		t.Fatal(err)
	}
	if f := samples(t, open.operate("GET", "/v1/sys/metrics", "",
		"").body); f["keyquorum_initialized"] != 1 || f["vault_core_unsealed"] != 1 {
		t.Errorf("unsealed: %v", f)
	}
	if a := s.operate("PUT", "/v1/sys/seal", s.token, ""); a.status != 204 {
		t.Fatal(a.status, a.body)
	}
	if a := s.operate("GET", "/v1/sys/metrics", s.token, ""); a.status != 503 {
		t.Errorf("a sealed node that wants a token: %d", a.status)
	}
	if f := samples(t, open.operate("GET", "/v1/sys/metrics", "",
		"").body); f["keyquorum_initialized"] != 1 || f["vault_core_unsealed"] != 0 {
		t.Errorf("sealed: %v", f)
	}
	made := map[string]bool{} // strangers do not keep a node busy with it, and none of them blinds another
	for range 100 {
		a := open.operate("GET", "/v1/sys/metrics", "", "")
		if a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		made[a.body] = true
	}
	if len(made) > 50 {
		t.Errorf("%d of 100 scrapes without a token were made anew", len(made))
	}
}

// behind is the same node behind a handler of its own.
func (s *service) behind(t testing.TB, config httpapi.Config) *service {
	other := *s
	config.Zones = []httpapi.Zone{zone}
	other.h = httpapi.New(s.n, config)
	t.Cleanup(other.h.Close)
	return &other
}

// Names, units and help are as Prometheus wants them, but for names that are Vault's.
func TestMetricsAreLinted(t *testing.T) {
	_, text := unsealed(t).scrape(t)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if !strings.HasPrefix(p.Metric, "vault_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}
