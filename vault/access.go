package vault

import (
	"context"
	"slices"
	"strings"
	"time"

	"keyquorum/vault/access"
)

var everyKeys = access.Every("keys")

// canonical returns permissions on a collection as Azure spells them, in the table's order and once
// each; "all" stands for the rest. An unknown one is refused.
func canonical(collection string, names []string) ([]string, error) {
	known := access.Permissions(collection)
	for _, name := range names {
		if !spelt(known, name) {
			return nil, badParameter("There is no permission %q on %s; there are %s.", clip(name),
				collection, strings.Join(known, ", "))
		}
	}
	out := slices.DeleteFunc(known, func(k string) bool { return !spelt(names, k) })
	if len(out) > 0 && out[0] == access.Permissions(collection)[0] { // "all"
		out = out[:1]
	}
	return out, nil
}

// PermissionNames are the permissions on keys and on secrets, as Azure spells them; the first of
// each is "all".
func PermissionNames() (keys, secrets []string) {
	return access.Permissions("keys"), access.Permissions("secrets")
}

// spelt says whether names has name, in whatever case.
func spelt(names []string, name string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) })
}

// grant is an access record, with what it comes to.
type grant struct {
	record  *accessRecord
	allowed access.Set
}

func decodeGrant(b []byte) (*grant, error) {
	r, err := decodeWhole[accessRecord](b)
	if err != nil {
		return nil, err
	}
	allowed, ok := r.allows()
	if !ok {
		return nil, errRecordForm
	}
	return &grant{record: r, allowed: allowed}, nil
}

// allows is false where a permission is unknown.
func (r *accessRecord) allows() (access.Set, bool) {
	keys, ok := access.Permitted("keys", r.Keys)
	secrets, ok2 := access.Permitted("secrets", r.Secrets)
	return keys | secrets, ok && ok2
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
	case w.any == 0 && (!ok || !a.allowed.Has(w.action)):
		return d.deny(c, w.action)
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

func (d *decision) deny(c Caller, a access.Action) error {
	return d.lacks(c, a.Collection()+" "+a.Permission())
}

// denyAny is for whoever has none of these, which are one collection's.
func (d *decision) denyAny(c Caller, these access.Set) error {
	for a := range these.All() {
		return d.lacks(c, "any "+a.Collection())
	}
	return nil
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
