package operators

import (
	"encoding/json"
	"net/http"
	"time"

	"keyquorum/httpapi/exchange"
	"keyquorum/httpapi/wire"
	"keyquorum/vault"
)

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
	return appData{a.ClientID, a.OID, a.Name, a.Enabled, a.Created.UTC(),
		each(a.Credentials, credentialOf)}
}

type appRequest struct {
	Name string `json:"name"`
}

func createApp(c *call, q *appRequest) (appData, error) {
	a, err := c.Vaults.CreateApp(c.Ctx, c.operator, q.Name)
	return appOf(a), err
}

func getApp(c *call, _ *exchange.None) (appData, error) {
	a, err := c.Vaults.GetApp(c.Ctx, c.operator, c.Params[0])
	return appOf(a), err
}

func listApps(c *call, _ *exchange.None) (appList, error) {
	as, err := c.Vaults.ListApps(c.Ctx, c.operator)
	return appList{each(as, appOf)}, err
}

type enabledRequest struct {
	Enabled *bool `json:"enabled"`
}

func updateApp(c *call, q *enabledRequest) (appData, error) {
	if q.Enabled == nil {
		return appData{}, wire.Refuse(http.StatusBadRequest, "", "'enabled' must be given")
	}
	a, err := c.Vaults.SetAppEnabled(c.Ctx, c.operator, c.Params[0], *q.Enabled)
	return appOf(a), err
}

func deleteApp(c *call, _ *exchange.None) (exchange.None, error) {
	return exchange.None{}, c.Vaults.DeleteApp(c.Ctx, c.operator, c.Params[0])
}

type credentialRequest struct {
	TTL wire.Life `json:"ttl"`
}

func addCredential(c *call, q *credentialRequest) (vault.NewCredential, error) {
	return c.Vaults.AddCredential(c.Ctx, c.operator, c.Params[0], time.Duration(q.TTL))
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
	data = wire.AppendString(append(data, `,"client_id":`...), k.ClientID)
	data = wire.AppendString(append(data, `,"secret":`...), k.Secret)
	data = append(data, '}')
	*c.Out = appendEnvelope(*c.Out, c.Req.ID, data)
	clear(data)
	return nil
}

func removeCredential(c *call, _ *exchange.None) (exchange.None, error) {
	return exchange.None{}, c.Vaults.RemoveCredential(c.Ctx, c.operator, c.Params[0], c.Params[1])
}
