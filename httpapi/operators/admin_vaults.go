package operators

import (
	"net/http"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

type vaultData struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	RetentionDays   int       `json:"retention_days"`
	PurgeProtection bool      `json:"purge_protection"`
	WeakAlgorithms  bool      `json:"weak_algorithms"`
	Created         time.Time `json:"created"`
	State           string    `json:"state"` // live, deleted, purging
	Deleted         time.Time `json:"deleted,omitzero"`
	ScheduledPurge  time.Time `json:"scheduled_purge,omitzero"`
}

type vaultList struct {
	Vaults []vaultData `json:"vaults"`
}

func vaultOf(v vault.VaultInfo) vaultData {
	d := vaultData{ID: v.ID, Name: v.Name, RetentionDays: v.RetentionDays,
		PurgeProtection: v.PurgeProtection, WeakAlgorithms: v.WeakAlgorithms,
		Created: v.Created.UTC(), State: "live"}
	if v.Deletion != nil {
		d.State, d.Deleted, d.ScheduledPurge = "deleted", time.Unix(v.Deletion.Deleted, 0).UTC(),
			time.Unix(v.Deletion.Purge, 0).UTC()
	}
	if v.Purging {
		d.State = "purging"
	}
	return d
}

type vaultRequest struct {
	Name            string `json:"name"`
	RetentionDays   *int   `json:"retention_days"`
	PurgeProtection bool   `json:"purge_protection"`
}

const defaultRetention = 90 // days, Azure's

func createVault(c *call, q *vaultRequest) (vaultData, error) {
	days := defaultRetention
	if q.RetentionDays != nil {
		days = *q.RetentionDays
	}
	v, err := c.Vaults.CreateVault(c.Ctx, c.operator, q.Name, days, q.PurgeProtection)
	return vaultOf(v), err
}

func getVault(c *call, _ *exchange.None) (vaultData, error) {
	v, err := c.Vaults.GetVault(c.Ctx, c.operator, c.Params[0])
	return vaultOf(v), err
}

func listVaults(c *call, _ *exchange.None) (vaultList, error) {
	vs, err := c.Vaults.ListVaults(c.Ctx, c.operator)
	return vaultList{each(vs, vaultOf)}, err
}

type vaultChange struct {
	RetentionDays   *int  `json:"retention_days"`
	PurgeProtection *bool `json:"purge_protection"`
	WeakAlgorithms  *bool `json:"weak_algorithms"`
}

func updateVault(c *call, q *vaultChange) (vaultData, error) {
	if *q == (vaultChange{}) {
		return vaultData{}, wire.Refuse(http.StatusBadRequest, "",
			"'purge_protection' or 'weak_algorithms' must be given")
	}
	v, err := c.Vaults.UpdateVault(c.Ctx, c.operator, c.Params[0], vault.VaultChange(*q))
	return vaultOf(v), err
}

func deleteVault(c *call, _ *exchange.None) (vaultData, error) {
	v, err := c.Vaults.DeleteVault(c.Ctx, c.operator, c.Params[0])
	return vaultOf(v), err
}

func listDeletedVaults(c *call, _ *exchange.None) (vaultList, error) {
	vs, err := c.Vaults.ListDeletedVaults(c.Ctx, c.operator)
	return vaultList{each(vs, vaultOf)}, err
}

func getDeletedVault(c *call, _ *exchange.None) (vaultData, error) {
	v, err := c.Vaults.GetDeletedVault(c.Ctx, c.operator, c.Params[0])
	return vaultOf(v), err
}

func recoverVault(c *call, _ *exchange.None) (vaultData, error) {
	v, err := c.Vaults.RecoverVault(c.Ctx, c.operator, c.Params[0])
	return vaultOf(v), err
}

func purgeVault(c *call, _ *exchange.None) (exchange.None, error) {
	return exchange.None{}, c.Vaults.PurgeVault(c.Ctx, c.operator, c.Params[0])
}

type grantData struct {
	ClientID string   `json:"client_id"`
	OID      string   `json:"oid"`
	App      string   `json:"app"`
	Keys     []string `json:"keys"`
	Secrets  []string `json:"secrets"`
}

type grantList struct {
	Grants []grantData `json:"grants"`
}

func grantOf(g vault.Grant) grantData {
	same := func(s string) string { return s }
	return grantData{g.ClientID, g.OID, g.AppName, each(g.Keys, same), each(g.Secrets, same)}
}

type grantRequest struct {
	Keys    []string `json:"keys"`
	Secrets []string `json:"secrets"`
}

func setGrant(c *call, q *grantRequest) (grantData, error) {
	g, err := c.Vaults.SetGrant(c.Ctx, c.operator, c.Params[0], c.Params[1], q.Keys, q.Secrets)
	return grantOf(g), err
}

func revokeGrant(c *call, _ *exchange.None) (exchange.None, error) {
	_, err := c.Vaults.SetGrant(c.Ctx, c.operator, c.Params[0], c.Params[1], nil, nil)
	return exchange.None{}, err
}

func listGrants(c *call, _ *exchange.None) (grantList, error) {
	gs, err := c.Vaults.ListGrants(c.Ctx, c.operator, c.Params[0])
	return grantList{each(gs, grantOf)}, err
}
