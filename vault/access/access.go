// Package access decides who may do what. It knows actions, the roles and access policies that are
// made of them, where they count, and under which condition. What it is given are plain values, and
// what it makes of them never changes: no clock, no lock, no record is in it.
//
// Nothing is denied by a rule. What no rule allows is denied, so a right that is taken away is a
// rule that is gone, and an allowed request can name the one rule that allows it.
package access

import (
	"iter"
	"math/bits"
	"slices"
	"strings"
)

// An Action is one thing that somebody may be allowed to do to an object of a vault.
type Action uint8

// The actions, by what they are done to. A right to list is one to list what is deleted, too.
const (
	KeysGet Action = iota
	KeysList
	KeysUpdate
	KeysCreate
	KeysImport
	KeysDelete
	KeysBackup
	KeysRestore
	KeysRecover
	KeysPurge
	KeysEncrypt
	KeysDecrypt
	KeysUnwrapKey
	KeysWrapKey
	KeysVerify
	KeysSign
	KeysRelease
	KeysRotate
	KeysGetRotationPolicy
	KeysSetRotationPolicy
	SecretsGet
	SecretsGetDeleted // without its value
	SecretsList
	SecretsSet
	SecretsUpdate
	SecretsDelete
	SecretsBackup
	SecretsRestore
	SecretsRecover
	SecretsPurge
	numActions
)

// A meaning is what Azure calls an action. Roles and access policies cut what can be done
// differently: one data action of roles may be two permissions of policies, and the other way round.
type meaning struct {
	name       string // among the data actions of roles, below Microsoft.KeyVault/vaults/
	collection string
	permission string // of access policies
}

// meanings follow "Azure permissions for Security", Microsoft.KeyVault, and the permissions of
// Vaults - Update Access Policy.
var meanings = [numActions]meaning{
	KeysGet:               {"keys/read", "keys", "get"},
	KeysList:              {"keys/read", "keys", "list"},
	KeysUpdate:            {"keys/update/action", "keys", "update"},
	KeysCreate:            {"keys/create/action", "keys", "create"},
	KeysImport:            {"keys/import/action", "keys", "import"},
	KeysDelete:            {"keys/delete", "keys", "delete"},
	KeysBackup:            {"keys/backup/action", "keys", "backup"},
	KeysRestore:           {"keys/restore/action", "keys", "restore"},
	KeysRecover:           {"keys/recover/action", "keys", "recover"},
	KeysPurge:             {"keys/purge/action", "keys", "purge"},
	KeysEncrypt:           {"keys/encrypt/action", "keys", "encrypt"},
	KeysDecrypt:           {"keys/decrypt/action", "keys", "decrypt"},
	KeysUnwrapKey:         {"keys/unwrap/action", "keys", "unwrapKey"},
	KeysWrapKey:           {"keys/wrap/action", "keys", "wrapKey"},
	KeysVerify:            {"keys/verify/action", "keys", "verify"},
	KeysSign:              {"keys/sign/action", "keys", "sign"},
	KeysRelease:           {"keys/release/action", "keys", "release"},
	KeysRotate:            {"keys/rotate/action", "keys", "rotate"},
	KeysGetRotationPolicy: {"keyrotationpolicies/read", "keys", "getrotationpolicy"},
	KeysSetRotationPolicy: {"keyrotationpolicies/write", "keys", "setrotationpolicy"},
	SecretsGet:            {"secrets/getSecret/action", "secrets", "get"},
	SecretsGetDeleted:     {"secrets/readMetadata/action", "secrets", "get"},
	SecretsList:           {"secrets/readMetadata/action", "secrets", "list"},
	SecretsSet:            {"secrets/setSecret/action", "secrets", "set"},
	SecretsUpdate:         {"secrets/update/action", "secrets", "set"},
	SecretsDelete:         {"secrets/delete", "secrets", "delete"},
	SecretsBackup:         {"secrets/backup/action", "secrets", "backup"},
	SecretsRestore:        {"secrets/restore/action", "secrets", "restore"},
	SecretsRecover:        {"secrets/recover/action", "secrets", "recover"},
	SecretsPurge:          {"secrets/purge/action", "secrets", "purge"},
}

const namesBelow = "Microsoft.KeyVault/vaults/"

// String is Azure's name of the action among the data actions of roles.
func (a Action) String() string { return namesBelow + meanings[a].name }

// Collection is "keys" or "secrets".
func (a Action) Collection() string { return meanings[a].collection }

// Permission is the name of the permission that an access policy must have for the action.
func (a Action) Permission() string { return meanings[a].permission }

// namesNew says whether the object has its name by the request alone: it may not be there yet.
func (a Action) namesNew() bool { return a == SecretsSet || a == SecretsRestore }

// A Set is a set of actions. The zero value is empty.
type Set uint64

const _ = uint(64 - numActions) // all have a bit

// SetOf returns the set of these actions.
func SetOf(actions ...Action) (s Set) {
	for _, a := range actions {
		s |= 1 << a
	}
	return s
}

// Has says whether an action is in the set.
func (s Set) Has(a Action) bool { return s&(1<<a) != 0 }

// All returns the actions of the set in their order.
func (s Set) All() iter.Seq[Action] {
	return func(yield func(Action) bool) {
		for rest := s; rest != 0; rest &= rest - 1 {
			if !yield(Action(bits.TrailingZeros64(uint64(rest)))) {
				return
			}
		}
	}
}

// Every is the set of all actions of a collection.
func Every(collection string) (s Set) {
	for a, m := range meanings {
		if m.collection == collection {
			s |= 1 << a
		}
	}
	return s
}

// matching returns the actions whose name fits a pattern of a role, in any case. A "*" in it stands
// for any text, with slashes.
func matching(pattern string) (s Set) {
	pattern = strings.ToLower(pattern)
	for a := range numActions {
		if like(pattern, strings.ToLower(a.String()), '*', 0) {
			s |= 1 << a
		}
	}
	return s
}

// like says whether a text fits a pattern in which many stands for any text, and one, where it is not
// 0, for one byte. It takes at most as many steps as pattern and text have bytes, multiplied.
func like(pattern, text string, many, one byte) bool {
	p, retry, from := 0, -1, 0
	for t := 0; t < len(text); {
		switch {
		case p < len(pattern) && pattern[p] == many:
			retry, from = p, t
			p++
		case p < len(pattern) && (pattern[p] == text[t] || one != 0 && pattern[p] == one):
			p, t = p+1, t+1
		case retry >= 0:
			from++
			p, t = retry+1, from
		default:
			return false
		}
	}
	return strings.Trim(pattern[p:], string(many)) == ""
}

// everyPermission is Azure's word for all permissions of a collection, those of later versions
// included.
const everyPermission = "all"

// Permissions are the permissions of access policies on a collection, as Azure spells them: "all"
// first, and each once.
func Permissions(collection string) []string {
	known := []string{everyPermission}
	for _, m := range meanings {
		if m.collection == collection && !slices.Contains(known, m.permission) {
			known = append(known, m.permission)
		}
	}
	return known
}

// Permitted are the actions that permissions of an access policy allow on a collection. ok is false
// if one of them is unknown.
func Permitted(collection string, permissions []string) (s Set, ok bool) {
	for _, name := range permissions {
		allowed := permitted(collection, name)
		if allowed == 0 {
			return 0, false
		}
		s |= allowed
	}
	return s, true
}

func permitted(collection, name string) (s Set) {
	for a, m := range meanings {
		if m.collection == collection && (name == everyPermission || name == m.permission) {
			s |= 1 << a
		}
	}
	return s
}
