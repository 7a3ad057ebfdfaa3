package httpapi_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"keyquorum/httpapi"
)

// surfaceRows are the tables by the prefix of their paths and the host that has them.
func surfaceRows(vaultHost string) []struct {
	host, prefix string
	rows         []httpapi.RouteRow
} {
	return []struct {
		host, prefix string
		rows         []httpapi.RouteRow
	}{
		{vaultHost, "", httpapi.ApplicationRows()}, {loginHost, "", httpapi.TokenRows()},
		{nodeHost, "/v1", httpapi.OperatorRows()},
	}
}

func TestEveryRouteIsDescribed(t *testing.T) {
	known := httpapi.Descriptions()
	for _, surface := range surfaceRows("") {
		for _, r := range surface.rows {
			key := r.Methods[0] + " " + r.Shape
			d, described := known[key]
			delete(known, key)
			switch {
			case !described:
				t.Errorf("the route has no description: add a line to descriptions.go, and its forms to openapi.json where they are no Go types:\n\t%q: {\"…\", empty, empty, nil},",
					key)
			case d.Summary == "":
				t.Errorf("%s has no summary in descriptions.go", key)
			case d.Takes != (r.Body > 0):
				t.Errorf("%s: the table reads a body of %d bytes, descriptions.go has a form of one: %v", key,
					r.Body, d.Takes)
			}
		}
	}
	for key := range known {
		t.Errorf("descriptions.go describes %q, which no table has", key)
	}
}

func TestDocumentIsValid(t *testing.T) {
	doc, err := openapi3.NewLoader().LoadFromData(served(t, nodeHost))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Info.Version != "0.0.0-test" {
		t.Errorf("OpenAPI %s of version %s", doc.OpenAPI, doc.Info.Version)
	}
}

// served is the document as a host has it. A node that has no cluster shows it too.
func served(t *testing.T, host string) []byte {
	r := httptest.NewRequest("GET", "/openapi.json", nil)
	r.Host = host
	a := newService(t).serve(r)
	if a.status != 200 || a.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return []byte(a.body)
}

func TestDocumentIsTheSameEverywhere(t *testing.T) {
	want := served(t, nodeHost)
	for _, host := range []string{"any.vault.localhost:8200", loginHost} {
		if !bytes.Equal(served(t, host), want) {
			t.Errorf("%s has another document", host)
		}
	}
	c := &client{t: t, s: unsealed(t), host: "any.vault.localhost:8200"}
	if a := c.call("POST", "/openapi.json", ""); a.status != 401 {
		t.Errorf("POST: %d %s", a.status, a.body)
	}
}

// TestRouterServesTheDocument asks the router for everything that the document has, in ways that an
// operation refuses before it does anything and an unknown path or method refuses otherwise.
func TestRouterServesTheDocument(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "document", `{}`)
	for path, methods := range paths(t) {
		for method := range methods {
			r := httptest.NewRequest(strings.ToUpper(method),
				pathOf(strings.NewReplacer("{version}", "[version]").Replace(path[1:])), nil)
			switch {
			case strings.HasPrefix(path, "/v1/"):
				r.Host = nodeHost
				r.Header.Set("X-Vault-Token", s.token)
				r.Header.Set("X-Vault-Namespace", "elsewhere")
			case strings.HasPrefix(path, "/{tenant}/"):
				r.Host = loginHost
			default:
				r.Host = c.host
				r.URL.RawQuery = apiQuery[1:]
				r.Header.Set("Authorization", "Bearer "+c.token)
			}
			a := s.serve(r)
			if a.status == 405 || a.status == 404 && !strings.Contains(a.body, "no such namespace") {
				t.Errorf("%s %s is in the document; the router answers %d %s", method, path, a.status, a.body)
			}
		}
	}
}

func TestDocumentHasEveryRoute(t *testing.T) {
	documented := paths(t)
	for _, surface := range surfaceRows("") {
		for _, r := range surface.rows {
			whole := strings.NewReplacer("[", "{", "]", "}").Replace(r.Shape)
			for _, shape := range []string{whole, strings.ReplaceAll(r.Shape, "/[version]", "")} {
				for _, method := range r.Methods {
					if method != "LIST" && documented[surface.prefix+"/"+shape][strings.ToLower(method)] == nil {
						t.Errorf("%s %s/%s is not in the document", method, surface.prefix, shape)
					}
				}
			}
		}
	}
}

// paths are the operations of the document.
func paths(t testing.TB) map[string]map[string]any {
	var doc struct{ Paths map[string]map[string]any }
	if err := json.Unmarshal(theDocument(), &doc); err != nil {
		t.Fatal(err)
	}
	for _, item := range doc.Paths {
		delete(item, "servers")
		delete(item, "parameters")
	}
	return doc.Paths
}

func theDocument() []byte {
	text, err := httpapi.OpenAPI("0.0.0-test")
	if err != nil {
		panic(err)
	}
	return text
}

