package vault

import (
	"context"
	"time"
)

// A VaultInfo describes a vault. Name: 3 to 24 characters, [a-z][a-z0-9-]*, folded.
type VaultInfo struct {
	ID, Name        string
	RetentionDays   int // 7 to 90
	PurgeProtection bool
	Created         time.Time
}

// A Grant is what a principal may do in a vault, by Azure's permission names.
type Grant struct {
	ClientID, OID, AppName string
	Keys, Secrets          []string
}

// Bounds of soft deletion's retention, in days; the greatest is the default.
const (
	minRetention = 7
	maxRetention = 90
)

// CreateVault makes a vault. retentionDays 0 is 90. Conflict if the name is taken.
func (v *Vaults) CreateVault(ctx context.Context, o Operator, name string, retentionDays int, purgeProtection bool) (VaultInfo, error) {
	name = fold(name)
	w := adminVerb{operation: "admin/vaults/create", writes: true}
	return performAdmin(ctx, v, o, w, name, "", func(d *decision) (VaultInfo, error) {
		if !validVaultName(name) {
			return VaultInfo{}, badParameter("A vault's name is 3 to 24 letters, digits and single hyphens; a letter comes first, a letter or digit last.")
		}
		if retentionDays == 0 {
			retentionDays = maxRetention
		}
		if retentionDays < minRetention || retentionDays > maxRetention {
			return VaultInfo{}, badParameter("Retention is 7 to 90 days.")
		}
		if _, taken := d.read(vaultNamePath(name)); taken {
			return VaultInfo{}, conflict("VaultAlreadyExists", "There is a vault of this name.")
		}
		r := vaultRecord{ID: randomHex(16), Name: name, RetentionDays: retentionDays, PurgeProtection: purgeProtection, Created: d.now.Unix()}
		return r.info(), d.store(vaultNamePath(name), &r)
	})
}

// GetVault describes a vault.
func (v *Vaults) GetVault(ctx context.Context, o Operator, name string) (VaultInfo, error) {
	name = fold(name)
	return performAdmin(ctx, v, o, adminVerb{operation: "admin/vaults/get"}, name, "", func(d *decision) (VaultInfo, error) {
		if err := d.enterVault(name); err != nil {
			return VaultInfo{}, err
		}
		return d.vault.info(), nil
	})
}

// ListVaults describes all vaults, by name.
func (v *Vaults) ListVaults(ctx context.Context, o Operator) ([]VaultInfo, error) {
	return performAdmin(ctx, v, o, adminVerb{operation: "admin/vaults/list"}, "", "", func(d *decision) ([]VaultInfo, error) {
		all := []VaultInfo{}
		for path, record := range d.view.Scan(vaultNameDir, "") {
			r, err := decoded(d, v.vaults, path, record)
			if err != nil {
				return nil, err
			}
			all = append(all, r.info())
		}
		return all, nil
	})
}

// SetGrant replaces what app may do in a vault; empty lists revoke. "all" is Azure's word for every permission. When it has
// returned, no node allows what was taken away.
func (v *Vaults) SetGrant(ctx context.Context, o Operator, vaultName, app string, keys, secrets []string) (Grant, error) {
	vaultName = fold(vaultName)
	w := adminVerb{operation: "admin/grants/set", writes: true}
	return performAdmin(ctx, v, o, w, vaultName, app, func(d *decision) (Grant, error) {
		if err := d.enterVault(vaultName); err != nil {
			return Grant{}, err
		}
		p, err := d.app(app)
		if err != nil {
			return Grant{}, err
		}
		r, err := newAccessRecord(p, keys, secrets)
		if err != nil {
			return Grant{}, err
		}
		return r.grant(p), d.setAccess(accessPath(d.vault.ID, p.OID), r)
	})
}

func newAccessRecord(p *principal, keys, secrets []string) (r *accessRecord, err error) {
	r = &accessRecord{ClientID: p.ClientID}
	if r.Keys, err = canonical(everyKeys, keys); err != nil {
		return nil, err
	}
	r.Secrets, err = canonical(everySecrets, secrets)
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
	return performAdmin(ctx, v, o, adminVerb{operation: "admin/grants/list"}, vaultName, "", func(d *decision) ([]Grant, error) {
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
