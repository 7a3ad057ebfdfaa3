package access

import (
	"slices"
	"strings"
	"testing"
)

// Each action has what roles and access policies call it, and each collection has its actions.
func TestEachActionHasItsNames(t *testing.T) {
	for a := range numActions {
		if meanings[a].name == "" || a.Permission() == "" {
			t.Errorf("action %d has no name", a)
		}
		if collection, _, _ := strings.Cut(meanings[a].name, "/"); collection != a.Collection() &&
			collection != "keyrotationpolicies" {
			t.Errorf("%s is an action on %s", a, a.Collection())
		}
		if !SetOf(a).Has(a) || !Every(a.Collection()).Has(a) || !matching(a.String()).Has(a) {
			t.Errorf("%s is not in its own sets", a)
		}
	}
	if Every("keys")|Every("secrets") != 1<<numActions-1 || Every("keys")&Every("secrets") != 0 {
		t.Error("the collections do not have each action once")
	}
	got := slices.Collect(SetOf(SecretsGet, KeysSign).All())
	if !slices.Equal(got, []Action{KeysSign, SecretsGet}) {
		t.Errorf("a set of two has %v", got)
	}
}

func TestPermissionsAreAzures(t *testing.T) {
	if got := strings.Join(Permissions("secrets"), " "); got !=
		"all get list set delete backup restore recover purge" {
		t.Errorf("on secrets there are %s", got)
	}
	if got := strings.Join(Permissions("keys"), " "); got != "all get list update create import "+
		"delete backup restore recover purge encrypt decrypt unwrapKey wrapKey verify sign release "+
		"rotate getrotationpolicy setrotationpolicy" {
		t.Errorf("on keys there are %s", got)
	}
	for _, row := range []struct {
		collection, names string
		want              Set
	}{
		{"secrets", "set", SetOf(SecretsSet, SecretsUpdate)},
		{"secrets", "get", SetOf(SecretsGet, SecretsGetDeleted)},
		{"keys", "get list", SetOf(KeysGet, KeysList)},
		{"keys", "all", Every("keys")},
		{"keys", "", 0},
	} {
		if got, ok := Permitted(row.collection, strings.Fields(row.names)); got != row.want || !ok {
			t.Errorf("%s on %s is %b, %v", row.names, row.collection, got, ok)
		}
	}
	for _, names := range []string{"Get", "sign", "get steal"} {
		if got, ok := Permitted("secrets", strings.Fields(names)); ok || got != 0 {
			t.Errorf("%s on secrets allows %b", names, got)
		}
	}
}

// What each built-in role can do, by "Azure role-based access control for Key Vault data plane
// operations".
func TestBuiltInRoles(t *testing.T) {
	metadata := SetOf(SecretsList, SecretsGetDeleted)
	reader := SetOf(KeysGet, KeysList, KeysGetRotationPolicy) | metadata
	for name, want := range map[string]Set{
		"Key Vault Administrator":                  Every("keys") | Every("secrets"),
		"Key Vault Certificate User":               SetOf(KeysGet, KeysList, SecretsGet) | metadata,
		"Key Vault Certificates Officer":           0, // certificates are none yet
		"Key Vault Crypto Officer":                 Every("keys"),
		"Key Vault Crypto Service Encryption User": SetOf(KeysGet, KeysList, KeysWrapKey, KeysUnwrapKey),
		"Key Vault Crypto Service Release User":    SetOf(KeysRelease),
		"Key Vault Crypto User": SetOf(KeysGet, KeysList, KeysUpdate, KeysBackup, KeysEncrypt,
			KeysDecrypt, KeysWrapKey, KeysUnwrapKey, KeysSign, KeysVerify),
		"Key Vault Reader":          reader,
		"Key Vault Secrets Officer": Every("secrets"),
		"Key Vault Secrets User":    SetOf(SecretsGet) | metadata,
	} {
		role, ok := FindRole(BuiltIn, strings.ToUpper(name))
		if !ok || role.Actions() != want {
			t.Errorf("%s allows %v", name, slices.Collect(role.Actions().All()))
		}
		if byID, ok := FindRole(BuiltIn, strings.ToUpper(role.ID)); !ok || byID.Name != name {
			t.Errorf("%s is not found by its id %s", name, role.ID)
		}
	}
	if _, ok := FindRole(BuiltIn, "Key Vault"); ok {
		t.Error("a part of a name is taken for a role")
	}
}

func TestCustomRoles(t *testing.T) {
	role := Role{ID: "x", Name: "Signer", Allows: []string{"microsoft.keyvault/VAULTS/keys/*"},
		Except: []string{"*/keys/purge/action", "*delete"}}
	want := Every("keys") &^
		SetOf(KeysPurge, KeysDelete, KeysGetRotationPolicy, KeysSetRotationPolicy)
	if err := role.Check(); err != nil || role.Actions() != want {
		t.Errorf("%v, and it allows %v", err, slices.Collect(role.Actions().All()))
	}
	for _, row := range []struct {
		allows, except []string
		says           string
	}{
		{nil, nil, "allows nothing"},
		{[]string{"*"}, []string{"Microsoft.KeyVault/vaults/keys/steal"}, "no action"},
		{[]string{"keys/read"}, nil, "no action"},
		{slices.Repeat([]string{"*"}, maxPatterns), []string{"*"}, "more than"},
	} {
		err := Role{Name: "bad", Allows: row.allows, Except: row.except}.Check()
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%d patterns are checked with %v", len(row.allows), err)
		}
	}
}
