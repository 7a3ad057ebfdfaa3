package httpapi_test

import (
	"testing"
)

func TestSecretLife(t *testing.T) {
	c := unsealed(t).application(t, "secret-life", everything)
	set := c.ok("PUT", "/secrets/Db-Password",
		`{"value":"s3cr\u00e9t \ud83d\ude00\n\"\\","contentType":"text/plain","tags":{"b":"2","a":"1"},"attributes":{"exp":4102444800}}`)
	if got := set.text("value"); got != "s3crét 😀\n\"\\" {
		t.Errorf("value %q came back changed", got)
	}
	get := c.ok("GET", "/secrets/db-password", "")
	if get.body != set.body {
		t.Errorf("get says %s, set said %s", get.body, set.body)
	}
	if v, ok := c.ok("PATCH", "/secrets/db-password",
		`{"attributes":{"enabled":true}}`).json["value"]; ok {
		t.Errorf("an update gives the value %q", v)
	}
	deleted := c.ok("DELETE", "/secrets/db-password", "")
	if deleted.text("recoveryId") != "https://"+c.host+"/deletedsecrets/Db-Password" {
		t.Errorf("recoveryId %q", deleted.text("recoveryId"))
	}
	if a := c.ok("GET", "/deletedsecrets/db-password", ""); a.body != deleted.body {
		t.Errorf("get deleted says %s, delete said %s", a.body, deleted.body)
	}
	if a := c.call("PUT", "/secrets/db-password", `{"value":"x"}`); a.status != 409 ||
		a.at("error", "innererror", "code") != "ObjectIsDeletedButRecoverable" {
		t.Errorf("set of a deleted name: %d %s", a.status, a.body)
	}
	c.ok("POST", "/deletedsecrets/db-password/recover", "")
	c.ok("GET", "/secrets/db-password/", "")
	c.ok("DELETE", "/secrets/db-password", "")
	if a := c.ok("DELETE", "/deletedsecrets/db-password", ""); a.status != 204 || a.body != "" {
		t.Errorf("purge: %d %q", a.status, a.body)
	}
}
