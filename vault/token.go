package vault

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"keyquorum/seal"
)

// Access tokens are ES256 JWTs (RFC 7519, RFC 7518) that every node signs and verifies with the
// keys of one sealed record.
const (
	tokenLife    = time.Hour
	tokenSkew    = time.Minute // between the clocks of our own nodes (decision 9)
	maxToken     = 16 << 10    // bytes
	maxAudience  = 512         // bytes
	tokenVersion = "1.0"
	scalarSize   = 32 // bytes of a P-256 private key
)

// A tokenKeysRecord names the keys that sign access tokens, the newest last; its tail is their
// 32-byte scalars in that order. The newest signs; all verify, so that a token outlives the key's
// successor.
type tokenKeysRecord struct {
	_    struct{} `cbor:",toarray"`
	Keys []tokenKeyRecord
}

type tokenKeyRecord struct {
	_       struct{} `cbor:",toarray"`
	ID      string   // the JWT's kid
	Created int64
}

// tokenKeys are the keys that sign and verify access tokens, ready for use.
type tokenKeys struct {
	signer   jose.Signer
	releases jose.Signer                 // of released keys: the same key, under a type that no access token has
	public   map[string]*ecdsa.PublicKey // by kid
	records  []tokenKeyRecord            // oldest first
	jwks     []byte
}

func decodeTokenKeys(b []byte) (keys *tokenKeys, err error) {
	seal.Do(func() { keys, err = parseTokenKeys(b) })
	return keys, err
}

func parseTokenKeys(b []byte) (*tokenKeys, error) {
	r, scalars, err := decodeRecord[tokenKeysRecord](b)
	if err != nil {
		return nil, err
	}
	if len(r.Keys) == 0 || len(scalars) != scalarSize*len(r.Keys) {
		return nil, errRecordForm
	}
	t := &tokenKeys{public: make(map[string]*ecdsa.PublicKey, len(r.Keys)), records: r.Keys}
	var set jose.JSONWebKeySet
	for i, k := range r.Keys {
		key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalars[i*scalarSize:(i+1)*scalarSize])
		if err != nil {
			return nil, err
		}
		t.public[k.ID] = &key.PublicKey
		set.Keys = append(set.Keys,
			jose.JSONWebKey{Key: &key.PublicKey, KeyID: k.ID, Algorithm: string(jose.ES256), Use: "sig"})
		if t.signer, err = newSigner(k.ID, "JWT", key); err != nil {
			return nil, err
		}
		if t.releases, err = newSigner(k.ID, "release+jwt", key); err != nil {
			return nil, err
		}
	}
	t.jwks, err = json.Marshal(set)
	return t, err
}

func newSigner(id string, kind jose.ContentType, key *ecdsa.PrivateKey) (jose.Signer, error) {
	return jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256,
		Key: jose.JSONWebKey{Key: key, KeyID: id}},
		(&jose.SignerOptions{}).WithType(kind))
}

// claims are what our access tokens say, by the names that Azure's have. Credential is ours:
// the client secret that the token was issued for.
type claims struct {
	Audience   string `json:"aud"`
	Issuer     string `json:"iss"`
	IssuedAt   int64  `json:"iat"`
	NotBefore  int64  `json:"nbf"`
	Expires    int64  `json:"exp"`
	Tenant     string `json:"tid"`
	AppID      string `json:"appid"`
	Authorized string `json:"azp"`
	OID        string `json:"oid"`
	Subject    string `json:"sub"`
	Type       string `json:"idtyp"`
	Version    string `json:"ver"`
	Unique     string `json:"uti"`
	Credential string `json:"kq_cred"`
}

func (v *Vaults) newClaims(p *principal, credential, audience string, now time.Time) claims {
	return claims{
		Audience: audience, Issuer: v.issuer, Tenant: v.cfg.ClusterID,
		IssuedAt: now.Unix(), NotBefore: now.Unix(), Expires: now.Add(tokenLife).Unix(),
		AppID: p.ClientID, Authorized: p.ClientID, OID: p.OID, Subject: p.OID,
		Type: "app", Version: tokenVersion, Unique: randomHex(16), Credential: credential,
	}
}

func (t *tokenKeys) sign(c claims) (token string, err error) {
	payload, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	return signCompact(t.signer, payload)
}

// signCompact gives a compact JWS of payload.
func signCompact(signer jose.Signer, payload []byte) (token string, err error) {
	seal.Do(func() {
		var signed *jose.JSONWebSignature
		if signed, err = signer.Sign(payload); err == nil {
			lowerS(signed.Signatures[0].Signature)
			token, err = signed.CompactSerialize()
		}
	})
	return strings.Clone(token), err
}

// A verifiedToken is what a token that was verified once says. Its signature and form never have to
// be looked at again while the keys are the same; its times and audience are, each time.
type verifiedToken struct {
	identity  Identity
	notBefore int64
	expires   int64
	audience  string // host
}

