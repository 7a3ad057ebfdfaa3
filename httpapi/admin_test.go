package httpapi_test

import (
	"strings"
	"testing"
	"time"
)

func TestAdministration(t *testing.T) {
	s := newService(t)
	if err := s.begin(1, 1); err != nil {
		t.Fatal(err)
	}
	do := func(method, path, body string, want int) answer {
		t.Helper()
		a := s.operate(method, "/v1/keyquorum/"+path, s.token, body)
		if a.status != want {
			t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, a.status, a.body, want)
		}
		return a
	}
	v := do("POST", "vaults", `{"name":"Admin-Test","retention_days":7,"purge_protection":true}`, 200)
	if v.at("data", "name") != "admin-test" || v.at("data", "retention_days") != 7.0 ||
		v.at("data", "purge_protection") != true {
		t.Errorf("vault %s", v.body)
	}
	do("POST", "vaults", `{"name":"admin-test"}`, 409)
	do("POST", "vaults", `{"name":"-"}`, 400)
	do("POST", "vaults", `{"name":"days","retention_days":91}`, 400)
	do("GET", "vaults/admin-test", "", 200)
	do("GET", "vaults/no-such", "", 404)
	if list := do("LIST", "vaults", "", 200); !strings.Contains(list.body, `"admin-test"`) ||
		list.status != do("GET", "vaults?list=true", "", 200).status {
		t.Errorf("vaults %s", list.body)
	}
	app := do("PUT", "apps", `{"name":"admin-app"}`, 200)
	id := app.text("client_id")
	if id == "" || app.at("data", "enabled") != true || app.text("oid") == "" {
		t.Errorf("app %s", app.body)
	}
	do("GET", "apps/admin-app", "", 200)
	do("GET", "apps/nobody", "", 404)
	grant := do("PUT", "vaults/admin-test/grants/admin-app",
		`{"secrets":["get","list"],"keys":["sign"]}`, 200)
	if grant.text("client_id") != id || len(grant.at("data", "secrets").([]any)) != 2 {
		t.Errorf("grant %s", grant.body)
	}
	do("PUT", "vaults/admin-test/grants/admin-app", `{"secrets":["fly"]}`, 400)
	do("PUT", "vaults/no-such/grants/admin-app", `{"secrets":["get"]}`, 404)
	do("DELETE", "vaults/admin-test/grants/admin-app", "", 204)
	if list := do("GET", "vaults/admin-test/grants", "",
		200); len(list.at("data", "grants").([]any)) != 0 {
		t.Errorf("grants %s", list.body)
	}
	key := do("POST", "apps/admin-app/credentials", `{"ttl":3600}`, 200)
	if key.text("secret") == "" || key.text("client_id") != id || key.text("expires") == "" {
		t.Errorf("credential %s", key.body)
	}
	if endless := do("POST", "apps/"+id+"/credentials", ``, 200); endless.json["expires"] != nil {
		t.Errorf("credential without end %s", endless.body)
	}
	for _, ttl := range []string{`"soon"`, `-1`, `1.5`, `"-1h"`, `true`, `[]`} {
		do("POST", "apps/admin-app/credentials", `{"ttl":`+ttl+`}`, 400)
	}
	if a := do("GET", "apps/admin-app", "", 200); len(a.at("data", "credentials").([]any)) != 2 ||
		strings.Contains(a.body, key.text("secret")) {
		t.Errorf("app with credentials %s", a.body)
	}
	do("DELETE", "apps/admin-app/credentials/"+key.text("id"), "", 204)
	do("DELETE", "apps/admin-app/credentials/"+key.text("id"), "", 404)
	do("POST", "apps/admin-app", `{}`, 400)
	if a := do("POST", "apps/admin-app", `{"enabled":false}`, 200); a.at("data", "enabled") != false {
		t.Errorf("disabled %s", a.body)
	}
	do("DELETE", "apps/admin-app", "", 204)
	do("DELETE", "apps/admin-app", "", 404)
}

func TestRevokedCredentialEndsItsTokens(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "revocation", everything)
	c.ok("PUT", "/secrets/s", `{"value":"x"}`)
	app := s.operate("GET", "/v1/keyquorum/apps/"+c.id, s.token, "")
	credential := app.at("data", "credentials").([]any)[0].(map[string]any)["id"].(string)
	if a := s.operate("DELETE", "/v1/keyquorum/apps/"+c.id+"/credentials/"+credential, s.token,
		""); a.status != 204 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	a := c.call("GET", "/secrets/s", "")
	if a.status != 401 || a.header.Get("Www-Authenticate") == "" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// A vault's life through the administration API, and what an application sees of it.
