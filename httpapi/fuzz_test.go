package httpapi_test

import (
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Whole requests: every answer is JSON of its plane, whatever was asked, and nothing panics.
func FuzzRequests(f *testing.F) {
	f.Add("GET", "demo.vault.localhost:8200", "/secrets/x?api-version=7.4", "Bearer x", "")
	f.Add("POST", "login.localhost", "/adfs/oauth2/token", "",
		"grant_type=client_credentials&client_id=a&client_secret=b&scope=https://vault.localhost/.default")
	f.Add("PUT", nodeHost, "/v1/sys/unseal", "", `{"key":"00"}`)
	f.Add("GET", nodeHost, "/v1/sys/health?standbyok=true", "", "")
	f.Add("LIST", nodeHost, "/v1/keyquorum/vaults", "Bearer root", "")
	f.Fuzz(func(t *testing.T, method, host, target, authorization, body string) {
		s := unsealed(t)
		r, err := http.NewRequest(method, "https://localhost/", strings.NewReader(body))
		if err != nil || !strings.HasPrefix(target, "/") {
			return
		}
		if r.URL, err = r.URL.Parse("https://localhost" + target); err != nil {
			return
		}
		if strings.Contains(target, "sys/seal") || strings.Contains(target, "step-down") {
			return
		}
		r.Host, r.RequestURI = host, target
		r.Header.Set("Authorization", authorization)
		a := s.serve(r)
		if a.status == 500 || a.status/100 == 3 {
			t.Fatalf("%s %s %s: %d %s", method, host, target, a.status, a.body)
		}
		if a.status != 204 && method != "HEAD" && a.json == nil {
			t.Fatalf("%s %s %s: %d %q", method, host, target, a.status, a.body)
		}
	})
}

// Requests of an application that may do everything: no body that it invents makes a node fail, and
// each leaves its one record.
func FuzzApplication(f *testing.F) {
	for _, seed := range [][3]string{
		{"PUT", "/secrets/s",
			`{"value":"x","contentType":"t","tags":{"a":"b"},"attributes":{"enabled":true,"nbf":1,"exp":2}}`},
		{"GET", "/secrets/s/", ""},
		{"POST", "/keys/k/create",
			`{"kty":"EC","crv":"P-256K","key_ops":["sign"],"release_policy":{"data":"e30"}}`},
		{"POST", "/keys/o/create", `{"kty":"oct-HSM","key_size":128,"attributes":{"exportable":true}}`},
		{"PUT", "/keys/i", `{"Hsm":true,"key":{"kty":"RSA","n":"AQAB","e":"AQAB","d":"AQ","p":"Aw","q":"BQ","dp":"AQ","dq":"AQ","qi":"AQ","key_ops":["sign"]}}`},
		{"PUT", "/keys/i", `{"key":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AQ"}}`},
		{"PUT", "/keys/i", `{"key":{"kty":"oct-HSM","key_hsm":"eyJzY2hlbWFfdmVyc2lvbiI6IjEuMC4wIn0"}}`},
		{"POST", "/keys/o/encrypt", `{"alg":"A128CBCPAD","value":"AAAA","iv":"AAAAAAAAAAAAAAAAAAAAAA"}`},
		{"POST", "/keys/o/decrypt", `{"alg":"A128GCM","value":"","iv":"AAAA","tag":"AAAA","aad":"AA=="}`},
		{"POST", "/keys/k//sign",
			`{"alg":"ES256K","value":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`},
		{"POST", "/keys/k/verify", `{"alg":"ES256K","digest":"AAAA","value":"AAAA"}`},
		{"PUT", "/keys/k/rotationpolicy",
			`{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P30D"},"action":{"type":"rotate"}}],"attributes":{"expiryTime":"P90D"}}`},
		{"POST", "/keys/k/rotate", ""}, {"POST", "/keys/restore", `{"value":"AQAA"}`},
		{"POST", "/keys/k/release", `{"target":"e30.e30.e30","enc":"CKM_RSA_AES_KEY_WRAP"}`},
		{"POST", "/rng", `{"count":12}`}, {"GET", "/keys/k/versions?maxresults=1&$skiptoken=AWt2", ""},
		{"DELETE", "/secrets/s", ""}, {"DELETE", "/deletedsecrets/s", ""},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	var once sync.Once
	var c *client
	f.Fuzz(func(t *testing.T, method, target, body string) {
		s := unsealed(t)
		once.Do(func() { c = s.application(t, "fuzzed", everything) })
		if strings.Contains(body, "RSA") && !strings.Contains(body, `"n"`) {
			return // making one takes too long
		}
		path, query, _ := strings.Cut(target, "?")
		u := &url.URL{Scheme: "https", Host: c.host, Path: path, RawQuery: "api-version=7.6&" + query}
		r, err := http.NewRequest(method, u.String(), strings.NewReader(body))
		if err != nil {
			return
		}
		r.Header.Set("Authorization", "Bearer "+c.token)
		s.usage.take()
		a := s.serve(r)
		if a.status >= 500 || a.status/100 == 3 || a.status == 401 {
			t.Fatalf("%s %s: %d %s", method, target, a.status, a.body)
		}
		if a.status != 204 && method != "HEAD" && a.json == nil {
			t.Fatalf("%s %s: %d %q", method, target, a.status, a.body)
		}
		if u := s.usage.take(); len(u) != 1 {
			t.Fatalf("%s %s: %d records", method, target, len(u))
		}
	})
}
