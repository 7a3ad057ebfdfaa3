package vault

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"time"

	"keyquorum/fsm"
	"keyquorum/seal"
)

// Authenticate verifies an access token: signature, issuer, times, and that its audience is zone,
// the parent domain of the vault's host; ports are ignored. It answers from this node alone;
// whether the principal still stands is checked by every verb.
//
// Another node may have signed it under a key that this one has not heard of yet. So before a token
// is refused for its key, this node makes sure that its copy is current.
func (v *Vaults) Authenticate(ctx context.Context, token []byte, zone string) (Identity, error) {
	if len(token) == 0 {
		return Identity{}, unauthorized("AKV10000: Request is missing a Bearer or PoP token.")
	}
	if len(token) > maxToken {
		return Identity{}, unauthorized("Error validating token: it is too long.")
	}
	d := &decision{v: v}
	if v.closed.Load() {
		return Identity{}, refusal(seal.ErrSealed)
	}
	d.begin(v.cfg.Replica.View())
	t, err := d.verified(token)
	if errors.Is(err, errTokenKey) {
		_, err = v.current(ctx, d, func(d *decision) (err error) {
			t, err = d.verified(token)
			return err
		})
	}
	switch {
	case errors.Is(err, errTokenKey):
		return Identity{}, errTokenKeyGone
	case errors.Is(err, errTokenForm):
		return Identity{}, unauthorized("Error validating token: IDX10511: Signature validation failed.")
	case err != nil:
		return Identity{}, refusal(err)
	}
	if err := t.check(zone, d.now); err != nil {
		return Identity{}, err
	}
	return t.identity, nil
}

// HasVault says whether this node's copy has a vault of that name, folded already. It is no answer
// to anybody: it asks nobody, and the copy may be behind.
func (v *Vaults) HasVault(name string) bool {
	_, ok := v.cfg.Replica.View().Get(vaultNamePath(name))
	return ok
}

// verified gives what a token says, from memory if the same bytes were verified under the same keys
// before.
func (d *decision) verified(token []byte) (*verifiedToken, error) {
	r, ok := d.read(tokenKeysPath)
	if !ok {
		return nil, damaged(tokenKeysPath)
	}
	sum := sha256.Sum256(token)
	s := stamp{d.view.Generation(), r.Mod}
	if t, ok := d.v.tokens.find(string(sum[:]), s); ok {
		return t, nil
	}
	keys, err := d.tokenKeys()
	if err != nil {
		return nil, err
	}
	t, err := d.v.verify(keys, string(token))
	if err != nil && !errors.Is(err, errTokenKey) {
		err = errTokenForm
	}
	if err != nil {
		return nil, err
	}
	d.v.tokens.keep(string(sum[:]), s, t)
	return t, nil
}

func (d *decision) tokenKeys() (*tokenKeys, error) {
	keys, ok, err := load(d, d.v.tokenKeys, tokenKeysPath)
	if err == nil && !ok {
		err = damaged(tokenKeysPath) // every cluster is born with it
	}
	return keys, err
}

// A TokenRequest is an OAuth 2.0 client-credentials request (RFC 6749 section 4.4). Audience is the
// resource asked for: a URL or a host, of a configured zone.
type TokenRequest struct {
	Request
	ClientID string
	Secret   seal.Plaintext
	Audience string
}

// IssueToken checks the client secret on a current view and signs an access token. Errors carry
// Code "invalid_client" or "unauthorized_client" and an AADSTS message.
func (v *Vaults) IssueToken(ctx context.Context, r TokenRequest) (token string, life time.Duration,
	err error) {
	var p *principal
	var known bool
	_, err = v.settle(ctx, r.Fenced, false, func(d *decision) (err error) {
		token, p, known, err = d.issue(r)
		return err
	})
	e := v.entry(r.Request, "token/issue")
	e.Plane = "app"
	if id := fold(r.ClientID); validUUID(id) {
		e.AppID = id // nothing else goes into the record: people put secrets into the wrong field
	}
	if p != nil {
		e.OID = p.OID
	}
	if known {
		err = v.record(e, false, err)
	} else {
		err = v.recordBounded(e,
			err) // client ids are no secrets: whoever has read one is a stranger still
	}
	if err != nil {
		return "", 0, err
	}
	return token, tokenLife, nil
}