func TestVaultLifeOnTheWire(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "life", everything)
	c.ok("PUT", "/secrets/s", `{"value":"x"}`)
	name, _, _ := strings.Cut(c.host, ".")
	do := func(method, path, body string, want int) answer {
		t.Helper()
		a := s.operate(method, "/v1/keyquorum/"+path, s.token, body)
		if a.status != want {
			t.Fatalf("%s %s %s: %d %s, want %d", method, path, body, a.status, a.body, want)
		}
		return a
	}
	live, gone := "vaults/"+name, "deleted-vaults/"+name
	if v := do("GET", live, "", 200); v.at("data", "state") != "live" ||
		v.at("data", "weak_algorithms") != true || v.at("data", "deleted") != nil ||
		v.at("data", "scheduled_purge") != nil {
		t.Errorf("made: %s", v.body)
	}
	for _, body := range []string{``, `{}`, `{"weak_algorithm":false}`, `{"weak_algorithms":"no"}`,
		`{"retention_days":7}`, `{"purge_protection":1}`} {
		do("POST", live, body, 400)
	}
	if v := do("PUT", live, `{"weak_algorithms":false,"retention_days":90}`, 200); v.at("data",
		"weak_algorithms") != false || v.at("data", "purge_protection") != false {
		t.Errorf("changed: %s", v.body)
	}
	do("GET", gone, "", 404)
	do("DELETE", gone, "", 404)
	do("POST", gone+"/recover", "", 404)
	s.usage.take()
	d := do("DELETE", live, "", 200)
	if lines := s.usage.take(); len(lines) != 1 || lines[0]["operation"] != "admin/vaults/delete" ||
		lines[0]["vault"] != name || lines[0]["status"] != 200.0 {
		t.Errorf("recorded %v", lines)
	}
	deleted, err1 := time.Parse(time.RFC3339, d.text("deleted"))
	scheduled, err2 := time.Parse(time.RFC3339, d.text("scheduled_purge"))
	if err1 != nil || err2 != nil || scheduled.Sub(deleted) != 90*24*time.Hour ||
		d.at("data", "state") != "deleted" {
		t.Errorf("deleted: %s", d.body)
	}
	for _, call := range [][2]string{{"GET", "/secrets/s"}, {"PUT", "/secrets/s"}, {"GET", "/keys"},
		{"DELETE", "/deletedsecrets/s"}} {
		if a := c.call(call[0], call[1], `{"value":"y"}`); a.status != 404 ||
			a.at("error", "code") != "VaultNotFound" || strings.Contains(a.body, "delete") {
			t.Errorf("%s %s in a deleted vault: %d %s", call[0], call[1], a.status, a.body)
		}
	}
	for _, path := range []string{"", "/grants"} {
		do("GET", live+path, "", 404)
	}
	if a := do("POST", "vaults", `{"name":"`+name+`"}`, 409); !strings.Contains(a.body,
		"recovered, or purged") {
		t.Errorf("its name is taken: %s", a.body)
	}
	if list := do("LIST", "deleted-vaults", "", 200); !strings.Contains(list.body, `"`+name+`"`) ||
		strings.Contains(do("GET", "vaults", "", 200).body, `"`+name+`"`) {
		t.Errorf("deleted vaults: %s", list.body)
	}
	do("GET", gone, "", 200)
	if v := do("POST", gone+"/recover", "", 200); v.at("data", "state") != "live" ||
		v.at("data", "weak_algorithms") != false {
		t.Errorf("recovered: %s", v.body)
	}
	if a := c.ok("GET", "/secrets/s", ""); a.text("value") != "x" {
		t.Errorf("after the recovery: %s", a.body)
	}
	do("DELETE", live, "", 200)
	do("DELETE", gone, "", 204)
	do("DELETE", gone, "", 404)
	do("POST", "vaults", `{"name":"`+name+`"}`, 200)
	if a := c.call("GET", "/secrets/s", ""); a.status != 403 {
		t.Errorf("in the vault that has the name now: %d %s", a.status, a.body)
	}
}

