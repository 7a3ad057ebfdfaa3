package vault

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"hash"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/tink-crypto/tink-go/v2/kwp/subtle"

	"keyquorum/seal"
	"keyquorum/vault/access"
)

// A ReleaseRequest asks for a key to be handed to an environment that proves what it is. Target is
// its attestation: a JWT of an authority that the key's release policy names, with the
// environment's public key among its claims. Enc is how the key is wrapped for that, "" for
// CKM_RSA_AES_KEY_WRAP. Payload writes the answer that is signed: wrapped is a key transfer blob.
type ReleaseRequest struct {
	Target, Enc string
	Payload     func(k Key, wrapped []byte) []byte
}

var releaseKey = verb{operation: "keys/release", action: access.KeysRelease}

// releaseHashes are the OAEP hashes of the ways to wrap.
var releaseHashes = map[string]func() hash.Hash{
	"":                     sha1.New,
	transferWrap:           sha1.New,
	"RSA_AES_KEY_WRAP_256": sha256.New,
	"RSA_AES_KEY_WRAP_384": sha512.New384,
}

// ReleaseKey wraps a version for an attested environment, and gives a compact JWS (RFC 7515) of
// what r.Payload says. The keys of the authority are fetched before the decision, and only of one
// that the policy names: nobody without the right to set policies makes a node call anywhere.
func (v *Vaults) ReleaseKey(ctx context.Context, c Caller, name, version string,
	r ReleaseRequest) (string, error) {
	keys, fetchErr := v.authorityKeys(ctx, c, target{name, version}, r.Target)
	return perform(ctx, v, c, releaseKey, target{name, version}, func(d *decision) (string, error) {
		o, err := keyCollection.find(d, name, version)
		if err != nil {
			return "", err
		}
		answer, err := keyCollection.answer(d, o)
		if err != nil {
			return "", err
		}
		if !answer.Attributes.Enabled {
			return "", forbidden("KeyDisabled", "Operation release is not allowed on a disabled key.")
		}
		if r.Target == "" {
			return "", missing("target")
		}
		rules, err := releaseRules(&answer)
		if err != nil {
			return "", err
		}
		newHash, ok := releaseHashes[r.Enc]
		if !ok {
			return "", badProperty("enc")
		}
		if fetchErr != nil {
			return "", fetchErr
		}
		environment, err := attested(rules, keys, r.Target, d.now)
		if err != nil {
			return "", err
		}
		return d.release(o, &answer, environment, newHash, r)
	})
}

func releaseRules(k *Key) ([]policyRule, error) {
	if !k.Exportable || k.Release == nil || slices.Contains(k.Ops, string(opImport)) {
		return nil, badParameter("The key has no release policy.")
	}
	return parsePolicy(k.Release.Data)
}

// authorityKeys fetches the keys of the target's authority, if the key's policy names it. What else
// is wrong is left to the decision, which is what gets a usage record.
func (v *Vaults) authorityKeys(ctx context.Context, c Caller, t target,
	token string) (*jose.JSONWebKeySet, error) {
	var authority, kid string
	_, _ = v.settle(ctx, c.Fenced, false, func(d *decision) error {
		authority, kid = "", ""
		if err := d.admit(c, releaseKey, t); err != nil {
			return err
		}
		o, err := keyCollection.find(d, t.name, t.version)
		if err != nil {
			return err
		}
		k, err := keyCollection.answer(d, o)
		if err != nil {
			return err
		}
		rules, err := releaseRules(&k)
		if err == nil {
			authority, kid = claimedAuthority(rules, token)
		}
		return err
	})
	if authority == "" {
		return nil, errTarget
	}
	if v.cfg.AuthorityKeys == nil {
		return nil, badParameter("This node is not configured to ask attestation authorities for their keys.")
	}
	set, err := v.cfg.AuthorityKeys(ctx, authority, kid)
	if err != nil {
		return nil, unavailable("AuthorityUnreachable",
			"The keys of the attestation authority "+authority+" could not be fetched.")
	}
	var keys jose.JSONWebKeySet
	if json.Unmarshal(set, &keys) != nil {
		return nil, unavailable("AuthorityUnreachable",
			"The attestation authority "+authority+" answered with something else than its keys.")
	}
	return &keys, nil
}

var errTarget = badParameter("Property target is not an attestation that satisfies the key's release policy.")

// attestationAlgorithms are those that attestations may be signed with.
var attestationAlgorithms = []jose.SignatureAlgorithm{jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512}

// claimedAuthority is the authority among the policy's that the token says it is of, and the name
// of the key that it says it is signed with, before its signature is looked at.
func claimedAuthority(rules []policyRule, token string) (authority, kid string) {
	signed, err := parseAttestation(token)
	if err != nil {
		return "", ""
	}
	var c struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(signed.UnsafePayloadWithoutVerification(), &c) != nil {
		return "", ""
	}
	i := slices.IndexFunc(rules,
		func(r policyRule) bool { return sameAuthority(r.Authority, c.Issuer) })
	if i < 0 {
		return "", ""
	}
	return rules[i].Authority, signed.Signatures[0].Protected.KeyID
}

