package vault

import (
	"context"
	"fmt"
	"time"
)

// A VaultInfo describes a vault. Name: 3 to 24 characters, [a-z][a-z0-9-]*, folded.
type VaultInfo struct {
	ID, Name        string
	RetentionDays   int // 7 to 90
	PurgeProtection bool
	WeakAlgorithms  bool // RSA1_5 and AES-CBC may be used
	Created         time.Time
	Deletion        *Deletion // nil: it is live
	Purging         bool      // what is in it is being removed: it does not come back
}

// A VaultChange is what a request says about a vault's settings; nil means not supplied.
type VaultChange struct {
	RetentionDays   *int  // fixed when the vault is made: only what it is already is taken
	PurgeProtection *bool // never off again
	WeakAlgorithms  *bool
}

// Bounds of soft deletion's retention, in days.
const (
	minRetention = 7
	maxRetention = 90
)

func (r *vaultRecord) info() VaultInfo {
	i := VaultInfo{ID: r.ID, Name: r.Name, RetentionDays: r.RetentionDays,
		PurgeProtection: r.PurgeProtection, WeakAlgorithms: r.WeakAlgorithms,
		Created: time.Unix(r.Created, 0).UTC(), Purging: r.State == purging}
	if r.State != live {
		i.Deletion = &Deletion{Deleted: r.Deleted, Purge: r.Purge}
	}
	return i
}

// CreateVault makes a vault. Conflict if the name is taken, by a deleted vault too.
func (v *Vaults) CreateVault(ctx context.Context, o Operator, name string, retentionDays int,
	purgeProtection bool) (VaultInfo, error) {
	name = fold(name)
	w := adminVerb{operation: "admin/vaults/create", writes: true}
	return performAdmin(ctx, v, o, w, name, "", func(d *decision) (VaultInfo, error) {
		if !validVaultName(name) {
			return VaultInfo{}, badParameter("A vault's name is 3 to 24 letters, digits and single hyphens; a letter comes first, a letter or digit last.")
		}
		if retentionDays < minRetention || retentionDays > maxRetention {
			return VaultInfo{}, badParameter("Retention is 7 to 90 days.")
		}
		if err := d.freeVaultName(name); err != nil {
			return VaultInfo{}, err
		}
		r := vaultRecord{ID: randomHex(16), Name: name, RetentionDays: retentionDays,
			PurgeProtection: purgeProtection, Created: d.now.Unix(),
			WeakAlgorithms: true}
		if err := d.store(indexedPath(r.ID), &indexRecord{}); err != nil { // there is nothing in it
			return VaultInfo{}, err
		}
		d.detail = r.settings()
		return r.info(), d.store(vaultNamePath(name), &r)
	})
}

// settings are what an operator can choose, for the usage record.
func (r *vaultRecord) settings() string {
	return fmt.Sprintf("retention_days=%d purge_protection=%t weak_algorithms=%t",
		r.RetentionDays, r.PurgeProtection, r.WeakAlgorithms)
}

// freeVaultName refuses a name that is taken, and says what can be done about it.
func (d *decision) freeVaultName(name string) error {
	r, taken, err := load(d, d.v.vaults, vaultNamePath(name))
	switch {
	case err != nil || !taken:
		return err
	case r.State == live:
		return conflict("VaultAlreadyExists", "There is a vault called %s already.", name)
	case r.State == purging:
		return conflict("VaultAlreadyExists",
			"The vault %s is being purged; its name is free when that is done.", name)
	case r.PurgeProtection:
		return conflict("VaultAlreadyExists", "The vault %s is deleted. It can be recovered; it is "+
			"protected from being purged before its retention is over.", name)
	default:
		return conflict("VaultAlreadyExists",
			"The vault %s is deleted. It can be recovered, or purged to free its name.", name)
	}
}

// GetVault describes a live vault, GetDeletedVault one that is deleted.
func (v *Vaults) GetVault(ctx context.Context, o Operator, name string) (VaultInfo, error) {
	return v.describe(ctx, o, "admin/vaults/get", name, (*decision).enterVault)
}

// GetDeletedVault describes a vault that is deleted, or is being purged.
func (v *Vaults) GetDeletedVault(ctx context.Context, o Operator, name string) (VaultInfo, error) {
	return v.describe(ctx, o, "admin/vaults/getdeleted", name, (*decision).enterDeleted)
}

func (v *Vaults) describe(ctx context.Context, o Operator, operation, name string,
	enter func(d *decision, name string) error) (VaultInfo, error) {
	name = fold(name)
	return performAdmin(ctx, v, o, adminVerb{operation: operation}, name, "",
		func(d *decision) (VaultInfo, error) {
			if err := enter(d, name); err != nil {
				return VaultInfo{}, err
			}
			return d.vault.info(), nil
		})
}

// ListVaults describes all live vaults, by name.
func (v *Vaults) ListVaults(ctx context.Context, o Operator) ([]VaultInfo, error) {
	return v.listVaults(ctx, o, "admin/vaults/list", true)
}

