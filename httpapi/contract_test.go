package httpapi_test

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
)

// Old clients send the versions before 7.0, and write the parameter's name in capitals. Azure takes
// both.
func TestVersionsThatClientsSend(t *testing.T) {
	c := unsealed(t).application(t, "versions", everything)
	for i := range 26 { // one more than a page
		c.ok("PUT", fmt.Sprint("/secrets/s", i), `{"value":"x"}`)
	}
	for _, name := range []string{"api-version", "API-Version", "Api%2DVersion", "API%2dVERSION"} {
		for _, version := range []string{"2015-06-01", "2016-10-01", "7.0", "7.5", "7.6-preview.2",
			"2025-07-01", "2026-04-01", "2026-05-01-preview"} {
			a := c.raw("GET", "/secrets?"+name+"="+version, "")
			if a.status != 200 {
				t.Errorf("%s=%s: %d %s", name, version, a.status, a.body)
				continue
			}
			next := a.text("nextLink")
			if b := c.raw("GET", next[strings.Index(next, "/secrets"):], ""); b.status != 200 ||
				!strings.Contains(next, "api-version="+version) {
				t.Errorf("%s=%s: the next page %s is %d %s", name, version, next, b.status, b.body)
			}
		}
	}
	if a := c.raw("GET", "/secrets?API-Version=7.5&MaxResults=3", ""); len(a.rows()) != 3 {
		t.Errorf("MaxResults: %d %s", a.status, a.body)
	}
	for _, version := range []string{"", "2016-10-02", "2015-06-01-preview", "2024-11-01", "6.0",
		"7", "latest"} {
		wrong{status: 400, code: "BadParameter",
			message: `The api-version query parameter is missing or not supported: ` +
				`it is 7\.0 .+ 2025 .+ 2015-06-01 and 2016-10-01\.`}.
			check(t, c.raw("GET", "/secrets?api-version="+version, ""))
	}
}

// notThere are operations of Azure Key Vault and of Managed HSM.
const notThere = `POST /certificates/n/create
POST /certificates/n/import
GET /certificates/n
GET /certificates/n/
GET /certificates/n/VERSION
GET /Certificates//n
PATCH /certificates/n/VERSION
GET /certificates
GET /certificates/n/versions
DELETE /certificates/n
POST /certificates/n/backup
POST /certificates/restore
GET /deletedcertificates
GET /deletedcertificates/n
POST /deletedcertificates/n/recover
DELETE /deletedcertificates/n
GET /certificates/n/policy
PATCH /certificates/n/policy
GET /certificates/n/pending
PATCH /certificates/n/pending
DELETE /certificates/n/pending
POST /certificates/n/pending/merge
GET /certificates/contacts
PUT /certificates/contacts
DELETE /certificates/contacts
GET /certificates/issuers
PUT /certificates/issuers/i
GET /keys/k/VERSION/attestation
POST /keys/k/VERSION/securewrapkey
POST /keys/k/secureunwrapkey
POST /keys/k//secureWrapKey
PUT /keys/k/restore
POST /backup
PUT /restore
GET /backup/1/pending
POST /prebackup
PUT /prerestore
GET /settings
PATCH /settings/s
PUT /providers/Microsoft.Authorization/roleAssignments/1
GET /keys/providers/Microsoft.Authorization/roleDefinitions
PUT /keys/k/providers/Microsoft.Authorization/roleAssignments/1
GET /storage
GET /storage/a/sas/b
DELETE /deletedstorage/a
`

