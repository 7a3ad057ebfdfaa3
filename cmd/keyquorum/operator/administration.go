package operator

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"keyquorum/cmd/keyquorum/console"
)

// The administration API (docs/administration-api.md), as its client sees it.

const Administration = "/v1/keyquorum/"

type VaultInfo struct {
	ID              string     `json:"id"`
	Name            string     `json:"name"`
	RetentionDays   int        `json:"retention_days"`
	PurgeProtection bool       `json:"purge_protection"`
	WeakAlgorithms  bool       `json:"weak_algorithms"`
	Created         time.Time  `json:"created"`
	State           string     `json:"state"`             // live, deleted, purging
	Deleted         *time.Time `json:"deleted,omitempty"` // nil: it is live
	ScheduledPurge  *time.Time `json:"scheduled_purge,omitempty"`
}

type appInfo struct {
	ClientID    string           `json:"client_id"`
	OID         string           `json:"oid"`
	Name        string           `json:"name"`
	Enabled     bool             `json:"enabled"`
	Created     time.Time        `json:"created"`
	Credentials []credentialInfo `json:"credentials"`
}

type credentialInfo struct {
	ID      string     `json:"id"`
	Created time.Time  `json:"created"`
	Expires *time.Time `json:"expires,omitempty"` // nil: never
}

// newCredential is the one answer that shows a client secret.
type newCredential struct {
	credentialInfo
	ClientID string `json:"client_id"`
	Secret   string `json:"secret"`
}

type GrantInfo struct {
	ClientID string   `json:"client_id"`
	OID      string   `json:"oid"`
	App      string   `json:"app"`
	Keys     []string `json:"keys"`
	Secrets  []string `json:"secrets"`
}

// administer calls the administration API and gives the data of its answer. The segments of the
// path are escaped.
func administer[T any](ctx context.Context, api *Client, method string, in any,
	segments ...string) (T, error) {
	for i, s := range segments {
		segments[i] = url.PathEscape(s)
	}
	var answer struct {
		Data T `json:"data"`
	}
	err := api.Call(ctx, method, Administration+strings.Join(segments, "/"), in, &answer)
	return answer.Data, err
}

func CreateVault(ctx context.Context, api *Client, name string, retentionDays int,
	purgeProtection bool) (VaultInfo, error) {
	in := map[string]any{"name": name, "retention_days": retentionDays,
		"purge_protection": purgeProtection}
	return administer[VaultInfo](ctx, api, http.MethodPost, in, "vaults")
}

// ListVaults gives the live ones, or those that are deleted and not yet purged.
func ListVaults(ctx context.Context, api *Client, gone bool) ([]VaultInfo, error) {
	all, err := administer[struct {
		Vaults []VaultInfo `json:"vaults"`
	}](ctx, api, http.MethodGet, nil, vaultsOrDeleted(gone))
	return all.Vaults, err
}

func CreateApp(ctx context.Context, api *Client, name string) (appInfo, error) {
	return administer[appInfo](ctx, api, http.MethodPost, map[string]any{"name": name}, "apps")
}

func AddCredential(ctx context.Context, api *Client, app string, life time.Duration) (newCredential,
	error) {
	in := map[string]any{}
	if life > 0 {
		in["ttl"] = life.String()
	}
	return administer[newCredential](ctx, api, http.MethodPost, in, "apps", app, "credentials")
}

func SetGrant(ctx context.Context, api *Client, vault, app string, keys,
	secrets []string) (GrantInfo, error) {
	in := map[string]any{"keys": nonNil(keys), "secrets": nonNil(secrets)}
	return administer[GrantInfo](ctx, api, http.MethodPut, in, "vaults", vault, "grants", app)
}

func nonNil(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func (c credentialInfo) expiry() string {
	if c.Expires == nil {
		return "never"
	}
	return console.TimeText(*c.Expires)
}

func enabledText(enabled bool) string {
	if enabled {
		return "enabled"
	}
	return "disabled"
}

func (a appInfo) credentialIDs() string {
	var ids []string
	for _, c := range a.Credentials {
		ids = append(ids, fmt.Sprintf("%s (ends %s)", c.ID, c.expiry()))
	}
	return strings.Join(ids, ", ")
}