var (
	errTokenForm = errors.New("vault: not a token of this cluster")
	errTokenKey  = errors.New("vault: a token that none of this cluster's keys signed")
)

// verify checks a token's form, signature and issuer; there is one algorithm, one type and one
// encoding.
func (v *Vaults) verify(keys *tokenKeys, token string) (*verifiedToken, error) {
	if !compact(token) {
		return nil, errTokenForm
	}
	signed, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return nil, err
	}
	h := signed.Signatures[0].Protected
	key, ok := keys.public[h.KeyID]
	if !ok {
		return nil, errTokenKey
	}
	if h.JSONWebKey != nil || len(h.ExtraHeaders) != 1 || h.ExtraHeaders[jose.HeaderType] != "JWT" {
		return nil, errTokenForm
	}
	payload, err := signed.Verify(key)
	if err != nil {
		return nil, err
	}
	if highS(signed.Signatures[0].Signature) {
		return nil, errTokenForm
	}
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, err
	}
	t, err := v.accept(c)
	if err != nil {
		return nil, err
	}
	t.identity.key = h.KeyID
	return t, nil
}

// Of an ECDSA signature (r, s) the other spelling (r, n-s) is as good, and anybody can make it (SEC
// 1 version 2 section 4.1.4). The lower s is the one that tokens of this cluster have, so that one
// token has one spelling.
var (
	orderP256 = elliptic.P256().Params().N
	halfP256  = new(big.Int).Rsh(orderP256, 1)
)

// highS: signature is r and s of ES256 side by side (RFC 7518 section 3.4).
func highS(signature []byte) bool { return tokenS(signature).Cmp(halfP256) > 0 }

// lowerS gives the signature the spelling with the lower s.
func lowerS(signature []byte) {
	if s := tokenS(signature); s.Cmp(halfP256) > 0 {
		s.Sub(orderP256, s).FillBytes(signature[scalarSize:])
	}
}

func tokenS(signature []byte) *big.Int { return new(big.Int).SetBytes(signature[scalarSize:]) }

// compact says whether token is three strict base64url parts (RFC 7515 section 7.1). The library
// forgives spaces, line ends and loose last bits; then one token would have many spellings.
func compact(token string) bool {
	if strings.Count(token, ".") != 2 || strings.ContainsAny(token, "\r\n") {
		return false
	}
	for part := range strings.SplitSeq(token, ".") {
		if _, err := strictBase64.DecodeString(part); err != nil {
			return false
		}
	}
	return true
}

func (v *Vaults) accept(c claims) (*verifiedToken, error) {
	if c.Issuer != v.issuer || c.Tenant != v.cfg.ClusterID || c.Type != "app" ||
		c.Version != tokenVersion ||
		c.AppID == "" || c.AppID != c.Authorized || c.OID == "" || c.OID != c.Subject ||
		c.Credential == "" || c.Expires <= c.NotBefore {
		return nil, errTokenForm
	}
	return &verifiedToken{
		identity: Identity{OID: c.OID, AppID: c.AppID, Credential: c.Credential,
			Expires: time.Unix(c.Expires, 0)},
		notBefore: c.NotBefore, expires: c.Expires, audience: hostOf(c.Audience),
	}, nil
}

// check decides whether a verified token may be used now, for zone.
func (t *verifiedToken) check(zone string, now time.Time) error {
	skew := int64(tokenSkew / time.Second)
	switch {
	case now.Unix() >= t.expires+skew:
		return unauthorized("Error validating token: IDX10223: Lifetime validation failed. The token is expired.")
	case now.Unix() < t.notBefore-skew:
		return unauthorized("Error validating token: IDX10222: Lifetime validation failed. The token is not yet valid.")
	case t.audience == "" || t.audience != hostOf(zone):
		return unauthorized("AKV10022: Invalid audience. The token is not for this vault's zone.")
	}
	return nil
}

// hostOf gives the folded host of a resource: "https://vault.example:8200/", "vault.example.:8200"
// and "vault.example" are one.
func hostOf(resource string) string {
	if scheme, rest, ok := strings.Cut(resource, "://"); ok && strings.EqualFold(scheme, "https") {
		resource = rest // schemes and hosts have no case (RFC 3986 section 6.2.2.1)
	}
	host, _, _ := strings.Cut(resource, "/")
	host, _, _ = strings.Cut(host, ":")
	return fold(strings.TrimSuffix(host, "."))
}

// newCredential draws 256 random bits and spells them with a prefix that tells what was found when
// one turns up somewhere.
func newCredential(prefix string) seal.Plaintext {
	raw := make(seal.Plaintext, 32)
	rand.Read(raw) // never fails
	defer raw.Zero()
	return strictBase64.AppendEncode(seal.Plaintext(prefix), raw)
}

const (
	clientSecretPrefix  = "kqs."
	operatorTokenPrefix = "kq."
	credentialDigits    = 43 // base64url of 256 bits
)
