package vault

import (
	"context"
	"slices"
	"time"

	"keyquorum/vault/access"
)

// A CryptoResult is what a key operation gives. Name is as first spelt, Version the one that was
// used.
type CryptoResult struct {
	Name, Version string
	Cipher        // a signature has a Value alone
}

// A use is a row of the table of what can be done with a key.
type use struct {
	verb
	op     keyOp
	window bool // only from nbf until exp; what undoes an earlier use is allowed for ever, as in Azure
}

var (
	useSign    = use{verb{operation: "keys/sign", action: access.KeysSign, secret: true}, opSign, true}
	useVerify  = use{verb{operation: "keys/verify", action: access.KeysVerify}, opVerify, false}
	useEncrypt = use{verb{operation: "keys/encrypt", action: access.KeysEncrypt}, opEncrypt, true}
	useDecrypt = use{verb{operation: "keys/decrypt", action: access.KeysDecrypt, secret: true}, opDecrypt,
		false}
	useWrap   = use{verb{operation: "keys/wrapKey", action: access.KeysWrapKey}, opWrapKey, true}
	useUnwrap = use{verb{operation: "keys/unwrapKey", action: access.KeysUnwrapKey, secret: true},
		opUnwrapKey, false}
)

// Sign signs a digest of exactly the length of the algorithm's hash. The private key never leaves
// this call.
func (v *Vaults) Sign(ctx context.Context, c Caller, name, version, alg string,
	digest []byte) (CryptoResult, error) {
	return v.use(ctx, c, useSign, target{name, version}, alg,
		func(a *algorithm, m material) (out Cipher, err error) {
			if err = a.checkDigest("value", digest); err == nil {
				out.Value, err = a.sign(m, digest)
			}
			return out, err
		}, input{"value", digest})
}

// Verify says whether the signature is the key's over the digest. A wrong signature of whatever
// length is false, not an error.
func (v *Vaults) Verify(ctx context.Context, c Caller, name, version, alg string, digest,
	signature []byte) (bool, error) {
	var good bool
	_, err := v.use(ctx, c, useVerify, target{name, version}, alg,
		func(a *algorithm, m material) (none Cipher, err error) {
			if err = a.checkDigest("digest", digest); err == nil {
				good = a.verify(m, digest, signature)
			}
			return none, err
		}, input{"digest", digest}, input{"value", signature})
	return good && err == nil, err
}

// Encrypt enciphers a plaintext that is short enough for the key and the algorithm.
func (v *Vaults) Encrypt(ctx context.Context, c Caller, name, version, alg string,
	in Cipher) (CryptoResult, error) {
	return v.encipher(ctx, c, useEncrypt, target{name, version}, alg, in)
}

// Decrypt deciphers. All that does not decrypt is refused in the same words (400 BadParameter).
func (v *Vaults) Decrypt(ctx context.Context, c Caller, name, version, alg string,
	in Cipher) (CryptoResult, error) {
	return v.decipher(ctx, c, useDecrypt, target{name, version}, alg, in)
}

// WrapKey is Encrypt under a permission and a key operation of its own.
func (v *Vaults) WrapKey(ctx context.Context, c Caller, name, version, alg string,
	in Cipher) (CryptoResult, error) {
	return v.encipher(ctx, c, useWrap, target{name, version}, alg, in)
}

// UnwrapKey is Decrypt under a permission and a key operation of its own.
func (v *Vaults) UnwrapKey(ctx context.Context, c Caller, name, version, alg string,
	in Cipher) (CryptoResult, error) {
	return v.decipher(ctx, c, useUnwrap, target{name, version}, alg, in)
}

func (v *Vaults) encipher(ctx context.Context, c Caller, u use, t target, alg string,
	in Cipher) (CryptoResult, error) {
	return v.use(ctx, c, u, t, alg, func(a *algorithm, m material) (Cipher, error) {
		return a.encrypt(m, in)
	}, input{"value", in.Value})
}

func (v *Vaults) decipher(ctx context.Context, c Caller, u use, t target, alg string,
	in Cipher) (CryptoResult, error) {
	return v.use(ctx, c, u, t, alg, func(a *algorithm, m material) (Cipher, error) {
		return a.decrypt(m, in)
	}, input{"value", in.Value})
}

