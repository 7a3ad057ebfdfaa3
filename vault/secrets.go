package vault

import (
	"context"

	"keyquorum/seal"
)

// Attributes are the times and switches of one version. Times are Unix seconds; nil means not set.
type Attributes struct {
	Enabled            bool
	NotBefore, Expires *int64
	Created, Updated   int64
	RecoverableDays    int    // of the vault
	RecoveryLevel      string // "Recoverable+Purgeable", …
}

// A Change is what a request says about attributes, tags and content type; nil means not supplied.
type Change struct {
	Enabled            *bool
	NotBefore, Expires *int64
	Tags               map[string]string // nil: keep; else replaces
	ContentType        *string           // secrets
	KeyOps             []string          // keys; nil: keep
}

// Deletion says when a deleted object was deleted and when it will be purged (Unix seconds).
type Deletion struct{ Deleted, Purge int64 }

// A Secret is one version of a secret. Value is nil in lists and wherever the API gives none.
type Secret struct {
	Name, Version string // Name as first spelt
	Value         seal.Plaintext
	ContentType   string
	Attributes    Attributes
	Tags          map[string]string
	Deletion      *Deletion
}

// A Page is part of a listing. Next is "" at the end, else the opaque, URL-safe token for the page after it.
type Page[T any] struct {
	Items []T
	Next  string
}

// PageRequest: After is a token from a Page or ""; Max is 1 to 25.
type PageRequest struct {
	After string
	Max   int
}

func (v *Vaults) SetSecret(ctx context.Context, c Caller, name string, value seal.Plaintext, ch Change) (Secret, error) {
	panic("not built yet")
}

// GetSecret: version "" is the latest.
func (v *Vaults) GetSecret(ctx context.Context, c Caller, name, version string) (Secret, error) {
	panic("not built yet")
}
func (v *Vaults) UpdateSecret(ctx context.Context, c Caller, name, version string, ch Change) (Secret, error) {
	panic("not built yet")
}
func (v *Vaults) ListSecrets(ctx context.Context, c Caller, p PageRequest) (Page[Secret], error) {
	panic("not built yet")
}
func (v *Vaults) ListSecretVersions(ctx context.Context, c Caller, name string, p PageRequest) (Page[Secret], error) {
	panic("not built yet")
}
func (v *Vaults) DeleteSecret(ctx context.Context, c Caller, name string) (Secret, error) {
	panic("not built yet")
}
func (v *Vaults) GetDeletedSecret(ctx context.Context, c Caller, name string) (Secret, error) {
	panic("not built yet")
}
func (v *Vaults) ListDeletedSecrets(ctx context.Context, c Caller, p PageRequest) (Page[Secret], error) {
	panic("not built yet")
}
func (v *Vaults) RecoverSecret(ctx context.Context, c Caller, name string) (Secret, error) {
	panic("not built yet")
}
func (v *Vaults) PurgeSecret(ctx context.Context, c Caller, name string) error {
	panic("not built yet")
}
