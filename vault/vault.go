// Package vault is the domain: vaults, keys, secrets, principals, access policies, and what each
// operation means.
//
// It owns the meaning of every record that is not the cluster's own, and it alone turns requests
// into records. It promises that nothing is answered which the principal may not have at that
// moment, and that nothing is answered before its usage record is written (I10). It never speaks
// HTTP or Raft, and it never keeps a secret value.
//
// # The walk of a request
//
// A read, say GetSecret, is one call of perform (perform.go):
//
//	Fence           a view that holds everything acknowledged so far; all that follows is read from this one view
//	principal       app/<client id>: exists, enabled, the token's credential is still there and has not ended; else 401
//	vault           vaultname/<folded name>: else 404
//	name            a well-formed object name and version; else 400
//	allowed?        vault/<id>/access/<oid>: else 403, before anything is said of what exists
//	act             head and version records: 404, 409, state 403, meaning of the body 400, in this order
//	usage record    written, or the answer is 500
//
// A write, say SetSecret, stands in line with the node's other writers of its object (lines.go). It
// decides in the same order on the node's newest view without asking anyone, and everything that it
// read becomes a condition of one transaction: the vault, the principal with its credential, the
// access record, the object's head. So a transaction is applied only if what allowed it still
// stands (I2), and a revocation that came between makes it a conflict. A refusal has no transaction
// to prove it; it is drawn again from a fenced view before it is answered.
//
// Records are sealed for their path and logical version. One that does not open, or opens to what
// nobody writes, was altered: it is answered with an error that says so (500, RecordDamaged), never
// with a value (I8).
package vault

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"time"

	"keyquorum/audit"
	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
)

// A Replica is the replicated state as the domain sees it: *cluster.Cluster in a node, a bare state
// machine in tests.
type Replica interface {
	View() fsm.View
	Read(ctx context.Context, fenced bool, decide func(fsm.View)) (cluster.Look, error)
	Leased() bool
	Fresh(cluster.Look) bool
	Commit(ctx context.Context, txn fsm.Txn) (fsm.Outcome, error)
	Wait(ctx context.Context, index uint64) error
	NoRoom() error // why nothing is written that can be left; nil: nothing is left
}

// Config is what a Vaults needs. All fields but Refresh, AuthorityKeys and Counts are required.
type Config struct {
	Replica   Replica
	Keyring   *seal.Keyring
	Refresh   func() error // has Keyring follow the state at once; nil: it has all it needs
	Audit     *audit.Log
	Now       func() time.Time // the node's wall clock: nbf, exp, tokens, timestamps
	Node      string           // label for usage records
	ClusterID string
	Counts    *Counts // outlives this Vaults; nil: nobody looks
	// AuthorityKeys fetches the JSON Web Key Set of an attestation authority, an https URL. kid is the
	// key that is looked for, which the set need not have. nil: no key is ever released.
	AuthorityKeys func(ctx context.Context, authority, kid string) ([]byte, error)
}

// Vaults is the domain on an unsealed node, from unseal to seal. It is safe for concurrent use.
type Vaults struct {
	cfg    Config
	issuer string
	closed atomic.Bool

	vaults     *cache[*vaultRecord]
	principals *cache[*principal]
	grants     *cache[*grant]
	heads      *cache[*head]
	secrets    *cache[secretRecord] // what versions have beside their values
	operators  *cache[*tokenRecord]
	tokenKeys  *cache[*tokenKeys]
	tokens     *cache[*verifiedToken]
	parsed     *keyCache

	refusals   refusalBound // of strangers
	throttled  refusalBound
	generating chan struct{} // holds one for each key that is being made
	turns      chan struct{} // and for each slow private key that is being used
	lines      lines         // of writers
}

// New returns the domain over an unsealed node's state.
func New(cfg Config) (*Vaults, error) {
	if cfg.Replica == nil || cfg.Keyring == nil || cfg.Audit == nil || cfg.Now == nil ||
		cfg.ClusterID == "" {
		return nil, errors.New("vault: incomplete configuration")
	}
	if cfg.Counts == nil {
		cfg.Counts = NewCounts()
	}
	return &Vaults{
		cfg:        cfg,
		issuer:     "https://sts.keyquorum/" + cfg.ClusterID + "/",
		vaults:     newCache(1<<12, decodeVault),
		principals: newCache(1<<14, decodePrincipal),
		grants:     newCache(1<<14, decodeGrant),
		heads:      newCache(1<<14, decodeHead),
		secrets:    newCache[secretRecord](1<<14, nil),
		operators:  newCache(1<<8, decodeToken),
		tokenKeys:  newCache(1, decodeTokenKeys),
		tokens:     newCache[*verifiedToken](1<<14, nil),
		parsed:     newKeyCache(keyCacheBytes),
		generating: make(chan struct{}, runtime.GOMAXPROCS(0)),
		turns:      make(chan struct{}, runtime.GOMAXPROCS(0)),
		lines:      lines{waiting: map[string]*line{}},
	}, nil
}

// Close drops everything that was opened; calls in flight end with the Sealed error.
func (v *Vaults) Close() {
	v.closed.Store(true)
	v.vaults.drop()
	v.principals.drop()
	v.grants.drop()
	v.heads.drop()
	v.secrets.drop()
	v.operators.drop()
	v.tokenKeys.drop()
	v.tokens.drop()
	v.parsed.close()
}

// A Request says who is asking how; httpapi makes one for each HTTP request.
type Request struct {
	ID            string // x-ms-request-id or request_id, a UUID
	ClientRequest string
	Remote        string // the caller's address
	Via           string // that of the balancer which said so, at the other end of the wire
	Start         time.Time
	Fenced        bool // its reads ask the leader, whatever lease this node has
}

// A Caller is an authenticated principal of the application plane, asking for one vault.
type Caller struct {
	Request
	Vault    string // name from the host, folded to lower case; existence is checked by the verb
	Identity Identity
}

// Identity is what a verified access token says. Whether the principal still exists is checked by
// each verb.
type Identity struct {
	OID, AppID, Credential string
	Expires                time.Time
	key                    string // that signed the token
}

// An Operator is a verified token of the operator plane, or nobody's (ByShares).
type Operator struct {
	Request
	Accessor string
	path     string // of the token's record
	byShares bool
}

// ByShares is whoever has unseal shares and no token. NewRootToken takes that; every verb refuses
// it.
func ByShares(r Request) Operator { return Operator{Request: r, byShares: true} }
