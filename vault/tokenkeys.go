package vault

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"time"

	"keyquorum/audit"
	"keyquorum/seal"
)

// The key that signs access tokens can be changed at any time. Its successor signs from then on; it
// goes on verifying until the last token that it can have signed is over, and then a pass of the
// sweep drops it. Who believes that the key has leaked drops it at once: then all tokens end, and
// applications get others.

const (
	maxTokenKeys = 16
	// tokenKeyRest is for how long a key verifies after its successor was made: the life of a
	// token, and the clocks of who signed it, who verifies it, who made the successor and who drops
	// the key, which may all differ.
	tokenKeyRest = tokenLife + 5*tokenSkew
)

// errTokenKeyGone is answered to a token whose key does not verify any more, or never did.
var errTokenKeyGone = &Error{Kind: Unauthenticated, Code: "Unauthorized", Inner: TokenKeyGone,
	Message: "Error validating token: IDX10503: Signature validation failed. " +
		"The key that it was signed with is not, or no longer, one of this cluster's."}

// TokenKeyGone is the inner code of a refusal that another token of the same application does not
// meet.
const TokenKeyGone = "TokenKeyGone"

// TokenKeys are the keys of access tokens as an operator may know them.
type TokenKeys struct {
	ID    string // of the newest, which signs
	Since time.Time
	Older int // that still verify
}

func tokenKeysOf(records []tokenKeyRecord) TokenKeys {
	newest := records[len(records)-1]
	return TokenKeys{ID: newest.ID, Since: time.Unix(newest.Created, 0).UTC(), Older: len(records) - 1}
}

// RotateTokenKey gives the key that signs access tokens a successor. With forget none of the older
// ones verifies any more. Conflict when there are too many that do.
func (v *Vaults) RotateTokenKey(ctx context.Context, o Operator, forget bool) (TokenKeys, error) {
	w := adminVerb{operation: "admin/rotate/token-key", writes: true}
	object := ""
	if forget {
		object = "forget"
	}
	return performAdmin(ctx, v, o, w, "", object, func(d *decision) (TokenKeys, error) {
		d.relieves = true // after a leak it can't wait
		keep := maxTokenKeys - 1
		if forget {
			keep = 0
		}
		return d.changeTokenKeys(func(keys []tokenKeyRecord) (from int, err error) {
			if !forget && len(keys) > keep {
				return 0, conflict("TooManyTokenKeys",
					"Too many older keys still verify tokens: wait until they are over, or forget them.")
			}
			return max(0, len(keys)-keep), nil
		}, true)
	})
}

// TokenKeyStatus describes the keys of access tokens.
func (v *Vaults) TokenKeyStatus(ctx context.Context, o Operator) (TokenKeys, error) {
	return performAdmin(ctx, v, o, adminVerb{operation: "admin/rotation/token-key"}, "", "",
		func(d *decision) (TokenKeys, error) {
			keys, err := d.tokenKeys()
			if err != nil {
				return TokenKeys{}, err
			}
			return tokenKeysOf(keys.records), nil
		})
}

// changeTokenKeys keeps the keys from an index on, and adds one where one more is wanted.
func (d *decision) changeTokenKeys(from func([]tokenKeyRecord) (int, error), more bool) (TokenKeys,
	error) {
	r, ok := d.read(tokenKeysPath)
	if !ok {
		return TokenKeys{}, damaged(tokenKeysPath)
	}
	old, err := d.open(tokenKeysPath, r)
	if err != nil {
		return TokenKeys{}, err
	}
	defer old.Zero()
	record, scalars, err := decodeRecord[tokenKeysRecord](old)
	if err != nil || len(record.Keys) == 0 || len(scalars) != scalarSize*len(record.Keys) {
		return TokenKeys{}, damaged(tokenKeysPath)
	}
	i, err := from(record.Keys)
	if err != nil {
		return TokenKeys{}, err
	}
	record.Keys, scalars = record.Keys[i:], scalars[i*scalarSize:]
	var next seal.Plaintext
	if more {
		next, err = addTokenKey(&record, scalars, d.now)
	} else {
		next, err = encodeRecord(record, scalars)
	}
	if err != nil {
		return TokenKeys{}, err
	}
	return tokenKeysOf(record.Keys), d.put(tokenKeysPath, next)
}

// newTokenKeys gives the record of a cluster's first token key.
func newTokenKeys(now time.Time) (seal.Plaintext, error) {
	return addTokenKey(&tokenKeysRecord{}, nil, now)
}

// addTokenKey gives a record with one key more than record has, whose scalars are those.
func addTokenKey(record *tokenKeysRecord, scalars []byte, now time.Time) (encoded seal.Plaintext,
	err error) {
	seal.Do(func() {
		var key *ecdsa.PrivateKey
		if key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return
		}
		var scalar seal.Plaintext
		if scalar, err = key.Bytes(); err != nil {
			return
		}
		defer scalar.Zero()
		record.Keys = append(record.Keys, tokenKeyRecord{ID: randomHex(16), Created: now.Unix()})
		encoded, err = encodeRecord(*record, scalars, scalar)
	})
	return encoded, err
}

// restedTokenKeys says how many of the oldest keys have signed no token that is still good.
func restedTokenKeys(keys []tokenKeyRecord, now time.Time) int {
	n := 0
	for n < len(keys)-1 && !now.Before(time.Unix(keys[n+1].Created, 0).Add(tokenKeyRest)) {
		n++
	}
	return n
}

// tokenKeys drops those that have rested long enough.
func (p *pass) tokenKeys() error {
	keys, err := p.look().tokenKeys()
	if err != nil || restedTokenKeys(keys.records, p.v.cfg.Now()) == 0 {
		return err
	}
	return p.do(&audit.Entry{Operation: "admin/token-keys/drop"}, func(d *decision) error {
		_, err := d.changeTokenKeys(func(keys []tokenKeyRecord) (int, error) {
			n := restedTokenKeys(keys, d.now)
			if n == 0 {
				return 0, errNotDue
			}
			return n, nil
		}, false)
		return err
	})
}
