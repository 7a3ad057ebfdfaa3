package frontdoor

import (
	"strings"
	"testing"
)

// TestNamesOfTheAzureCLI types what who knows `az keyvault` types.
func TestNamesOfTheAzureCLI(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	ec, rsa := newKey(t, "P-256"), newKey(t, "RSA")
	value := private()
	c.file("value", []byte(value))
	c.file("ec.pem", ec.pkcs8PEM(t))
	c.file("rsa.pem", rsa.pkcs8PEM(t))
	c.file("data", []byte("data"))
	for _, line := range []string{
		"secret set --vault-name demo --name az-secret --file value --tags a=b --description text/plain",
		"secret show --vault-name demo -n az-secret -o json",
		"secret download --vault-name demo -n az-secret -f downloaded",
		"secret set-attributes --vault-name demo --name az-secret --disabled",
		"secret set-attributes --vault-name demo --name az-secret --enabled=true",
		"secret list --vault-name demo -o table", "secret list-versions --vault-name demo -n az-secret",
		"secret backup --vault-name demo -n az-secret -f secret.backup",
		"secret delete --vault-name demo -n az-secret",
		"secret show-deleted --vault-name demo -n az-secret",
		"secret purge --vault-name demo -n az-secret",
		"secret restore --vault-name demo -f secret.backup",
		"key create --vault-name demo --name az-made --type EC --curve P-384 --disabled=false",
		"key create --vault-name demo --name az-hsm --kty EC -p hsm",
		"key import --vault-name demo --name az-ec --pem-file ec.pem --protection software",
		"key import --vault-name demo --name az-rsa --pem-file rsa.pem",
		"key download --vault-name demo -n az-ec -f ec.der --encoding DER",
		"key download --vault-name demo -n az-ec -f ec.public.pem --encoding PEM",
		"key encrypt --vault-name demo -n az-rsa -a RSA-OAEP --file data --out sealed",
		"key rotate --vault-name demo -n az-made", "key random --count 8 --vault-name demo",
	} {
		c.ok(strings.Fields(line)...)
	}
	if got := string(c.read("downloaded")); got != value {
		t.Errorf("downloaded it is %q", got)
	}
	if got := c.read("ec.der"); string(got) != string(ec.publicDER(t)) {
		t.Errorf("the DER is %x", got)
	}
	o := c.object("secret", "show", "az-secret")
	if o.Tags["a"] != "b" || o.ContentType != "text/plain" {
		t.Errorf("the secret is %+v", o)
	}
	if o := c.object("secret", "show", "--id", o.ID); o.Value != value {
		t.Errorf("by its id it is %+v", o)
	}
	if o := c.object("key", "show", "az-hsm"); o.Type != "EC-HSM" {
		t.Errorf("--protection hsm made %+v", o)
	}
	refusesWhatAzSpaces(t, c)
}

// refusesWhatAzSpaces: values with spaces between are one flag each here, and the refusal says so.
func refusesWhatAzSpaces(t *testing.T, c *caller) {
	for says, line := range map[string]string{
		"write --tag a=b --tag c=d": "secret set-attributes --name az-secret --tags a=b c=d",
		"write --enabled=false":     "secret set-attributes az-secret --enabled false",
		"write --disabled=true":     "key set-attributes az-ec --disabled true",
		"write --ops sign,verify":   "key create az-made --kty EC --ops sign verify",
		"software or hsm":           "key create az-made --protection vault",
		"give one of them":          "key create az-made --enabled --disabled",
		"besides --name or --id":    "secret show az-secret --name az-secret",
		"json or env":               "secret show az-secret -o yaml",
	} {
		c.refused(1, says, strings.Fields(line)...)
	}
	for _, verb := range []string{"secret set", "key create", "key decrypt"} {
		help := c.ok(append(strings.Fields(verb), "--help")...)
		for _, name := range []string{"--vault-name", "--name", "--id ", "--disabled", "--protection"} {
			if strings.Contains(help, name) {
				t.Errorf("the help of %s has %s", verb, name)
			}
		}
	}
}

// TestDecryptTakesAzuresTag, and base64 in the alphabet in which the Azure CLI prints it.
func TestDecryptTakesAzuresTag(t *testing.T) {
	t.Parallel()
	c := shared(t).caller(t)
	c.ok("key", "create", "az-oct", "--kty=oct-HSM", "--size=256")
	std := strings.NewReplacer("-", "+", "_", "/")
	value := private()
	for range 4 { // until both letters that differ have most likely occurred
		o := c.objectGiven(value, "key", "encrypt", "az-oct", "--algorithm=A256GCM")
		got := c.ok("key", "decrypt", "-n", "az-oct", "-a", "A256GCM", "--value",
			std.Replace(o.Result)+"==",
			"--iv", std.Replace(o.IV), "--tag", std.Replace(o.AuthTag))
		if got != value {
			t.Errorf("it decrypts to %q", got)
		}
	}
}