// What Azure has and this server has not is refused as such: 404 would say that there is no such
// certificate.
func TestOperationsThatAreNotBuilt(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "not-built", everything)
	c.ok("POST", "/keys/k/create", `{"kty":"EC"}`)
	const message = `Azure has this operation; this server does not\.`
	for q := range strings.Lines(notThere) {
		q = strings.NewReplacer("VERSION", noVersion, "\n", "").Replace(q)
		method, path, _ := strings.Cut(q, " ")
		wrong{q, method, path, "", 501, "NotImplemented", "", message}.run(t, c)
		stranger := *c
		stranger.token = ""
		if a := stranger.call(method, path, ""); a.status != 401 ||
			a.header.Get("Www-Authenticate") == "" {
			t.Errorf("%s of a stranger: %d %s", q, a.status, a.body)
		}
	}
	wrong{"what nobody has", "GET", "/nowhere", "", 404, "NotFound", "", `No such path\.`}.run(t, c)
	wrong{"a method that nobody has", "PUT", "/keys/k/sign", "", 405, "MethodNotAllowed", "",
		`.+`}.run(t, c)
}

// Where neither a vault nor a login host was meant, but an address or a name of no zone, that is
// said in the words of whoever was meant.
func TestHostsOfNoZone(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "no-zone", everything)
	const message = `This host is no vault's and no login host\. ` +
		`Those of this server are <vault>\.vault\.localhost and login\.localhost\.`
	for _, host := range []string{nodeHost, "localhost:8200", "[::1]:8200", "demo.vault.azure.net",
		"demovault.localhost"} {
		c.host = host
		for _, q := range []string{"POST /keys/a/create", "GET /secrets/s", "GET //secrets",
			"GET /Secrets/", "POST /rng", "GET /deletedkeys", "GET /certificates/c", "DELETE /keys"} {
			method, path, _ := strings.Cut(q, " ")
			for _, token := range []string{"", c.token, s.token} {
				other := *c
				other.token = token
				a := other.call(method, path, "")
				wrong{status: 421, code: "MisdirectedRequest", message: message}.check(t, a)
				if a.header.Get("X-Ms-Keyvault-Service-Version") == "" {
					t.Errorf("%s at %s: headers %v", q, host, a.header)
				}
			}
		}
		for _, q := range []string{"POST /adfs/oauth2/token",
			"GET //adfs/.well-known/openid-configuration", "POST /adfs/oauth2/v2.0/token",
			"GET /adfs/oauth2/token"} {
			method, path, _ := strings.Cut(q, " ")
			r := httptest.NewRequest(method, "/", nil)
			r.URL.Path, r.Host = path, host
			if a := s.serve(r); a.status != 421 || a.text("error") != "invalid_request" ||
				!strings.Contains(a.text("error_description"), "login.localhost") {
				t.Errorf("%s at %s: %d %s", q, host, a.status, a.body)
			}
		}
	}
	if a := s.operate("GET", "/v1/sys/health", "", ""); a.status != 200 {
		t.Errorf("the operator plane: %d %s", a.status, a.body)
	}
	if a := s.operate("GET", "/nowhere", s.token, ""); a.status != 404 {
		t.Errorf("a path that nobody has: %d %s", a.status, a.body)
	}
}

// A body that is compressed is refused as that, in every plane.
func TestCompressedBodies(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "compressed", everything)
	const gzip = "\x1f\x8b\x08\x00\x00\x00"
	for _, encoding := range []string{"gzip", "deflate, gzip", "br"} {
		mine := *c
		mine.s = s.with("Content-Encoding", encoding)
		wrong{encoding, "PUT", "/secrets/s", gzip, 415, "UnsupportedMediaType", "",
			`Request bodies are taken as they are, without Content-Encoding\.`}.run(t, &mine)
		if a := mine.s.login("POST", "/adfs/oauth2/token", gzip); a.status != 415 ||
			!strings.Contains(a.text("error_description"), "Content-Encoding") {
			t.Errorf("the token endpoint: %d %s", a.status, a.body)
		}
		if a := mine.s.operate("POST", "/v1/keyquorum/vaults", s.token, gzip); a.status != 415 ||
			!strings.Contains(a.body, "Content-Encoding") {
			t.Errorf("the operator plane: %d %s", a.status, a.body)
		}
	}
	plain := *c
	plain.s = s.with("Content-Encoding", "Identity")
	plain.ok("PUT", "/secrets/s", `{"value":"x"}`)
}