// TestLifeOfAnObjectIsAsDescribed sends bodies that the document allows, and gets answers that it
// allows. All other answers of this package's tests are compared too.
func TestLifeOfAnObjectIsAsDescribed(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "described", everything)
	const tags = `"tags":{"a":"b"},"attributes":{"enabled":true,"nbf":1700000000,"exp":4000000000}`
	digest := strings.Repeat("A", 43)
	var version, value any // of the answers so far
	for _, step := range []struct {
		status             int
		method, path, body string
	}{
		{200, "PUT", "/secrets/s", `{"value":"x","contentType":"text/plain",` + tags + `}`},
		{200, "GET", "/secrets/s/VERSION", ""},
		{200, "PATCH", "/secrets/s/VERSION", `{"contentType":"x",` + tags + `}`},
		{200, "POST", "/secrets/s/backup", ""}, {200, "GET", "/secrets", ""},
		{200, "GET", "/secrets/s/versions", ""}, {200, "DELETE", "/secrets/s", ""},
		{200, "GET", "/deletedsecrets", ""}, {200, "GET", "/deletedsecrets/s", ""},
		{200, "POST", "/deletedsecrets/s/recover", ""},
		{200, "DELETE", "/secrets/s", ""}, {204, "DELETE", "/deletedsecrets/s", ""},
		{200, "POST", "/secrets/restore", `{"value":"VALUE"}`},
		{200, "DELETE", "/secrets/s", ""}, {204, "DELETE", "/deletedsecrets/s", ""},
		{404, "GET", "/secrets/s", ""},
		{200, "POST", "/keys/k/create",
			`{"kty":"RSA","key_size":2048,"key_ops":["sign","verify","encrypt","decrypt","wrapKey","unwrapKey"],` +
				tags + `}`},
		{200, "GET", "/keys/k/VERSION", ""}, {200, "PATCH", "/keys/k/VERSION", `{` + tags + `}`},
		{200, "GET", "/keys", ""}, {200, "GET", "/keys/k/versions", ""},
		{200, "POST", "/keys/k/VERSION/sign", `{"alg":"RS256","value":"` + digest + `"}`},
		{200, "POST", "/keys/k/VERSION/verify",
			`{"alg":"RS256","digest":"` + digest + `","value":"VALUE"}`},
		{200, "POST", "/keys/k/VERSION/encrypt", `{"alg":"RSA-OAEP-256","value":"AQID"}`},
		{200, "POST", "/keys/k/VERSION/decrypt", `{"alg":"RSA-OAEP-256","value":"VALUE"}`},
		{200, "POST", "/keys/k/VERSION/wrapkey", `{"alg":"RSA-OAEP","value":"AQID"}`},
		{200, "POST", "/keys/k/VERSION/unwrapkey", `{"alg":"RSA-OAEP","value":"VALUE"}`},
		{200, "POST", "/keys/e/create", `{"kty":"EC","crv":"P-256"}`},
		{200, "GET", "/keys/e/rotationpolicy", ""},
		{200, "PUT", "/keys/e/rotationpolicy",
			`{"lifetimeActions":[{"trigger":{"timeAfterCreate":"P90D"},"action":{"type":"Rotate"}}],"attributes":{"expiryTime":"P1Y"}}`},
		{200, "POST", "/keys/e/rotate", ""}, {200, "POST", "/keys/e/backup", ""},
		{200, "DELETE", "/keys/e", ""}, {204, "DELETE", "/deletedkeys/e", ""},
		{200, "POST", "/keys/restore", `{"value":"VALUE"}`},
		{200, "PUT", "/keys/o",
			`{"key":{"kty":"oct","key_ops":["encrypt","decrypt"],"k":"` + digest + `"},` + tags + `}`},
		{200, "POST", "/keys/o/encrypt", `{"alg":"A256GCM","value":"AQID","aad":"AQ"}`},
		{200, "POST", "/rng", `{"count":16}`},
		{200, "DELETE", "/keys/k", ""}, {200, "GET", "/deletedkeys", ""},
		{200, "GET", "/deletedkeys/k", ""}, {200, "POST", "/deletedkeys/k/recover", ""},
		{200, "DELETE", "/keys/k", ""}, {204, "DELETE", "/deletedkeys/k", ""},
		{404, "GET", "/keys/k", ""},
	} {
		path := strings.ReplaceAll(step.path, "VERSION", fmt.Sprint(version))
		body := strings.ReplaceAll(step.body, "VALUE", fmt.Sprint(value))
		a := c.call(step.method, path, body)
		if want := step.status; a.status != want {
			t.Fatalf("%s %s: %d %s", step.method, path, a.status, a.body)
		}
		if err := theJudge().check(c.host, step.method, path, a); err != nil {
			t.Errorf("%s %s: %v", step.method, path, err)
		}
		if err := theJudge().checkRequest(c.host, step.method, path, body); err != nil {
			t.Errorf("%s %s with %s: %v", step.method, path, body, err)
		}
		if v, ok := a.json["value"].(string); ok {
			value = v
		}
		for _, id := range []any{a.json["id"], a.at("key", "kid")} {
			if id, ok := id.(string); ok {
				version = id[strings.LastIndexByte(id, '/')+1:]
			}
		}
	}
	for _, target := range []string{"sys/ha-status", "sys/storage/raft/configuration", "sys/leader",
		"auth/token/lookup-self", "keyquorum/state", "keyquorum/apps",
		"sys/key-status", "keyquorum/rotate/keyring", "keyquorum/rotate/token-key",
		"keyquorum/rotate/gossip-key",
		"keyquorum/rotate/node-keys", "keyquorum/rotate/authority"} {
		a := s.operate("GET", "/v1/"+target, s.token, "")
		if a.status != 200 {
			t.Errorf("%s: %d %s", target, a.status, a.body)
		}
		if err := theJudge().check(nodeHost, "GET", "/v1/"+target, a); err != nil {
			t.Errorf("%s: %v", target, err)
		}
	}
}
