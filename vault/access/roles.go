package access

import (
	"fmt"
	"slices"
	"strings"
)

// A Role is a set of actions with a name, which an assignment gives to somebody.
type Role struct {
	ID   string // a UUID in lower case
	Name string
	// Allows and Except are names of actions as Azure spells them, in which "*" stands for any text.
	// What Except names another role may allow.
	Allows, Except []string
}

// Actions are what the role allows. An action that this release does not know is in no set.
func (r Role) Actions() (s Set) {
	for _, pattern := range r.Allows {
		s |= matching(pattern)
	}
	for _, pattern := range r.Except {
		s &^= matching(pattern)
	}
	return s
}

// maxPatterns bounds what a role is made of.
const maxPatterns = 256

// Check says what is wrong with a role that somebody has made. One that names an action which does
// not exist is refused: a slip would else be a right that is missing, and nobody would be told.
func (r Role) Check() error {
	switch {
	case len(r.Allows) == 0:
		return fmt.Errorf("role %q allows nothing: name at least one action", r.Name)
	case len(r.Allows)+len(r.Except) > maxPatterns:
		return fmt.Errorf("role %q has more than %d actions: use patterns with *", r.Name, maxPatterns)
	}
	for _, pattern := range slices.Concat(r.Allows, r.Except) {
		if matching(pattern) == 0 {
			return fmt.Errorf("role %q: there is no action %q; names are those of Azure's data actions, "+
				"such as %s", r.Name, pattern, SecretsGet)
		}
	}
	return nil
}

// BuiltIn are Azure's roles for the objects of vaults ("Azure built-in roles for Security"), by name.
var BuiltIn = []Role{
	builtIn("00482a5a-887f-4fb3-b363-3b7fe8e74483", "Key Vault Administrator", "*"),
	builtIn("db79e9a7-68ee-4b58-9aeb-b90e7c24fcba", "Key Vault Certificate User",
		"certificates/read", "secrets/getSecret/action", "secrets/readMetadata/action", "keys/read"),
	builtIn("a4417e6f-fecd-4de8-b567-7b0420556985", "Key Vault Certificates Officer",
		"certificatecas/*", "certificates/*", "certificatecontacts/write"),
	builtIn("14b46e9e-c2b7-41b4-b07b-48a6ebf60603", "Key Vault Crypto Officer",
		"keys/*", "keyrotationpolicies/*"),
	builtIn("e147488a-f6f5-4113-8e2d-b22465e65bf6", "Key Vault Crypto Service Encryption User",
		"keys/read", "keys/wrap/action", "keys/unwrap/action"),
	builtIn("08bbd89e-9f13-488c-ac41-acfcb10c90ab", "Key Vault Crypto Service Release User",
		"keys/release/action"),
	builtIn("12338af0-0e69-4776-bea7-57ae8d297424", "Key Vault Crypto User",
		"keys/read", "keys/update/action", "keys/backup/action", "keys/encrypt/action",
		"keys/decrypt/action", "keys/wrap/action", "keys/unwrap/action", "keys/sign/action",
		"keys/verify/action"),
	builtIn("21090545-7ca7-4776-b22c-e363652d74d2", "Key Vault Reader",
		"*/read", "secrets/readMetadata/action"),
	builtIn("b86a8fe4-44ce-4948-aee5-eccb2c155cd7", "Key Vault Secrets Officer", "secrets/*"),
	builtIn("4633458b-17de-408a-b874-0445c86b69e6", "Key Vault Secrets User",
		"secrets/getSecret/action", "secrets/readMetadata/action"),
}

func builtIn(id, name string, actions ...string) Role {
	for i := range actions {
		actions[i] = namesBelow + actions[i]
	}
	return Role{ID: id, Name: name, Allows: actions}
}

// FindRole finds a role by its id or, in any case, its name.
func FindRole(roles []Role, called string) (Role, bool) {
	i := slices.IndexFunc(roles, func(r Role) bool {
		return r.ID == strings.ToLower(called) || strings.EqualFold(r.Name, called)
	})
	if i < 0 {
		return Role{}, false
	}
	return roles[i], true
}