// issue gives a token. p is the application that was named; known says that the caller proved to be
// it.
func (d *decision) issue(r TokenRequest) (token string, p *principal, known bool, err error) {
	p, credential, err := d.authenticateClient(r)
	if err != nil {
		return "", p, false, err
	}
	if len(r.Audience) > maxAudience || hostOf(r.Audience) == "" {
		return "", p, true, &Error{Kind: Invalid, Code: "invalid_scope",
			Message: "AADSTS70011: The provided value for the input parameter 'scope' is not valid."}
	}
	keys, err := d.tokenKeys()
	if err != nil {
		return "", p, true, err
	}
	token, err = keys.sign(d.v.newClaims(p, credential, r.Audience, d.now))
	return token, p, true, err
}

// nobody stands in for an application that does not exist, so that it takes as long to refuse.
var nobody = &principal{&principalRecord{Credentials: make([]credentialRecord, 1)}}

// authenticateClient finds the application and which of its secrets was given. What is compared are
// hashes of 256 random bits.
func (d *decision) authenticateClient(r TokenRequest) (*principal, string, error) {
	found := nobody
	id := fold(r.ClientID)
	if validUUID(id) {
		p, ok, err := load(d, d.v.principals, appPath(id))
		if err != nil {
			return nil, "", err
		}
		if ok {
			found = p
		}
	}
	sum := sha256.Sum256(r.Secret)
	credential := ""
	for i := range found.Credentials {
		c := &found.Credentials[i]
		if subtle.ConstantTimeCompare(c.Hash[:], sum[:]) == 1 && !c.ended(d.now) {
			credential = c.ID
		}
	}
	switch {
	case found == nobody:
		return nil, "", &Error{Kind: Invalid, Code: "unauthorized_client",
			Message: "AADSTS700016: The application was not found in the directory."}
	case credential == "":
		return found, "", &Error{Kind: Unauthenticated, Code: "invalid_client",
			Message: "AADSTS7000215: Invalid client secret provided."}
	case !found.Enabled:
		return found, "", &Error{Kind: Unauthenticated, Code: "invalid_client",
			Message: "AADSTS7000112: The application is disabled."}
	}
	return found, credential, nil
}

// JWKS returns the public token-signing keys as a JSON Web Key Set (RFC 7517).
func (v *Vaults) JWKS() ([]byte, error) {
	if v.closed.Load() {
		return nil, refusal(seal.ErrSealed)
	}
	d := &decision{v: v}
	d.begin(v.cfg.Replica.View())
	keys, err := d.tokenKeys()
	if err != nil {
		return nil, refusal(err)
	}
	return keys.jwks, nil
}

// AuthenticateOperator verifies an X-Vault-Token on a current view. A refusal (Forbidden) is
// recorded here, because no verb follows.
func (v *Vaults) AuthenticateOperator(ctx context.Context, r Request,
	token seal.Plaintext) (Operator, error) {
	o := Operator{Request: r}
	if v.closed.Load() {
		return Operator{}, refusal(seal.ErrSealed)
	}
	if _, ok := operatorTokenPath(token); !ok { // no view is needed for that, so nobody is asked for one
		return v.authenticated(o, errOperatorDenied)
	}
	_, err := v.settle(ctx, r.Fenced, false, func(d *decision) error {
		return d.authenticateOperator(&o, token)
	})
	return v.authenticated(o, err)
}

// AuthenticateOperatorHere verifies it on what this node holds, and asks nobody. It is for what
// takes only from this node and must be possible while the others can't be asked: sealing it, and
// finding out why they can't. A token that was revoked meanwhile, elsewhere, is taken.
func (v *Vaults) AuthenticateOperatorHere(r Request, token seal.Plaintext) (Operator, error) {
	if v.closed.Load() {
		return Operator{}, refusal(seal.ErrSealed)
	}
	o := Operator{Request: r}
	d := &decision{v: v}
	d.begin(v.cfg.Replica.View())
	return v.authenticated(o, d.authenticateOperator(&o, token))
}

func (v *Vaults) authenticated(o Operator, err error) (Operator, error) {
	if err != nil {
		return Operator{}, v.recordBounded(v.operatorEntry(o, "token/authenticate", ""), err)
	}
	return o, nil
}

func (d *decision) authenticateOperator(o *Operator, token seal.Plaintext) error {
	path, ok := operatorTokenPath(token)
	if !ok {
		return errOperatorDenied
	}
	t, ok, err := load(d, d.v.operators, path)
	if err == nil && !ok {
		err = errOperatorDenied
	}
	if err == nil {
		o.Accessor, o.path = t.Accessor, path
	}
	return err
}

// operatorTokenPath is where a token's record is, if there is one.
func operatorTokenPath(token seal.Plaintext) (path string, ok bool) {
	if len(token) != len(operatorTokenPrefix)+credentialDigits ||
		string(token[:len(operatorTokenPrefix)]) != operatorTokenPrefix {
		return "", false
	}
	return tokenPath(sha256.Sum256(token)), true
}

