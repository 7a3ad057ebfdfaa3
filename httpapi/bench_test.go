package httpapi_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"keyquorum/httpapi"
)

// The price of a request without net/http's own: handler, domain and cryptography.

func BenchmarkSecretRead(b *testing.B) {
	c := unsealed(b).application(b, "bench-read", everything)
	c.ok("PUT", "/secrets/s", `{"value":"`+strings.Repeat("v", 1024)+`"}`)
	c.bench(b, "GET", "/secrets/s/"+apiQuery, "")
}

func BenchmarkSign(b *testing.B) {
	c := unsealed(b).application(b, "bench-sign", everything)
	c.ok("POST", "/keys/k/create", `{"kty":"EC"}`)
	c.bench(b, "POST", "/keys/k/sign"+apiQuery,
		`{"alg":"ES256","value":"`+strings.Repeat("A", 43)+`"}`)
}

// A secret read of an application that is throttled, at a rate that it does not reach: what a
// bucket costs.
func BenchmarkSecretReadThrottled(b *testing.B) {
	s := unsealed(b).behind(b, httpapi.Config{Throttle: httpapi.Throttle{Rate: 1e9}})
	c := s.application(b, "bench-throttled", everything)
	c.ok("PUT", "/secrets/s", `{"value":"`+strings.Repeat("v", 1024)+`"}`)
	c.bench(b, "GET", "/secrets/s/"+apiQuery, "")
}

// One refused request, its usage record mostly left out.
func BenchmarkThrottledRefusal(b *testing.B) {
	s := unsealed(b).behind(b, httpapi.Config{Throttle: seldom})
	c := s.application(b, "bench-refused", everything)
	for c.call("GET", "/secrets", "").status != 429 {
	}
	b.ReportAllocs()
	r := httptest.NewRequest("GET", "/secrets"+apiQuery, nil)
	r.Host = c.host
	r.Header.Set("Authorization", "Bearer "+c.token)
	for b.Loop() {
		s.h.ServeHTTP(&discard{header: make(http.Header, 16)}, r)
	}
}

func BenchmarkScrape(b *testing.B) {
	s := unsealed(b)
	b.ReportAllocs()
	for b.Loop() {
		if a := s.operate("GET", "/v1/sys/metrics", s.token, ""); a.status != 200 {
			b.Fatal(a.status)
		}
	}
}

func BenchmarkHealth(b *testing.B) {
	s := unsealed(b)
	r := httptest.NewRequest("GET", "/v1/sys/health", nil)
	r.Host = nodeHost
	for b.Loop() {
		s.h.ServeHTTP(&discard{header: make(http.Header)}, r)
	}
}

func (c *client) bench(b *testing.B, method, target, body string) {
	b.ReportAllocs()
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.ContentLength = c.host, int64(len(body))
	r.Header.Set("Authorization", "Bearer "+c.token)
	for b.Loop() {
		r.Body = io.NopCloser(strings.NewReader(body))
		w := &discard{header: make(http.Header, 16)}
		c.s.h.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

// discard is a ResponseWriter that keeps the status alone.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
func (d *discard) WriteHeader(status int)      { d.status = status }
