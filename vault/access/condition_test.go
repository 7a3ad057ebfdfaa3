package access

import (
	"strings"
	"testing"
)

const guarded = `((!(ActionMatches{'Microsoft.KeyVault/vaults/secrets/getSecret/action'})) OR
	(@Resource[Microsoft.KeyVault/vaults/secrets:name] StringStartsWith 'app-'))`

func TestConditions(t *testing.T) {
	of := func(vault, name string) Object {
		return Object{Vault: "id", VaultName: vault, Kind: "secrets", Name: name}
	}
	const name = "@Resource[Microsoft.KeyVault/vaults/secrets:name] "
	const asked = "@Request[Microsoft.KeyVault/vaults/secrets:name] "
	const vault = "@Resource[Microsoft.KeyVault/vaults:name] "
	for _, row := range []struct {
		condition string
		action    Action
		object    Object
		want      bool
	}{
		{guarded, SecretsGet, of("v", "app-db"), true},
		{guarded, SecretsGet, of("v", "db"), false},
		{guarded, SecretsSet, of("v", "db"), true},
		{guarded, SecretsList, of("v", ""), true},
		{name + "StringStartsWith 'app-'", SecretsList, of("v", ""), false}, // no secret is named
		{name + "StringNotStartsWith 'app-'", SecretsList, of("v", ""), false},
		{name + "StringEquals 'app'", SecretsGet, of("v", "app"), true},
		{name + "StringNotEquals 'app'", SecretsGet, of("v", "app"), false},
		{name + "StringNotEquals 'app'", SecretsGet, of("v", "apps"), true},
		{name + "StringEndsWith '-eu'", SecretsDelete, of("v", "app-eu"), true},
		{name + "StringContains '-x-'", SecretsPurge, of("v", "a-x-b"), true},
		{name + "stringnotcontains'-x-'", SecretsPurge, of("v", "a-x-b"), false},
		{name + "StringLike 'a?c-*-e'", SecretsUpdate, of("v", "abc-d-d-e"), true},
		{name + "StringLike 'a?c-*-e'", SecretsUpdate, of("v", "ac-d-e"), false},
		{name + "StringNotLike '*'", SecretsUpdate, of("v", "ac"), false},
		{name + "StringEquals 'app'", SecretsSet, of("v", "app"), false}, // it may not be there yet
		{asked + "StringEquals 'app'", SecretsSet, of("v", "app"), true},
		{asked + "StringEquals 'app'", SecretsRestore, of("v", "app"), true},
		{asked + "StringEquals 'app'", SecretsGet, of("v", "app"), false},
		{name + "StringEquals 'app'", KeysSign, Object{Kind: "keys", Name: "app"}, false},
		{vault + "StringEquals 'v'", KeysSign, of("v", "app"), true},
		{vault + "StringEquals 'v' AND " + name + "StringEquals 'b'", SecretsGet, of("v", "a"), false},
		{vault + "StringEquals 'w' OR " + vault + "StringEquals 'v' && " + name + "StringEquals 'a'",
			SecretsGet, of("v", "a"), true},
		{"NOT ! not " + vault + "StringEquals 'v'", SecretsGet, of("v", "a"), false},
		{"ActionMatches { '*' }", KeysSign, of("v", "a"), true},
	} {
		c, err := ParseCondition(row.condition)
		if err != nil {
			t.Errorf("%s: %v", row.condition, err)
			continue
		}
		if got := c.Holds(row.action, row.object); got != row.want {
			t.Errorf("%s is %v for %s of %+v", c, got, row.action, row.object)
		}
	}
	if c, err := ParseCondition(" \n"); c != nil || err != nil || !c.Holds(KeysGet, Object{}) {
		t.Errorf("an empty condition is %v, %v", c, err)
	}
}

func TestConditionsThatAreNone(t *testing.T) {
	for text, says := range map[string]string{
		"true":           "expected is",
		"(" + guarded:    "not closed",
		guarded + ")":    "more where it should end",
		guarded + " AND": "expected is",
		"ActionMatches{'Microsoft.KeyVault/vaults/secrets/steal/action'}": "no action",
		"ActionMatches{'*'":                                                            "brace",
		"ActionMatches('*')":                                                           "followed by",
		"SubOperationMatches{'*'}":                                                     "expected is",
		"@Resource[Microsoft.KeyVault/vaults:tag] x 'y'":                               "no attribute",
		"@Principal[x:y] StringEquals 'y'":                                             "no attribute",
		"@Resource[Microsoft.KeyVault/vaults:name":                                     "bracket",
		"@Resource[Microsoft.KeyVault/vaults:name] StringResembles 'y'":                "no comparison",
		"@Resource[Microsoft.KeyVault/vaults:name] NumericEquals 'y'":                  "comparison of texts",
		"@Resource[Microsoft.KeyVault/vaults:name] StringEquals y":                     "no comparison",
		"@Resource[Microsoft.KeyVault/vaults:name] StringEquals 'y":                    "quote",
		"@Resource[Microsoft.KeyVault/vaults/secrets:name] StringNotStartsWith 'Prod'": "lower case",
		strings.Repeat("(", maxDepth+1) + "ActionMatches{'*'}":                         "nests deeper",
		strings.Repeat("!", maxCondition):                                              "nests deeper",
		strings.Repeat("x", maxCondition+1):                                            "at most",
	} {
		if c, err := ParseCondition(text); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.80s is %v, %v", text, c, err)
		}
	}
}

// A pattern of many stars costs no more than its length times that of the name.
func TestPatternsCostLittle(t *testing.T) {
	pattern := strings.Repeat("*a", 2000)
	if like(pattern, strings.Repeat("a", 1999)+"b", '*', '?') {
		t.Error("it fits")
	}
}

func FuzzCondition(f *testing.F) {
	f.Add(guarded)
	f.Add("!(@Request[Microsoft.KeyVault/vaults/secrets:name] StringLike 'a*?') || ActionMatches{'*'}")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCondition(text)
		if err != nil || c == nil {
			return
		}
		again, err := ParseCondition("(" + c.String() + ")")
		if err != nil {
			if len(text) < maxCondition-2 && !strings.Contains(err.Error(), "nests deeper") {
				t.Fatalf("%q can be read, and not in parentheses: %v", text, err)
			}
			return
		}
		for a := range numActions {
			o := Object{VaultName: "v", Kind: a.Collection(), Name: "app-1"}
			if c.Holds(a, o) != again.Holds(a, o) {
				t.Fatalf("%q means something else in parentheses", text)
			}
		}
	})
}
