// Package reference reads how people name what is in a vault: by its name, by its id
// (https://host/secrets/name/version), or as akv://vault/name[/version]; and knows at which URLs a
// vault is. It asks nobody.
package reference

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"keyquorum/internal/address"
)

// A Kind of object, as it stands in ids.
type Kind string

const (
	Secrets Kind = "secrets"
	Keys    Kind = "keys"
)

// Word is the kind as people say it of one.
func (k Kind) Word() string { return strings.TrimSuffix(string(k), "s") }

// A Reference names an object of a kind that whoever reads it knows.
type Reference struct {
	Vault   string // a name, or https://host[:port]; "": the one that the environment names
	Name    string
	Version string // "": the newest
}

// scheme begins a reference by a vault's name.
const scheme = "akv://"

var (
	objectName    = regexp.MustCompile(`^[0-9a-zA-Z-]{1,127}$`)
	objectVersion = regexp.MustCompile(`^[0-9a-f]{32}$`)
	vaultName     = regexp.MustCompile(`^[a-zA-Z](-?[a-zA-Z0-9])+$`)
)

// Is says whether a text claims to be a reference in full, so that it is none by mistake.
func Is(text string) bool { return strings.HasPrefix(text, scheme) }

// Parse reads a reference to an object of a kind. Its error is one line that says what is wanted.
func Parse(kind Kind, text string) (Reference, error) {
	switch {
	case strings.HasPrefix(text, scheme):
		return parseScheme(text)
	case strings.HasPrefix(text, "https://"):
		return parseID(kind, text)
	case strings.Contains(text, "://"):
		return Reference{}, fmt.Errorf("%q: %s", text, wanted(kind))
	}
	return checked(text, Reference{Name: text})
}

func wanted(kind Kind) string {
	return fmt.Sprintf("a %s is its name, its id (https://host/%s/name), or akv://vault/name[/version]",
		kind.Word(), kind)
}

func parseScheme(text string) (Reference, error) {
	parts := strings.Split(strings.TrimPrefix(text, scheme), "/")
	if len(parts) < 2 || len(parts) > 3 || !IsVaultName(parts[0]) {
		return Reference{}, fmt.Errorf("%q: it is akv://vault/name or akv://vault/name/version", text)
	}
	r := Reference{Vault: strings.ToLower(parts[0]), Name: parts[1]}
	if len(parts) == 3 {
		return versioned(text, r, parts[2])
	}
	return checked(text, r)
}

// parseID reads an id, also that of something deleted.
func parseID(kind Kind, text string) (Reference, error) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.RawPath != "" {
		return Reference{}, fmt.Errorf("%q is no id; %s", text, wanted(kind))
	}
	vault, err := VaultURL("https://" + u.Host)
	if err != nil {
		return Reference{}, err
	}
	parts := strings.Split(strings.Trim(u.Path, "/"), "/")
	found := Kind(strings.TrimPrefix(parts[0], "deleted"))
	switch {
	case len(parts) == 1:
		return Reference{}, fmt.Errorf("%q names a vault, and no %s in it; %s", text, kind.Word(), wanted(kind))
	case found != kind || len(parts) > 3:
		return Reference{}, fmt.Errorf("%q is the id of no %s; %s", text, kind.Word(), wanted(kind))
	}
	r := Reference{Vault: vault, Name: parts[1]}
	if len(parts) == 3 {
		return versioned(text, r, parts[2])
	}
	return checked(text, r)
}

func versioned(text string, r Reference, version string) (Reference, error) {
	if !IsVersion(version) {
		return Reference{}, fmt.Errorf("%q: %q is no version: it is 32 hexadecimal digits in lower case", text, version)
	}
	r.Version = version
	return checked(text, r)
}

func checked(text string, r Reference) (Reference, error) {
	if !objectName.MatchString(r.Name) {
		return Reference{}, fmt.Errorf("%q: a name is 1 to 127 letters, digits and hyphens", text)
	}
	return r, nil
}

// IsVersion says whether a text can be a version.
func IsVersion(text string) bool { return objectVersion.MatchString(text) }

// IsVaultName says whether a vault can be called so.
func IsVaultName(text string) bool {
	return len(text) >= 3 && len(text) <= 24 && vaultName.MatchString(text)
}

// String is the reference as Parse reads it.
func (r Reference) String(kind Kind) string {
	text := r.Name
	switch {
	case strings.HasPrefix(r.Vault, "https://"):
		text = r.Vault + "/" + string(kind) + "/" + r.Name
	case r.Vault != "":
		text = scheme + r.Vault + "/" + r.Name
	}
	if r.Version != "" {
		text += "/" + r.Version
	}
	return text
}

// VaultURL is a vault's URL without what may follow it: https://host[:port], in lower case.
func VaultURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil {
		return "", fmt.Errorf("%q is no vault's URL: it is https://vault.zone[:port]", text)
	}
	base := "https://" + strings.ToLower(u.Host)
	if u.Scheme != "https" || strings.Trim(u.Path, "/") != "" || address.URL(base) != nil ||
		!strings.Contains(u.Hostname(), ".") {
		return "", fmt.Errorf("%q is no vault's URL: it is https://vault.zone[:port]", text)
	}
	return base, nil
}