// An input is what a use works on: nil was not given, and is refused. What is given may be empty.
type input struct {
	property string
	bytes    []byte
}

// use carries out one use of a key: state first, then whether the algorithm fits and all inputs are
// given, then f (decision 10).
func (v *Vaults) use(ctx context.Context, c Caller, u use, t target, alg string,
	f func(*algorithm, material) (Cipher, error), inputs ...input) (CryptoResult, error) {
	return perform(ctx, v, c, u.verb, t, func(d *decision) (CryptoResult, error) {
		o, err := keyCollection.find(d, t.name, t.version)
		if err != nil {
			return CryptoResult{}, err
		}
		k, err := d.key(o)
		if err != nil {
			return CryptoResult{}, err
		}
		if err = u.allowed(&k.record, d.now); err != nil {
			return CryptoResult{}, err
		}
		a, err := algorithmFor(alg, u.op, k)
		if err != nil {
			return CryptoResult{}, err
		}
		if a.weak && !d.vault.WeakAlgorithms {
			return CryptoResult{}, badParameter("The algorithm %s is switched off in this vault.", a.name)
		}
		if err := d.allowedBare(c, a, u.op, &k.record); err != nil {
			return CryptoResult{}, err
		}
		for _, in := range inputs {
			if in.bytes == nil {
				return CryptoResult{}, missing(in.property)
			}
		}
		if k.slow() {
			if err := d.turn.take(); err != nil {
				return CryptoResult{}, err
			}
			defer d.turn.give()
		}
		out, err := f(a, k.material)
		v.cfg.Counts.note(a, u.op, err)
		return CryptoResult{Name: o.head.Name, Version: o.version, Cipher: out}, err
	})
}

// allowedBare holds AES-CBC to all that it can be used for. Its IV is the caller's, so that a block
// that is encrypted is the bare cipher of whatever the caller likes, and one that is decrypted its
// inverse. Who has the first can undo AES-GCM by hand, and wrap; who has the second can unwrap. So
// the key must be for that, and the caller must have the right to it.
func (d *decision) allowedBare(c Caller, a *algorithm, op keyOp, r *keyRecord) error {
	if a.scheme != aesCBC && a.scheme != aesCBCPad {
		return nil
	}
	worth := []use{useUnwrap}
	if op == opEncrypt {
		worth = []use{useDecrypt, useWrap}
	}
	for _, u := range worth {
		has := slices.Contains(r.Ops, string(u.op))
		switch {
		case !has && u.op == opDecrypt:
			return forbidden("KeyOperationForbidden",
				"Operation %s with %s is not permitted on this key, since decrypt isn't.", op, a.name)
		case has && !d.allowed.Has(u.action):
			return d.deny(c, u.action)
		}
	}
	return nil
}

// key gives the version that was found, from the cache if it was opened before.
func (d *decision) key(o object) (*openedKey, error) {
	path, s := o.versionPath(), stamp{d.view.Generation(), o.record.Mod}
	if k, ok := d.v.parsed.find(path, s); ok {
		return k, nil
	}
	record, err := d.open(path, o.record)
	if err != nil {
		return nil, err
	}
	defer record.Zero()
	k, err := openKey(record)
	if err != nil {
		return nil, damaged(path)
	}
	d.v.parsed.keep(path, s, k)
	return k, nil
}

// allowed holds a use to the state of the version: enabled, then its times, key_ops last.
func (u use) allowed(r *keyRecord, now time.Time) error {
	a := &r.Attributes
	switch {
	case !a.Enabled:
		return forbidden("KeyDisabled", "Operation %s is not allowed on a disabled key.", u.op)
	case u.window && a.NotBefore != nil && now.Unix() < *a.NotBefore:
		return forbidden("KeyNotYetValid",
			"Operation %s is not allowed on a key before its not-before time.", u.op)
	case u.window && a.Expires != nil && now.Unix() >= *a.Expires:
		return forbidden("KeyExpired", "Operation %s is not allowed on an expired key.", u.op)
	case !slices.Contains(r.Ops, string(u.op)):
		return forbidden("KeyOperationForbidden", "Operation %s is not permitted on this key.", u.op)
	}
	return nil
}
