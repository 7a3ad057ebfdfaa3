package frontdoor

import (
	"strings"
	"testing"
)

// TestNamesInEveryForm gives each verb that takes a name an id and akv://, too.
func TestNamesInEveryForm(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	vault := c.house.urls()[0]
	value := private()
	c.file("value", []byte(value))
	c.file("key.pem", newKey(t, "P-256").pkcs8PEM(t))
	for _, line := range []string{
		"secret set VAULT/secrets/any --file=value", "secret set akv://demo/any --file=value",
		"secret show VAULT/secrets/any", "secret list-versions VAULT/secrets/any",
		"secret set-attributes akv://demo/any --tag=a=b", "secret download VAULT/secrets/any --file=one",
		"secret backup akv://demo/any --file=saved", "secret delete VAULT/secrets/any",
		"secret show-deleted VAULT/deletedsecrets/any", "secret recover VAULT/deletedsecrets/any",
		"secret delete akv://demo/any", "secret recover akv://demo/any", "secret delete any",
		"secret purge VAULT/deletedsecrets/any", "secret restore --vault=VAULT --file=saved",

		"key create VAULT/keys/any --kty=EC", "key import akv://demo/any --file=key.pem",
		"key show akv://demo/any", "key list-versions akv://demo/any", "key rotate VAULT/keys/any",
		"key rotation-policy akv://demo/any --rotate-after=P90D", "key sign akv://demo/any --file=value",
		"key set-attributes VAULT/keys/any --tag=a=b", "key download VAULT/keys/any --file=public",
		"key backup VAULT/keys/any --file=key.saved", "key delete akv://demo/any",
		"key show-deleted VAULT/deletedkeys/any", "key purge akv://demo/any",
		"key restore --vault=demo --file=key.saved", "key list --vault=VAULT",
	} {
		c.ok(strings.Fields(strings.ReplaceAll(line, "VAULT", vault))...)
	}
	if got := c.value(vault + "/secrets/any"); got != value {
		t.Errorf("the value is %q", got)
	}
	if n := len(c.list("secret", "list-versions", "any")); n != 2 {
		t.Errorf("there are %d versions", n)
	}
	o := c.object("key", "show", "any")
	signed := c.objectGiven("text", "key", "sign", o.ID)
	verified := c.objectGiven("text", "key", "verify", "akv://demo/any/"+o.Version,
		"--signature="+signed.Result)
	if signed.Key != o.ID || !verified.Valid {
		t.Errorf("it signs as %+v, and verifies as %+v", signed, verified)
	}
	c.refused(1, "names a vault, and no secret", "secret", "show", vault)
	c.refused(1, "id of no secret", "secret", "show", vault+"/keys/any")
}

// TestFormsOfWhatAKeyDoes: a result is printed as people, scripts and shells want it.
func TestFormsOfWhatAKeyDoes(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	one := c.object("key", "create", "formed", "--kty=RSA")
	c.file("text", []byte("text"))
	for _, row := range []struct{ args, holds string }{
		{"sign formed --algorithm=RS256 --file=text", "Algorithm  RS256\n"},
		{"sign formed --algorithm=RS256 --file=text --format=env", "KEY=" + one.ID + "\n"},
		{"sign formed --algorithm=RS256 --file=text --field=key", one.ID},
		{"sign formed --algorithm=RS256 --file=text --out=signature", "Written    signature\n"},
		{"verify formed --algorithm=RS256 --file=text --signature-file=signature -q", "true\n"},
		{"verify formed --algorithm=RS256 --file=text --signature-file=signature", "Valid      yes\n"},
		{"encrypt formed --file=text --format=env", "ALGORITHM=RSA-OAEP-256\n"},
		{"wrap formed --file=text --field=algorithm", "RSA-OAEP-256"},
		{"random 3 --format=json", `"result": "`},
	} {
		got := c.ok(append([]string{"key"}, strings.Fields(row.args)...)...)
		if !strings.Contains(got, row.holds) {
			t.Errorf("%s prints %s without %q", row.args, got, row.holds)
		}
	}
}
