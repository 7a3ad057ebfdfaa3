package httpapi_test

import (
	"fmt"
	"strings"
	"testing"

	"keyquorum/httpapi"
)

// rights are the permissions that Azure wants for each operation, in its access policies' words. A
// new route needs a line here.
var rights = map[string]string{
	"secrets/get": "get", "secrets/set": "set", "secrets/update": "set", "secrets/list": "list",
	"secrets/versions": "list", "secrets/delete": "delete", "secrets/backup": "backup",
	"secrets/restore": "restore", "secrets/getdeleted": "get", "secrets/listdeleted": "list",
	"secrets/recover": "recover", "secrets/purge": "purge",
	"keys/create": "create", "keys/import": "import", "keys/get": "get", "keys/update": "update",
	"keys/list": "list", "keys/versions": "list", "keys/delete": "delete",
	"keys/getdeleted": "get", "keys/listdeleted": "list", "keys/recover": "recover",
	"keys/purge": "purge", "keys/backup": "backup", "keys/restore": "restore",
	"keys/encrypt": "encrypt", "keys/decrypt": "decrypt", "keys/wrapKey": "wrapKey",
	"keys/unwrapKey": "unwrapKey", "keys/sign": "sign", "keys/verify": "verify",
	"keys/release": "release", "keys/rotate": "rotate", "keys/getrotationpolicy": "getrotationpolicy",
	"keys/setrotationpolicy": "setrotationpolicy",
	"rng":                    "", // any of keys
}

// Each route is open to its own permission, and to no other of either collection.
func TestEachRouteTakesItsOwnPermission(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "permissions", everything)
	vault, _, _ := strings.Cut(c.host, ".")
	permissions := map[string]bool{}
	for operation, right := range rights {
		collection, _, _ := strings.Cut(operation, "/")
		if right != "" {
			permissions[collection+"/"+right] = true
		}
	}
	for permission := range permissions {
		collection, right, _ := strings.Cut(permission, "/")
		if a := s.operate("PUT", "/v1/keyquorum/vaults/"+vault+"/grants/"+c.id, s.token,
			`{"`+collection+`":["`+right+`"]}`); a.status != 200 {
			t.Fatalf("grant: %d %s", a.status, a.body)
		}
		eachRoute(httpapi.ApplicationRows(), func(r httpapi.RouteRow, method, path string) {
			wanted, known := rights[r.OperationRecord]
			if !known {
				t.Errorf("%s has no permission in this test", r.OperationRecord)
			}
			a := c.call(method, path, "{}")
			denied := a.at("error", "innererror", "code") == "ForbiddenByPolicy"
			of, _, _ := strings.Cut(r.OperationRecord, "/")
			if wanted == "" {
				of, wanted = "any", "keys" // of these one is enough
			}
			if allowed := of == collection && wanted == right || of == "any" &&
				wanted == collection; denied == allowed {
				t.Errorf("%s %s with %s: %d %s", method, path, permission, a.status, a.body)
			}
			if said := fmt.Sprintf("does not have %s %s permission on key vault '%s;", of, wanted,
				vault); denied && !strings.Contains(a.body, said) {
				t.Errorf("%s %s with %s: %s", method, path, permission, a.body)
			}
		})
	}
}

// Everything that is wrong with a request is said in one order (decision 10), so that nobody learns
// of a vault, a name or a state what they have no right to know: who asks, how large and
// well-formed the body is, the vault, the name, the permission, what exists, its state, and last
// what the body means.
func TestWhatIsWrongIsSaidInOrder(t *testing.T) {
	s := unsealed(t)
	c := s.application(t, "in-order", everything)
	powerless := *s.application(t, "powerless", everything) // but elsewhere
	powerless.host = c.host
	c.ok("PUT", "/keys/off",
		`{"key":{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA"},"attributes":{"enabled":false}}`)
	c.ok("PUT", "/keys/gone", octJWK)
	secretKind.make(c, "gone", false)
	c.ok("DELETE", "/keys/gone", "")
	c.ok("DELETE", "/secrets/gone", "")
	nobody, nowhere := *c, powerless
	nobody.token = "x"
	nowhere.host = "no-such-vault.vault.localhost"
	nobody.host = nowhere.host
	const senseless = `{"value":null,"kty":"x","key":{"kty":"x"},"alg":"x","digest":"","attributes":{"nbf":2,"exp":1,"expiryTime":"x"},"count":1000}`
	for _, route := range []struct {
		method, path,
		exists string
	}{ // %s is the name; exists: what is said of gone
		{"PUT", "/secrets/%s", "ObjectIsDeletedButRecoverable"}, {"PATCH", "/secrets/%s",
			"SecretNotFound"}, {"POST", "/keys/%s/create", "ObjectIsDeletedButRecoverable"},
		{"PUT", "/keys/%s", "ObjectIsDeletedButRecoverable"}, {"PATCH", "/keys/%s", "KeyNotFound"},
		{"POST", "/keys/%s/sign", "KeyNotFound"}, {"POST", "/keys/%s/verify", "KeyNotFound"},
		{"POST", "/keys/%s/encrypt", "KeyNotFound"}, {"POST", "/keys/%s/decrypt", "KeyNotFound"},
		{"POST", "/keys/%s/wrapkey", "KeyNotFound"}, {"POST", "/keys/%s/unwrapkey", "KeyNotFound"},
		{"POST", "/keys/%s/release", "KeyNotFound"}, {"PUT", "/keys/%s/rotationpolicy", "KeyNotFound"},
	} {
		for _, row := range []struct {
			by         *client
			name, body string
			status     int
			code       string // the more telling one
		}{
			{&nobody, "a_b", "{", 401, "Unauthorized"}, {&nowhere, "a_b", strings.Repeat(" ", 2<<20), 413,
				"RequestEntityTooLarge"}, {&nowhere, "a_b", "{", 400, "BadParameter"},
			{&nowhere, "a_b", senseless, 404, "VaultNotFound"}, {&powerless, "a_b", senseless, 400,
				"BadParameter"}, {&powerless, "gone", senseless, 403, "ForbiddenByPolicy"},
			{&powerless, "none", senseless, 403, "ForbiddenByPolicy"},
			{c, "gone", senseless, 0, route.exists},
		} {
			a := row.by.call(route.method, fmt.Sprintf(route.path, row.name), row.body)
			code, ok := a.at("error", "innererror", "code").(string)
			if !ok {
				code, _ = a.at("error", "code").(string)
			}
			if row.status != 0 && a.status != row.status || code != row.code {
				t.Errorf("%s %s of %s: %d %s, want %d %s", route.method, route.path, row.name, a.status, a.body,
					row.status, row.code)
			}
		}
	}
	for _, op := range []string{"sign", "verify", "encrypt", "decrypt", "wrapkey", "unwrapkey"} {
		if a := c.call("POST", "/keys/off/"+op, senseless); a.at("error", "innererror",
			"code") != "KeyDisabled" {
			t.Errorf("%s with a disabled key: %d %s", op, a.status, a.body)
		}
	}
}