// sameAuthority compares two URLs. A slash at the end means nothing, nor does case in scheme and
// host.
func sameAuthority(a, b string) bool { return AuthorityName(a) == AuthorityName(b) }

// AuthorityName is the one spelling of an attestation authority's URL: scheme and host in lower
// case (RFC 3986 section 6.2.2.1), no slash at the end. What is no URL is itself.
func AuthorityName(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address
	}
	u.Host = strings.ToLower(u.Host) // Parse has lowered the scheme
	return strings.TrimSuffix(u.String(), "/")
}

func parseAttestation(token string) (*jose.JSONWebSignature, error) {
	if len(token) > maxAttestation {
		return nil, errTarget
	}
	return jose.ParseSignedCompact(token, attestationAlgorithms)
}

const (
	maxAttestation  = 48 << 10        // bytes
	attestationSkew = 5 * time.Minute // of the authority's clock
)

// attested verifies an attestation and gives the environment's public key, if a rule of its
// authority is satisfied.
func attested(rules []policyRule, keys *jose.JSONWebKeySet, token string,
	now time.Time) (*rsa.PublicKey, error) {
	claims, err := verifiedClaims(keys, token)
	if err != nil {
		return nil, errTarget
	}
	var c struct {
		Issuer    string   `json:"iss"`
		NotBefore *float64 `json:"nbf"`
		Expires   *float64 `json:"exp"`
		Runtime   struct {
			Keys []jose.JSONWebKey `json:"keys"`
		} `json:"x-ms-runtime"`
	}
	var all map[string]any
	d := json.NewDecoder(bytes.NewReader(claims))
	d.UseNumber()
	if json.Unmarshal(claims, &c) != nil || d.Decode(&all) != nil {
		return nil, errTarget
	}
	if c.Expires == nil || !now.Before(time.Unix(int64(*c.Expires), 0).Add(attestationSkew)) ||
		c.NotBefore != nil && now.Before(time.Unix(int64(*c.NotBefore), 0).Add(-attestationSkew)) {
		return nil, badParameter("Property target is an attestation that has expired, or is not valid yet.")
	}
	for i := range rules {
		if sameAuthority(rules[i].Authority, c.Issuer) && rules[i].satisfied(all) {
			return environmentKey(c.Runtime.Keys)
		}
	}
	return nil, errTarget
}

func verifiedClaims(keys *jose.JSONWebKeySet, token string) ([]byte, error) {
	signed, err := parseAttestation(token)
	if err != nil {
		return nil, err
	}
	for _, key := range keys.Key(signed.Signatures[0].Protected.KeyID) {
		if payload, err := signed.Verify(key); err == nil {
			return payload, nil
		}
	}
	return nil, errTarget
}

func environmentKey(keys []jose.JSONWebKey) (*rsa.PublicKey, error) {
	for _, k := range keys {
		if key, ok := k.Key.(*rsa.PublicKey); ok && k.Use != "sig" && key.N.BitLen() >= 2048 &&
			key.N.BitLen() <= 4096 {
			return key, nil
		}
	}
	return nil, badParameter("Property target has no RSA key of 2048 to 4096 bits in x-ms-runtime.keys to wrap the key for.")
}

// release wraps the private half for the environment and signs the answer with the key that signs
// access tokens.
func (d *decision) release(o object, answer *Key, environment *rsa.PublicKey,
	newHash func() hash.Hash, r ReleaseRequest) (string, error) {
	k, err := d.key(o)
	if err != nil {
		return "", err
	}
	var ciphertext []byte
	withPrivate(func() { ciphertext, err = transferTo(environment, newHash(), k.material) })
	if err != nil {
		return "", err
	}
	blob := transferBlob{Schema: transferSchema, Ciphertext: strictBase64.EncodeToString(ciphertext)}
	blob.Header.KID, blob.Header.Alg, blob.Header.Enc = "environment", "dir", r.Enc
	if r.Enc == "" {
		blob.Header.Enc = transferWrap
	}
	wrapped, err := json.Marshal(blob)
	if err != nil {
		return "", err
	}
	keys, err := d.tokenKeys()
	if err != nil {
		return "", err
	}
	return signCompact(keys.releases, r.Payload(*answer, wrapped))
}

// transferTo is the inverse of openTransfer.
func transferTo(to *rsa.PublicKey, h hash.Hash, m material) ([]byte, error) {
	private, err := exported(m)
	if err != nil {
		return nil, err
	}
	defer private.Zero()
	kek := make([]byte, transferKey)
	defer clear(kek)
	rand.Read(kek)
	sealedKey, err := rsa.EncryptOAEP(h, rand.Reader, to, kek, nil)
	if err != nil {
		return nil, err
	}
	wrap, err := subtle.NewKWP(kek)
	if err != nil {
		return nil, err
	}
	sealed, err := wrap.Wrap(private)
	return append(sealedKey, sealed...), err
}

// exported is a key as others read it: PKCS #8, or the bytes of a symmetric one.
func exported(m material) (seal.Plaintext, error) {
	if k, ok := m.(koblitzKey); ok {
		return k.pkcs8()
	}
	return m.encode()
}