func TestProtectedVaultOnTheWire(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "safe", everything)
	name, _, _ := strings.Cut(c.host, ".")
	do := func(method, path, body string) answer {
		return s.operate(method, "/v1/keyquorum/"+path+name, s.token, body)
	}
	if a := do("POST", "vaults/", `{"purge_protection":true}`); a.status != 200 ||
		a.at("data", "purge_protection") != true {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := do("POST", "vaults/", `{"purge_protection":false}`); a.status != 409 ||
		!strings.Contains(a.body, "cannot be switched off") {
		t.Errorf("%d %s", a.status, a.body)
	}
	do("DELETE", "vaults/", "")
	if a := do("DELETE", "deleted-vaults/", ""); a.status != 409 ||
		!strings.Contains(a.body, "before its retention is over") {
		t.Errorf("%d %s", a.status, a.body)
	}
	if a := s.operate("POST", "/v1/keyquorum/deleted-vaults/"+name+"/recover", s.token,
		""); a.status != 200 {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Usage records say what was granted, and whose ids a name had, when the name is long gone.
func TestUsageRecordsSayWhatWasGrantedToWhom(t *testing.T) {
	s := unsealed(t)
	do := func(method, path, body string) (a answer, record map[string]any) {
		t.Helper()
		s.usage.take()
		if a = s.operate(method, "/v1/keyquorum/"+path, s.token, body); a.status/100 != 2 {
			t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
		}
		return a, s.one(t, method+" "+path)
	}
	_, made := do("POST", "vaults", `{"name":"granted","retention_days":7}`)
	app, created := do("POST", "apps", `{"name":"grantee"}`)
	_, some := do("PUT", "vaults/granted/grants/grantee", `{"keys":["Sign","get"],"secrets":[]}`)
	_, all := do("PUT", "vaults/granted/grants/grantee", `{"keys":["all"],"secrets":["all"]}`)
	credential, added := do("POST", "apps/grantee/credentials", `{}`)
	_, dropped := do("DELETE", "apps/grantee/credentials/"+credential.text("id"), "")
	_, off := do("POST", "apps/grantee", `{"enabled":false}`)
	_, none := do("DELETE", "vaults/granted/grants/grantee", "")
	_, gone := do("DELETE", "apps/grantee", "")
	for what, row := range map[string]struct {
		record map[string]any
		detail any
		app    bool
	}{
		"vault":      {made, "retention_days=7 purge_protection=false weak_algorithms=true", false},
		"creation":   {created, nil, true},
		"some":       {some, "keys=get,sign secrets=", true},
		"all":        {all, "keys=all secrets=all", true},
		"credential": {added, "credential=" + credential.text("id"), true},
		"revocation": {dropped, "credential=" + credential.text("id"), true},
		"off":        {off, "disabled", true},
		"no grant":   {none, "keys= secrets=", true},
		"deletion":   {gone, nil, true},
	} {
		var oid, appID any
		if row.app {
			oid, appID = app.at("data", "oid"), app.at("data", "client_id")
		}
		if r := row.record; r["detail"] != row.detail || r["subject_oid"] != oid ||
			r["subject_appid"] != appID {
			t.Errorf("%s: %v", what, r)
		}
	}
}

// Refusals name what they are about, and what there is instead.
func TestRefusalsOfTheAdministrationName(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "named", `{}`)
	name, _, _ := strings.Cut(c.host, ".")
	for _, row := range []struct{ method, path, body, says string }{
		{"PUT", "vaults/" + name + "/grants/" + c.id, `{"keys":["foo"]}`,
			`no permission \"foo\" on keys; there are all, get, list, `},
		{"PUT", "vaults/" + name + "/grants/" + c.id, `{"secrets":["sign"]}`,
			`no permission \"sign\" on secrets; there are all, get, list, set, `},
		{"POST", "vaults", `{"name":"` + name + `"}`, "a vault called " + name + " already"},
		{"GET", "vaults/no-such-one", "", "no vault called no-such-one"},
		{"GET", "deleted-vaults/" + name, "", "The vault " + name + " is not deleted"},
		{"POST", "apps", `{"name":"` + name + `-app"}`, `called \"` + name + `-app\" already`},
		{"GET", "apps/no-such-app", "", `name or client id \"no-such-app\"`},
		{"DELETE", "apps/" + c.id + "/credentials/x", "", `no credential of the id \"x\"`},
	} {
		a := s.operate(row.method, "/v1/keyquorum/"+row.path, s.token, row.body)
		if a.status/100 != 4 || !strings.Contains(a.body, row.says) {
			t.Errorf("%s %s: %d %s, want %q", row.method, row.path, a.status, a.body, row.says)
		}
	}
}
