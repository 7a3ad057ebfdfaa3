package reference

import (
	"slices"
	"strings"
	"testing"
)

const version = "3b8bf2f1894f967d6990902aa1bdb63e"

func TestReferences(t *testing.T) {
	for _, row := range []struct {
		text string
		want Reference
	}{
		{"hello", Reference{Name: "hello"}},
		{"akv://demo/hello", Reference{Vault: "demo", Name: "hello"}},
		{"akv://Demo/hello/" + version, Reference{Vault: "demo", Name: "hello", Version: version}},
		{"https://demo.vault.localhost:8200/secrets/hello",
			Reference{Vault: "https://demo.vault.localhost:8200", Name: "hello"}},
		{"https://Demo.Vault.Localhost/secrets/hello/" + version,
			Reference{"https://demo.vault.localhost", "hello", version}},
		{"https://demo.vault.azure.net/deletedsecrets/hello",
			Reference{Vault: "https://demo.vault.azure.net", Name: "hello"}},
	} {
		got, err := Parse(Secrets, row.text)
		if err != nil || got != row.want {
			t.Errorf("%s is %+v (%v), want %+v", row.text, got, err, row.want)
		}
	}
}

func TestWhatIsNoReferenceSaysWhatIsOne(t *testing.T) {
	for text, says := range map[string]string{
		"":                              "1 to 127 letters",
		"two words":                     "1 to 127 letters",
		"a/b":                           "1 to 127 letters",
		strings.Repeat("a", 128):        "1 to 127 letters",
		"akv://demo":                    "akv://vault/name",
		"akv:///hello":                  "akv://vault/name",
		"akv://demo/a/b/c":              "akv://vault/name",
		"akv://demo/hello/latest":       "32 hexadecimal digits",
		"akv://d/hello":                 "akv://vault/name",
		"http://demo.vault/secrets/a":   "its id (https://host/secrets/name)",
		"https://demo.vault.x/keys/a":   "is the id of no secret",
		"https://demo.vault.x":          "names a vault",
		"https://demo/secrets/a":        "https://vault.zone",
		"https://u@demo.x/secrets/a":    "is no id",
		"https://demo.x/secrets/a?b=c":  "is no id",
		"https://demo.x/secrets/a#b":    "is no id",
		"https://demo.x/secrets/%61":    "is no id",
		"https://demo.x/secrets/a/b":    "32 hexadecimal digits",
		"https://demo.x/secrets/a/b/cd": "is the id of no secret",
	} {
		if _, err := Parse(Secrets, text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, which does not say %q", text, err, says)
		}
	}
}

// FuzzParse: what is taken is written and read again as the same, and stays on one line.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"hello", "akv://demo/hello/" + version,
		"https://demo.vault.localhost:8200/secrets/hello/" + version,
		"https://demo.x/deletedsecrets/a/", "https://[::1]/secrets/a", "akv://a--b/c",
		"https://a.b:0/secrets/c",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := Parse(Secrets, text)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("%q is refused on several lines: %v", text, err)
			}
			return
		}
		again, err := Parse(Secrets, r.String(Secrets))
		if err != nil || again != r {
			t.Errorf("%q is %+v, which is written as %q, which is %+v (%v)", text, r, r.String(Secrets),
				again, err)
		}
	})
}

func TestPlaces(t *testing.T) {
	three, err := ParsePlaces("https://demo.vault.x:1,https://demo.vault.x:2 https://demo.vault.x:3/")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ vault, want string }{
		{"", "https://demo.vault.x:1 https://demo.vault.x:2 https://demo.vault.x:3"},
		{"Payments", "https://payments.vault.x:1 https://payments.vault.x:2 https://payments.vault.x:3"},
		{"https://payments.vault.x:2",
			"https://payments.vault.x:2 https://payments.vault.x:1 https://payments.vault.x:3"},
		{"https://demo.vault.azure.net", "https://demo.vault.azure.net"},
	} {
		got, err := three.Of(row.vault)
		if want := strings.Fields(row.want); err != nil || !slices.Equal(got, want) {
			t.Errorf("vault %q is at %v (%v), want %v", row.vault, got, err, want)
		}
	}
	for _, vault := range []string{"", "demo", "no vault", "http://demo.x"} {
		if _, err := Places(nil).Of(vault); err == nil || !strings.Contains(err.Error(), "--vault") {
			t.Errorf("vault %q, and no places: %v", vault, err)
		}
	}
	if _, err := ParsePlaces("demo.vault.x"); err == nil {
		t.Error("a place without https is taken")
	}
}