// OperatorToken describes the token of an Operator, for lookup-self.
type OperatorToken struct {
	Accessor, DisplayName string
	Policies              []string
	Created               time.Time
}

// LookupSelf describes the operator's own token.
func (v *Vaults) LookupSelf(ctx context.Context, o Operator) (OperatorToken, error) {
	return performAdmin(ctx, v, o, adminVerb{operation: "token/lookup-self"}, "", "",
		func(d *decision) (OperatorToken, error) {
			t, ok, err := load(d, v.operators, o.path)
			if err != nil || !ok {
				return OperatorToken{}, err
			}
			return OperatorToken{Accessor: t.Accessor, DisplayName: t.DisplayName, Policies: t.Policies,
				Created: time.Unix(t.Created, 0).UTC()}, nil
		})
}

// Bootstrap returns the records of a new cluster that are the domain's (token signing key, root
// token), sealed for base 0 absent paths, and the root token to show once.
func Bootstrap(k *seal.Keyring, now time.Time) ([]fsm.Write, seal.Plaintext, error) {
	keys, err := newTokenKeys(now)
	if err != nil {
		return nil, nil, err
	}
	defer keys.Zero()
	token, meta := newRootToken(now)
	record, err := encodeRecord(meta, nil)
	if err != nil {
		return nil, nil, err
	}
	writes := []fsm.Write{{Path: tokenKeysPath}, {Path: tokenPath(sha256.Sum256(token))}}
	for i, plaintext := range []seal.Plaintext{keys, record} {
		if writes[i].Value, err = sealRecord(k, writes[i].Path, 0, plaintext); err != nil {
			return nil, nil, err
		}
	}
	return writes, token, nil
}

// OperatorTokenLength is how many characters a root token has, all of them ASCII.
const OperatorTokenLength = len(operatorTokenPrefix) + credentialDigits

func newRootToken(now time.Time) (seal.Plaintext, *tokenRecord) {
	return newCredential(operatorTokenPrefix), &tokenRecord{Accessor: randomHex(12),
		DisplayName: "root", Policies: []string{"root"}, Created: now.Unix()}
}

// NewRootToken gives the cluster one root token more, in the name of the operator, whose own stays
// good, or on the word of the caller alone (ByShares). The caller has been given shares for it,
// that the lock was made for, writes the usage record, and shows the token once. If the cluster has
// other shares by now the error is ErrOtherShares.
func (v *Vaults) NewRootToken(ctx context.Context, o Operator, given seal.Lock) (
	token seal.Plaintext, accessor string, err error) {
	_, err = v.settle(ctx, o.Fenced, true, func(d *decision) error {
		d.operator = true
		if err := d.holdTo(given); err != nil {
			return err
		}
		if !o.byShares {
			if err := d.admitOperator(o); err != nil {
				return err
			}
		}
		token.Zero() // of an attempt that met another
		var meta *tokenRecord
		token, meta = newRootToken(d.now)
		accessor = meta.Accessor
		return d.store(tokenPath(sha256.Sum256(token)), meta)
	})
	if err != nil {
		token.Zero()
		if errors.Is(err, ErrOtherShares) {
			return nil, "", err
		}
		return nil, "", refusal(err)
	}
	return token, accessor, nil
}

// ErrOtherShares: shares were given that are no authority any more.
var ErrOtherShares = errors.New("vault: the cluster has other unseal shares by now")

// holdTo refuses shares of another lock than that of now, and holds the transaction to it: a node
// that is behind learns of other shares only when it commits.
func (d *decision) holdTo(given seal.Lock) error {
	r, ok := d.read(fsm.PathSeal)
	if !ok {
		return damaged(fsm.PathSeal)
	}
	now, err := seal.DecodeRecord(r.Value)
	if err != nil {
		return damaged(fsm.PathSeal)
	}
	if now.Lock != given {
		return ErrOtherShares
	}
	return nil
}

// validUUID says whether s has the form of a UUID in lower case (RFC 9562 section 4), which client
// and object ids have.
func validUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !digit(s[i]) && (s[i] < 'a' || s[i] > 'f') {
				return false
			}
		}
	}
	return true
}

// newUUID draws a random UUID (RFC 9562 section 5.4).
func newUUID() string {
	h := []byte(randomHex(16))
	h[12] = '4'
	h[16] = "89ab"[h[16]&3]
	return string(h[:8]) + "-" + string(h[8:12]) + "-" + string(h[12:16]) + "-" + string(h[16:20]) +
		"-" + string(h[20:])
}
