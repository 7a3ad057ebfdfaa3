package vault

import (
	"context"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// A permission is one thing that an access policy can allow; its bit in a set is 1 << permission.
type permission uint8

const (
	keysGet permission = iota
	keysList
	keysUpdate
	keysCreate
	keysImport
	keysDelete
	keysBackup
	keysRestore
	keysRecover
	keysPurge
	keysEncrypt
	keysDecrypt
	keysUnwrapKey
	keysWrapKey
	keysVerify
	keysSign
	keysRelease
	keysRotate
	keysGetRotationPolicy
	keysSetRotationPolicy
	secretsGet
	secretsList
	secretsSet
	secretsDelete
	secretsBackup
	secretsRestore
	secretsRecover
	secretsPurge
	permissions
)

// permissionNames are Azure's, as access policies spell them. The keys' come first.
var permissionNames = [permissions]string{
	keysGet: "get", keysList: "list", keysUpdate: "update", keysCreate: "create", keysImport: "import",
	keysDelete: "delete",
	keysBackup: "backup", keysRestore: "restore", keysRecover: "recover", keysPurge: "purge",
	keysEncrypt: "encrypt",
	keysDecrypt: "decrypt", keysUnwrapKey: "unwrapKey", keysWrapKey: "wrapKey", keysVerify: "verify",
	keysSign:    "sign",
	keysRelease: "release", keysRotate: "rotate", keysGetRotationPolicy: "getrotationpolicy",
	keysSetRotationPolicy: "setrotationpolicy",
	secretsGet:            "get", secretsList: "list", secretsSet: "set", secretsDelete: "delete",
	secretsBackup:  "backup",
	secretsRestore: "restore", secretsRecover: "recover", secretsPurge: "purge",
}

// everyPermission is Azure's word for all permissions of a collection, those of later versions
// included.
const everyPermission = "all"

func (p permission) collection() string {
	if p >= secretsGet {
		return "secrets"
	}
	return "keys"
}

// A permissionSet is what a principal may do in a vault. The zero set denies everything.
type permissionSet uint64

func (s permissionSet) has(p permission) bool { return s&(1<<p) != 0 }

const (
	everyKeys    permissionSet = 1<<secretsGet - 1
	everySecrets permissionSet = 1<<permissions - 1 - everyKeys
)

// compile turns names of one collection into a set; ok is false if one of them is unknown.
func compile(every permissionSet, names []string) (s permissionSet, ok bool) {
	for _, name := range names {
		bits := named(every, name)
		if bits == 0 {
			return 0, false
		}
		s |= bits
	}
	return s, true
}

func named(every permissionSet, name string) permissionSet {
	if name == everyPermission {
		return every
	}
	for p, known := range permissionNames {
		if every.has(permission(p)) && name == known {
			return 1 << p
		}
	}
	return 0
}

// canonical returns names as Azure spells them, in the table's order and once each; "all" stands
// for the rest. An unknown one is refused.
func canonical(every permissionSet, names []string) ([]string, error) {
	known := namesIn(every)
	for _, name := range names {
		if !spelt(known, name) {
			return nil, badParameter("There is no permission %q on %s; there are %s.", clip(name),
				permission(bits.TrailingZeros64(uint64(every))).collection(), strings.Join(known, ", "))
		}
	}
	out := slices.DeleteFunc(known, func(k string) bool { return !spelt(names, k) })
	if len(out) > 0 && out[0] == everyPermission {
		out = out[:1]
	}
	return out, nil
}

// PermissionNames are the permissions on keys and on secrets, as Azure spells them; the first of
// each is "all".
func PermissionNames() (keys, secrets []string) { return namesIn(everyKeys), namesIn(everySecrets) }

func namesIn(every permissionSet) []string {
	known := []string{everyPermission}
	for p, name := range permissionNames {
		if every.has(permission(p)) {
			known = append(known, name)
		}
	}
	return known
}

// spelt says whether names has name, in whatever case.
func spelt(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// access is an access record, compiled.
type access struct {
	record  *accessRecord
	allowed permissionSet
}

func decodeAccess(b []byte) (*access, error) {
	r, err := decodeWhole[accessRecord](b)
	if err != nil {
		return nil, err
	}
	keys, ok := compile(everyKeys, r.Keys)
	secrets, ok2 := compile(everySecrets, r.Secrets)
	if !ok || !ok2 {
		return nil, errRecordForm
	}
	return &access{record: r, allowed: keys | secrets}, nil
}

// principal is an application's record.
type principal struct{ *principalRecord }

func decodePrincipal(b []byte) (*principal, error) {
	r, err := decodeWhole[principalRecord](b)
	if err != nil {
		return nil, err
	}
	return &principal{r}, nil
}

// admits says whether a token made for this principal with that credential is still good at now.
func (p *principal) admits(id Identity, now time.Time) bool {
	if !p.Enabled || p.OID != id.OID {
		return false
	}
	for i := range p.Credentials {
		if c := &p.Credentials[i]; c.ID == id.Credential {
			return !c.ended(now)
		}
	}
	return false
}

// admit decides whether the caller may do w to t, in the order of decision 10: 401, vault, name,
// 403.
func (d *decision) admit(c Caller, w verb, t target) error {
	keys, err := d.tokenKeys()
	if err != nil {
		return err
	}
	if keys.public[c.Identity.key] == nil {
		return errTokenKeyGone
	}
	p, ok, err := load(d, d.v.principals, appPath(c.Identity.AppID))
	if err != nil {
		return err
	}
	if !ok || !p.admits(c.Identity, d.now) {
		return errTokenRevoked
	}
	if err := d.enterVault(c.Vault); err != nil {
		return err
	}
	if !w.unnamed && !validName(t.name) {
		return badParameter("The request URI contains an invalid name: names are 1 to 127 letters, digits and hyphens.")
	}
	if t.version != "" && !validVersion(t.version) {
		return badParameter("The request URI contains an invalid version: versions are 32 lower-case hexadecimal digits.")
	}
	a, ok, err := load(d, d.v.grants, accessPath(d.vault.ID, c.Identity.OID))
	if err != nil {
		return err
	}
	switch {
	case w.any != 0 && (!ok || a.allowed&w.any == 0):
		return d.denyAny(c, w.any)
	case w.any == 0 && (!ok || !a.allowed.has(w.permission)):
		return d.deny(c, w.permission)
	}
	d.allowed = a.allowed
	return nil
}

// largeVerbs are those with requests that may be large.
var largeVerbs = []*verb{&setSecret, &updateSecret, &createKey, &updateKey, &importKey,
	&secretCollection.restore, &keyCollection.restore}

// Admits refuses whoever may not do an operation, named as usage records do, to the object called
// name ("" where it names none). It is asked before a large request is read, so that nobody's bytes
// take up memory without a right. A refusal is the verb's own, and is recorded as such; nil leaves
// no record, and is not to be relied on: the verb decides again.
func (v *Vaults) Admits(ctx context.Context, c Caller, operation, name string) error {
	i := slices.IndexFunc(largeVerbs, func(w *verb) bool { return w.operation == operation })
	if i < 0 {
		return internal("", "No request for "+operation+" is large.")
	}
	w, t := *largeVerbs[i], target{name: name}
	w.unnamed = name == ""
	d, err := v.settle(ctx, c.Fenced, false, func(d *decision) error { return d.admit(c, w, t) })
	if err == nil {
		return nil
	}
	return v.recordUse(c, w, t, d, err)
}

// TokenRevoked is the inner code of a refusal of a token whose application, or the secret that it
// was issued for, is no longer good. Another token is good if the application has another secret,
// or was enabled again.
const TokenRevoked = "TokenRevoked"

var errTokenRevoked = &Error{Kind: Unauthenticated, Code: "Unauthorized", Inner: TokenRevoked,
	Message: "The application or the credential that this token was issued for is disabled, " +
		"was removed or has ended."}

var errUnknownVault = notFound("VaultNotFound", "There is no vault of this name.")

// enterVault finds the live vault called name (folded already). A name that can't be one is
// unknown, not malformed: it is a host's label. A deleted vault is unknown too.
func (d *decision) enterVault(name string) error {
	return d.enter(name, true)
}

// enterDeleted finds the vault called name that is deleted, or is being purged.
func (d *decision) enterDeleted(name string) error {
	return d.enter(name, false)
}

func (d *decision) enter(name string, alive bool) error {
	if !validVaultName(name) {
		return errUnknownVault
	}
	r, ok, err := load(d, d.v.vaults, vaultNamePath(name))
	if err != nil {
		return err
	}
	switch {
	case !ok && d.operator:
		return notFound("VaultNotFound", "There is no vault called %s.", name)
	case !ok, (r.State == live) != alive &&
		!d.operator: // an application doesn't learn that there was one
		return errUnknownVault
	case alive && r.State != live:
		return notFound("VaultNotFound", "The vault %s is deleted: recover it, or purge it.", name)
	case !alive && r.State == live:
		return notFound("VaultNotFound", "The vault %s is not deleted: delete it first.", name)
	}
	d.vault = r
	return nil
}

func (d *decision) deny(c Caller, p permission) error {
	return d.lacks(c, p.collection()+" "+permissionNames[p])
}

// denyAny is for whoever has none of these, which are one collection's.
func (d *decision) denyAny(c Caller, these permissionSet) error {
	return d.lacks(c, "any "+permission(bits.TrailingZeros64(uint64(these))).collection())
}

func (d *decision) lacks(c Caller, what string) error {
	return forbidden("ForbiddenByPolicy", "The user, group or application 'appid=%s;oid=%s;iss=%s' "+
		"does not have %s permission on key vault '%s;location=keyquorum'. "+
		"For help resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125287",
		c.Identity.AppID, c.Identity.OID, d.v.issuer, what, d.vault.Name)
}

var errOperatorDenied = &Error{Kind: Forbidden, Code: "Forbidden", Message: "permission denied"}

// admitOperator decides whether an operator's token still stands.
func (d *decision) admitOperator(o Operator) error {
	if o.path == "" {
		return errOperatorDenied
	}
	t, ok, err := load(d, d.v.operators, o.path)
	if err != nil {
		return err
	}
	if !ok || t.Accessor != o.Accessor {
		return errOperatorDenied
	}
	return nil
}
