package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"keyquorum/vault"
)

// adminRoutes are the administration API (docs/administration-api.md). The domain's verbs write their usage records.
func adminRoutes() []route {
	return []route{
		{methods: get, shape: "keyquorum/state", operation: "admin/state", serve: recorded(state, nothing, writeData)},
		{methods: list, shape: "keyquorum/vaults", operation: "admin/vaults/list", serve: serve(listVaults, writeData)},
		{methods: write, shape: "keyquorum/vaults", operation: "admin/vaults/create", body: smallBody, serve: serve(createVault, writeData)},
		{methods: get, shape: "keyquorum/vaults/{vault}", operation: "admin/vaults/get", serve: serve(getVault, writeData)},
		{methods: list, shape: "keyquorum/vaults/{vault}/grants", operation: "admin/grants/list", serve: serve(listGrants, writeData)},
		{methods: write, shape: "keyquorum/vaults/{vault}/grants/{app}", operation: "admin/grants/set", body: smallBody, serve: serve(setGrant, writeData)},
		{methods: remove, shape: "keyquorum/vaults/{vault}/grants/{app}", operation: "admin/grants/set", serve: serve(revokeGrant, noContent)},
		{methods: list, shape: "keyquorum/apps", operation: "admin/apps/list", serve: serve(listApps, writeData)},
		{methods: write, shape: "keyquorum/apps", operation: "admin/apps/create", body: smallBody, serve: serve(createApp, writeData)},
		{methods: get, shape: "keyquorum/apps/{app}", operation: "admin/apps/get", serve: serve(getApp, writeData)},
		{methods: write, shape: "keyquorum/apps/{app}", operation: "admin/apps/enable", body: smallBody, serve: serve(updateApp, writeData)},
		{methods: remove, shape: "keyquorum/apps/{app}", operation: "admin/apps/delete", serve: serve(deleteApp, noContent)},
		{methods: write, shape: "keyquorum/apps/{app}/credentials", operation: "admin/credentials/add", body: smallBody, serve: serve(addCredential, writeCredential)},
		{methods: remove, shape: "keyquorum/apps/{app}/credentials/{id}", operation: "admin/credentials/remove", serve: serve(removeCredential, noContent)},
	}
}

type vaultData struct {
	ID              string    `json:"id"`
	Name            string    `json:"name"`
	RetentionDays   int       `json:"retention_days"`
	PurgeProtection bool      `json:"purge_protection"`
	Created         time.Time `json:"created"`
}

type vaultList struct {
	Vaults []vaultData `json:"vaults"`
}

func vaultOf(v vault.VaultInfo) vaultData {
	return vaultData{v.ID, v.Name, v.RetentionDays, v.PurgeProtection, v.Created.UTC()}
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
	v, err := c.vaults.CreateVault(c.ctx, c.operator, q.Name, days, q.PurgeProtection)
	return vaultOf(v), err
}

func getVault(c *call, _ *none) (vaultData, error) {
	v, err := c.vaults.GetVault(c.ctx, c.operator, c.params[0])
	return vaultOf(v), err
}

func listVaults(c *call, _ *none) (vaultList, error) {
	vs, err := c.vaults.ListVaults(c.ctx, c.operator)
	return vaultList{each(vs, vaultOf)}, err
}

// each maps a list; the result is never nil, so that an empty one is [] on the wire.
func each[A, B any](in []A, f func(A) B) []B {
	out := make([]B, 0, len(in))
	for _, a := range in {
		out = append(out, f(a))
	}
	return out
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
	g, err := c.vaults.SetGrant(c.ctx, c.operator, c.params[0], c.params[1], q.Keys, q.Secrets)
	return grantOf(g), err
}

func revokeGrant(c *call, _ *none) (none, error) {
	_, err := c.vaults.SetGrant(c.ctx, c.operator, c.params[0], c.params[1], nil, nil)
	return none{}, err
}

func listGrants(c *call, _ *none) (grantList, error) {
	gs, err := c.vaults.ListGrants(c.ctx, c.operator, c.params[0])
	return grantList{each(gs, grantOf)}, err
}

type appData struct {
	ClientID    string           `json:"client_id"`
	OID         string           `json:"oid"`
	Name        string           `json:"name"`
	Enabled     bool             `json:"enabled"`
	Created     time.Time        `json:"created"`
	Credentials []credentialData `json:"credentials"`
}

type appList struct {
	Apps []appData `json:"apps"`
}

type credentialData struct {
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	Expires time.Time `json:"expires,omitzero"`
}

func credentialOf(k vault.Credential) credentialData {
	return credentialData{k.ID, k.Created.UTC(), k.Expires.UTC()}
}

func appOf(a vault.App) appData {
	return appData{a.ClientID, a.OID, a.Name, a.Enabled, a.Created.UTC(), each(a.Credentials, credentialOf)}
}

type appRequest struct {
	Name string `json:"name"`
}

func createApp(c *call, q *appRequest) (appData, error) {
	a, err := c.vaults.CreateApp(c.ctx, c.operator, q.Name)
	return appOf(a), err
}

func getApp(c *call, _ *none) (appData, error) {
	a, err := c.vaults.GetApp(c.ctx, c.operator, c.params[0])
	return appOf(a), err
}

func listApps(c *call, _ *none) (appList, error) {
	as, err := c.vaults.ListApps(c.ctx, c.operator)
	return appList{each(as, appOf)}, err
}

type enabledRequest struct {
	Enabled *bool `json:"enabled"`
}

func updateApp(c *call, q *enabledRequest) (appData, error) {
	if q.Enabled == nil {
		return appData{}, refuse(http.StatusBadRequest, "", "'enabled' must be given")
	}
	a, err := c.vaults.SetAppEnabled(c.ctx, c.operator, c.params[0], *q.Enabled)
	return appOf(a), err
}

func deleteApp(c *call, _ *none) (none, error) {
	return none{}, c.vaults.DeleteApp(c.ctx, c.operator, c.params[0])
}

type credentialRequest struct {
	TTL life `json:"ttl"`
}

// life is a duration on the wire: seconds, or text as Go writes durations.
type life time.Duration

// UnmarshalJSON takes a number of seconds or a string.
func (l *life) UnmarshalJSON(b []byte) error {
	if isNull(b) {
		return nil
	}
	text := string(b)
	if b[0] == '"' {
		text = text[1 : len(text)-1]
	} else if _, err := strconv.ParseUint(text, 10, 32); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return new(json.UnmarshalTypeError) // json.Unmarshal puts the member's name in
	}
	*l = life(d)
	return nil
}

func addCredential(c *call, q *credentialRequest) (vault.NewCredential, error) {
	return c.vaults.AddCredential(c.ctx, c.operator, c.params[0], time.Duration(q.TTL))
}

// writeCredential shows a secret for the only time: it is copied into the answer and cleared.
func writeCredential(c *call, k *vault.NewCredential) error {
	defer k.Secret.Zero()
	b, err := json.Marshal(credentialOf(k.Credential))
	if err != nil {
		return err
	}
	data := make([]byte, 0, len(b)+len(k.ClientID)+6*len(k.Secret)+64)
	data = append(data, b[:len(b)-1]...)
	data = appendString(append(data, `,"client_id":`...), k.ClientID)
	data = appendString(append(data, `,"secret":`...), k.Secret)
	data = append(data, '}')
	*c.out = appendEnvelope(*c.out, c.req.ID, data)
	clear(data)
	return nil
}

func removeCredential(c *call, _ *none) (none, error) {
	return none{}, c.vaults.RemoveCredential(c.ctx, c.operator, c.params[0], c.params[1])
}
