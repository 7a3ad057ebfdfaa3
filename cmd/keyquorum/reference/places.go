package reference

import (
	"fmt"
	"slices"
	"strings"
)

// Places are the URLs of a vault, one for each node that is to be tried, the first first. Other
// vaults of the same cluster are at the same places under their own names.
type Places []string

// ParsePlaces reads URLs that are separated by commas or spaces.
func ParsePlaces(text string) (Places, error) {
	var p Places
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ' ' }) {
		u, err := VaultURL(word)
		if err != nil {
			return nil, err
		}
		p = append(p, u)
	}
	return p, nil
}

// Of gives the URLs at which a vault is reached: by its name, by a URL, or, for "", the vault that
// the places were given for.
func (p Places) Of(vault string) (Places, error) {
	switch {
	case strings.HasPrefix(vault, "https://"):
		return p.ofURL(vault)
	case vault != "" && !IsVaultName(vault):
		return nil, fmt.Errorf("--vault %q: it is a vault's name (3 to 24 letters, digits and single hyphens) "+
			"or its URL, https://vault.zone[:port]", vault)
	case len(p) == 0 && vault == "":
		return nil, fmt.Errorf("which vault? Say --vault with its URL, or set KEYQUORUM_VAULT_URLS")
	case len(p) == 0:
		return nil, fmt.Errorf("where is vault %s? Say --vault with its URL, or set KEYQUORUM_VAULT_URLS, "+
			"or keyquorum login --vault URL", vault)
	case vault == "":
		vault = label(p[0])
	}
	return p.named(vault), nil
}

// named has the first label of every host replaced by a vault's name.
func (p Places) named(vault string) (all Places) {
	for _, u := range p {
		_, zone, _ := strings.Cut(u, ".")
		if u := "https://" + strings.ToLower(vault) + "." + zone; !slices.Contains(all, u) {
			all = append(all, u)
		}
	}
	return all
}

// ofURL puts the other nodes behind a URL that is one of these places under some vault's name.
func (p Places) ofURL(vault string) (Places, error) {
	u, err := VaultURL(vault)
	if err != nil {
		return nil, fmt.Errorf("--vault: %w", err)
	}
	all := p.named(label(u))
	i := slices.Index(all, u)
	if i < 0 {
		return Places{u}, nil
	}
	return append(Places{u}, slices.Delete(all, i, i+1)...), nil
}

// Name is the name of the vault that the places are for; "" where there are none.
func (p Places) Name() string {
	if len(p) == 0 {
		return ""
	}
	return label(p[0])
}

// label is the vault's name in its URL.
func label(vaultURL string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(vaultURL, "https://"), ".")
	return name
}
