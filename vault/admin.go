package vault

import (
	"context"
	"time"

	"keyquorum/seal"
)

// A VaultInfo describes a vault. Name: 3 to 24 characters, [a-z][a-z0-9-]*, folded.
type VaultInfo struct {
	ID, Name        string
	RetentionDays   int // 7 to 90
	PurgeProtection bool
	Created         time.Time
}

// An App is a principal: an application with client secrets.
type App struct {
	ClientID, OID, Name string
	Enabled             bool
	Created             time.Time
	Credentials         []Credential
}

// A Credential is one client secret; the secret itself is shown once, when it is made.
type Credential struct {
	ID      string
	Created time.Time
	Expires time.Time // zero: never
}

// A Grant is what a principal may do in a vault, by Azure's permission names.
type Grant struct {
	ClientID, OID, AppName string
	Keys, Secrets          []string
}

func (v *Vaults) CreateVault(ctx context.Context, o Operator, name string, retentionDays int, purgeProtection bool) (VaultInfo, error) {
	panic("not built yet")
}
func (v *Vaults) GetVault(ctx context.Context, o Operator, name string) (VaultInfo, error) {
	panic("not built yet")
}
func (v *Vaults) ListVaults(ctx context.Context, o Operator) ([]VaultInfo, error) {
	panic("not built yet")
}

func (v *Vaults) CreateApp(ctx context.Context, o Operator, name string) (App, error) {
	panic("not built yet")
}
func (v *Vaults) GetApp(ctx context.Context, o Operator, nameOrID string) (App, error) {
	panic("not built yet")
}
func (v *Vaults) ListApps(ctx context.Context, o Operator) ([]App, error) { panic("not built yet") }

// SetAppEnabled switches a principal off or on: off, its tokens are refused everywhere when the call has returned.
func (v *Vaults) SetAppEnabled(ctx context.Context, o Operator, nameOrID string, enabled bool) (App, error) {
	panic("not built yet")
}
func (v *Vaults) DeleteApp(ctx context.Context, o Operator, nameOrID string) error {
	panic("not built yet")
}

// AddCredential makes a client secret (256 random bits), shown once. life 0 means no end.
func (v *Vaults) AddCredential(ctx context.Context, o Operator, app string, life time.Duration) (Credential, seal.Plaintext, error) {
	panic("not built yet")
}

// RemoveCredential revokes a client secret and every token issued for it.
func (v *Vaults) RemoveCredential(ctx context.Context, o Operator, app, credentialID string) error {
	panic("not built yet")
}

// SetGrant replaces what app may do in a vault; empty lists revoke. "all" is Azure's word for every permission.
func (v *Vaults) SetGrant(ctx context.Context, o Operator, vaultName, app string, keys, secrets []string) (Grant, error) {
	panic("not built yet")
}
func (v *Vaults) ListGrants(ctx context.Context, o Operator, vaultName string) ([]Grant, error) {
	panic("not built yet")
}