// ListDeletedVaults describes all vaults that are deleted or are being purged, by name.
func (v *Vaults) ListDeletedVaults(ctx context.Context, o Operator) ([]VaultInfo, error) {
	return v.listVaults(ctx, o, "admin/vaults/listdeleted", false)
}

func (v *Vaults) listVaults(ctx context.Context, o Operator, operation string,
	alive bool) ([]VaultInfo, error) {
	return performAdmin(ctx, v, o, adminVerb{operation: operation}, "", "",
		func(d *decision) ([]VaultInfo, error) {
			all := []VaultInfo{}
			for path, record := range d.view.Scan(vaultNameDir, "") {
				r, err := decoded(d, v.vaults, path, record)
				if err != nil {
					return nil, err
				}
				if (r.State == live) == alive {
					all = append(all, r.info())
				}
			}
			return all, nil
		})
}

// changeVault replaces a vault's record by what edit makes of it, where that is another.
func (v *Vaults) changeVault(ctx context.Context, o Operator, operation, name string,
	enter func(d *decision, name string) error,
	edit func(d *decision, r *vaultRecord) error) (VaultInfo, error) {
	name = fold(name)
	w := adminVerb{operation: operation, writes: true}
	return performAdmin(ctx, v, o, w, name, "", func(d *decision) (VaultInfo, error) {
		if err := enter(d, name); err != nil {
			return VaultInfo{}, err
		}
		r := *d.vault // the cache's own must not change
		if err := edit(d, &r); err != nil || r == *d.vault {
			return r.info(), err
		}
		return r.info(), d.store(vaultNamePath(name), &r)
	})
}

// UpdateVault changes a vault's settings. Purge protection is never switched off again (Conflict).
// When it has returned, no node lets an algorithm be used that was switched off.
func (v *Vaults) UpdateVault(ctx context.Context, o Operator, name string,
	ch VaultChange) (VaultInfo, error) {
	return v.changeVault(ctx, o, "admin/vaults/update", name, (*decision).enterVault,
		func(d *decision, r *vaultRecord) error {
			if ch.RetentionDays != nil && *ch.RetentionDays != r.RetentionDays {
				return badParameter("A vault's retention is fixed when it is created; this one's is %d days.",
					r.RetentionDays)
			}
			if ch.PurgeProtection != nil {
				if r.PurgeProtection && !*ch.PurgeProtection {
					return conflict("PurgeProtectionIsForGood",
						"Purge protection cannot be switched off once it is on.")
				}
				r.PurgeProtection = *ch.PurgeProtection
			}
			if ch.WeakAlgorithms != nil {
				r.WeakAlgorithms, d.relieves = *ch.WeakAlgorithms, !*ch.WeakAlgorithms
			}
			d.detail = r.settings()
			return nil
		})
}

// DeleteVault deletes a vault so that it can be recovered, with all that is in it, until its
// retention is over. For applications there is no such vault when it has returned.
func (v *Vaults) DeleteVault(ctx context.Context, o Operator, name string) (VaultInfo, error) {
	return v.changeVault(ctx, o, "admin/vaults/delete", name, (*decision).enterVault,
		func(d *decision, r *vaultRecord) error {
			d.relieves = true
			r.State, r.Deleted, r.Purge = deleted, d.now.Unix(), r.endOfRetention(d.now)
			return nil
		})
}

// RecoverVault makes a deleted vault live again, as it was. Conflict if its purge has begun.
func (v *Vaults) RecoverVault(ctx context.Context, o Operator, name string) (VaultInfo, error) {
	return v.changeVault(ctx, o, "admin/vaults/recover", name, (*decision).enterDeleted,
		func(_ *decision, r *vaultRecord) error {
			if r.State == purging {
				return conflict("VaultIsBeingPurged", "The vault is being purged and cannot be recovered.")
			}
			r.State, r.Deleted, r.Purge = live, 0, 0
			return nil
		})
}

// PurgeVault removes a deleted vault with all that is in it for ever, in as many transactions as
// that takes: the first marks it, so that nothing brings it back, and its name is free with the
// last. What stops half-way is finished by the next purge, or by Sweep.
func (v *Vaults) PurgeVault(ctx context.Context, o Operator, name string) error {
	name = fold(name)
	w := adminVerb{operation: "admin/vaults/purge", writes: true, removes: true}
	_, err := performAdmin(ctx, v, o, w, name, "", func(d *decision) (none struct{}, err error) {
		d.relieves = true
		if err := d.enterDeleted(name); err != nil {
			return none, err
		}
		if d.vault.PurgeProtection && d.vault.State == deleted { // what has begun can only go on
			return none, conflict("PurgeProtected",
				"The vault is protected from being purged before its retention is over. It is purged by itself then.")
		}
		return none, d.purgeVault()
	})
	return err
}

// purgeVault removes as much of the vault that was entered as fits, and its record with the last of
// it.
func (d *decision) purgeVault() error {
	if d.empty(vaultDir(d.vault.ID)) {
		d.remove(vaultNamePath(d.vault.Name))
		return nil
	}
	r := *d.vault
	r.State = purging
	return d.store(vaultNamePath(r.Name), &r)
}
