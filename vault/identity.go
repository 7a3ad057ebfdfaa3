package vault

import (
	"context"
	"time"

	"keyquorum/seal"
)

// Authenticate verifies an access token: signature, issuer, times, and that its audience is host (without port) or its parent zone.
// It answers from this node alone; whether the principal still stands is checked by every verb.
func (v *Vaults) Authenticate(token []byte, zone string) (Identity, error) { panic("not built yet") }

// A TokenRequest is an OAuth 2.0 client-credentials request (RFC 6749 section 4.4). Audience is the resource asked for.
type TokenRequest struct {
	Request
	ClientID string
	Secret   seal.Plaintext
	Audience string
}

// IssueToken checks the client secret on a current view and signs an access token. Errors carry Code "invalid_client" or
// "unauthorized_client" and an AADSTS message.
func (v *Vaults) IssueToken(ctx context.Context, r TokenRequest) (token string, life time.Duration, err error) {
	panic("not built yet")
}

// JWKS returns the public token-signing keys as a JSON Web Key Set (RFC 7517).
func (v *Vaults) JWKS() ([]byte, error) { panic("not built yet") }

// AuthenticateOperator verifies an X-Vault-Token on a current view.
func (v *Vaults) AuthenticateOperator(ctx context.Context, r Request, token seal.Plaintext) (Operator, error) {
	panic("not built yet")
}

// OperatorToken describes the token of an Operator, for lookup-self.
type OperatorToken struct {
	Accessor, DisplayName string
	Policies              []string
	Created               time.Time
}

func (v *Vaults) LookupSelf(ctx context.Context, o Operator) (OperatorToken, error) {
	panic("not built yet")
}

// RecordOperation writes a usage record for an operation of the operator plane that node carries out (seal, step-down, raft …).
// err is what it will answer, nil for success.
func (v *Vaults) RecordOperation(o Operator, operation, object string, err error) error {
	panic("not built yet")
}

// RecordRefusal writes a usage record for a request of the application plane that was refused before a verb was called
// (no or bad token, malformed body). Unauthenticated ones are rate-bounded.
func (v *Vaults) RecordRefusal(r Request, id *Identity, operation, vaultName string, refusal *Error) error {
	panic("not built yet")
}
