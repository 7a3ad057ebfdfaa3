package vault

import (
	"context"
	"strings"

	"keyquorum/vault/access"
)

// A Grant is what a principal may do in a vault, by Azure's permission names.
type Grant struct {
	ClientID, OID, AppName string
	Keys, Secrets          []string
}

// SetGrant replaces what app may do in a vault; empty lists revoke. "all" is Azure's word for every
// permission. When it has returned, no node allows what was taken away.
func (v *Vaults) SetGrant(ctx context.Context, o Operator, vaultName, app string, keys,
	secrets []string) (Grant, error) {
	vaultName = fold(vaultName)
	w := adminVerb{operation: "admin/grants/set", writes: true}
	return performAdmin(ctx, v, o, w, vaultName, app, func(d *decision) (Grant, error) {
		if err := d.enterVault(vaultName); err != nil {
			return Grant{}, err
		}
		p, err := d.about(app)
		if err != nil {
			return Grant{}, err
		}
		r, err := newAccessRecord(p, keys, secrets)
		if err != nil {
			return Grant{}, err
		}
		d.detail = "keys=" + strings.Join(r.Keys, ",") + " secrets=" + strings.Join(r.Secrets, ",")
		path := accessPath(d.vault.ID, p.OID)
		if d.relieves, err = d.narrows(path, r); err != nil {
			return Grant{}, err
		}
		return r.grant(p), d.setAccess(path, r)
	})
}

// narrows says that r allows nothing that the record at path does not.
func (d *decision) narrows(path string, r *accessRecord) (bool, error) {
	before, ok, err := load(d, d.v.grants, path)
	if err != nil {
		return false, err
	}
	var had access.Set
	if ok {
		had = before.allowed
	}
	has, _ := r.allows()
	return has&^had == 0, nil
}

func newAccessRecord(p *principal, keys, secrets []string) (r *accessRecord, err error) {
	r = &accessRecord{ClientID: p.ClientID}
	if r.Keys, err = canonical("keys", keys); err != nil {
		return nil, err
	}
	r.Secrets, err = canonical("secrets", secrets)
	return r, err
}

func (d *decision) setAccess(path string, r *accessRecord) error {
	if len(r.Keys) > 0 || len(r.Secrets) > 0 {
		return d.store(path, r)
	}
	d.remove(path)
	return nil
}

func (r *accessRecord) grant(p *principal) Grant {
	return Grant{ClientID: p.ClientID, OID: p.OID, AppName: p.Name, Keys: r.Keys, Secrets: r.Secrets}
}

// ListGrants says who may do what in a vault, by object id.
func (v *Vaults) ListGrants(ctx context.Context, o Operator, vaultName string) ([]Grant, error) {
	vaultName = fold(vaultName)
	return performAdmin(ctx, v, o, adminVerb{operation: "admin/grants/list"}, vaultName, "",
		func(d *decision) ([]Grant, error) {
			if err := d.enterVault(vaultName); err != nil {
				return nil, err
			}
			all := []Grant{}
			for path, record := range d.view.Scan(accessDir(d.vault.ID), "") {
				a, err := decoded(d, v.grants, path, record)
				if err != nil {
					return nil, err
				}
				p, ok, err := load(d, v.principals, appPath(a.record.ClientID))
				if err != nil {
					return nil, err
				}
				if ok { // an access record may outlive its application, whose ids never come back
					all = append(all, a.record.grant(p))
				}
			}
			return all, nil
		})
}
