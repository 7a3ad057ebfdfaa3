// Package vault is the domain: vaults, keys, secrets, principals, access policies, and what each operation means.
package vault

import (
	"context"
	"time"

	"keyquorum/audit"
	"keyquorum/fsm"
	"keyquorum/seal"
)

// A Replica is the replicated state as the domain sees it: *cluster.Cluster in a node, a bare state machine in tests.
type Replica interface {
	View() fsm.View
	Fence(ctx context.Context) (fsm.View, error)
	Commit(ctx context.Context, txn fsm.Txn) (fsm.Outcome, error)
	Wait(ctx context.Context, index uint64) error
}

// Config is what a Vaults needs. All fields are required.
type Config struct {
	Replica   Replica
	Keyring   *seal.Keyring
	Audit     *audit.Log
	Now       func() time.Time // the node's wall clock: nbf, exp, tokens, timestamps
	Node      string           // label for usage records
	ClusterID string
}

// Vaults is the domain on an unsealed node, from unseal to seal.
type Vaults struct{}

func New(Config) (*Vaults, error) { panic("not built yet") }

// Close drops everything that was opened; calls in flight end with the Sealed error.
func (v *Vaults) Close() { panic("not built yet") }

// Bootstrap returns the records of a new cluster that are the domain's (token signing key, root token), sealed for base 0
// absent paths, and the root token to show once.
func Bootstrap(k *seal.Keyring, now time.Time) ([]fsm.Write, seal.Plaintext, error) {
	panic("not built yet")
}

// A Request says who is asking how; httpapi makes one for each HTTP request.
type Request struct {
	ID            string // x-ms-request-id or request_id, a UUID
	ClientRequest string
	Remote        string
	Start         time.Time
}

// A Caller is an authenticated principal of the application plane, asking for one vault.
type Caller struct {
	Request
	Vault    string // name from the host, folded to lower case; existence is checked by the verb
	Identity Identity
}

// Identity is what a verified access token says. Whether the principal still exists is checked by each verb.
type Identity struct {
	OID, AppID, Credential string
	Expires                time.Time
}

// An Operator is a verified token of the operator plane.
type Operator struct {
	Request
	Accessor string
	path     string // of the token's record
}
