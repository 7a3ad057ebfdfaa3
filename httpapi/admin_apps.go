package httpapi

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

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

func createApp(c *opCall, q *appRequest) (appData, error) {
	a, err := c.vaults.CreateApp(c.ctx, c.operator, q.Name)
	return appOf(a), err
}

func getApp(c *opCall, _ *none) (appData, error) {
	a, err := c.vaults.GetApp(c.ctx, c.operator, c.params[0])
	return appOf(a), err
}

func listApps(c *opCall, _ *none) (appList, error) {
	as, err := c.vaults.ListApps(c.ctx, c.operator)
	return appList{each(as, appOf)}, err
}

type enabledRequest struct {
	Enabled *bool `json:"enabled"`
}

func updateApp(c *opCall, q *enabledRequest) (appData, error) {
	if q.Enabled == nil {
		return appData{}, wire.Refuse(http.StatusBadRequest, "", "'enabled' must be given")
	}
	a, err := c.vaults.SetAppEnabled(c.ctx, c.operator, c.params[0], *q.Enabled)
	return appOf(a), err
}

func deleteApp(c *opCall, _ *none) (none, error) {
	return none{}, c.vaults.DeleteApp(c.ctx, c.operator, c.params[0])
}

type credentialRequest struct {
	TTL life `json:"ttl"`
}

// life is a duration on the wire: seconds, in quotes or without, or text as Go writes durations.
type life time.Duration

// UnmarshalJSON takes a number of seconds or a string.
func (l *life) UnmarshalJSON(b []byte) error {
	if wire.IsNull(b) {
		return nil
	}
	text := strings.Trim(string(b), `"`)
	if _, err := strconv.ParseUint(text, 10, 32); err == nil {
		text += "s"
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return new(json.UnmarshalTypeError) // json.Unmarshal puts the member's name in
	}
	*l = life(d)
	return nil
}

func addCredential(c *opCall, q *credentialRequest) (vault.NewCredential, error) {
	return c.vaults.AddCredential(c.ctx, c.operator, c.params[0], time.Duration(q.TTL))
}

// writeCredential shows a secret for the only time: it is copied into the answer and cleared.
func writeCredential(c *opCall, k *vault.NewCredential) error {
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
	*c.out = appendEnvelope(*c.out, c.req.ID, data)
	clear(data)
	return nil
}

func removeCredential(c *opCall, _ *none) (none, error) {
	return none{}, c.vaults.RemoveCredential(c.ctx, c.operator, c.params[0], c.params[1])
}
