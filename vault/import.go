package vault

import (
	"context"

	"keyquorum/seal"
	"keyquorum/vault/access"
)

// A JWK is a private or symmetric key from outside (RFC 7517); numbers are big-endian. What is not
// given is nil. HSM is Azure's key_hsm, a key that was wrapped for a key of this vault (byok.go);
// then nothing else of the key is given.
type JWK struct {
	Kty, Crv       string
	N, E, D, P, Q  []byte
	DP, DQ, QI     []byte
	X, Y, K        []byte
	HSM            []byte
	Ops            []string
	HardwareBacked bool // Azure's Hsm: the kty is kept with "-HSM"
}

var importKey = verb{operation: "keys/import", action: access.KeysImport, writes: true}

// ImportKey adds a version with a key that the caller brings, and with the first one the key. The
// JWK is the caller's to clear.
func (v *Vaults) ImportKey(ctx context.Context, c Caller, name string, j *JWK, ch Change) (Key,
	error) {
	ch.KeyOps = j.Ops
	kty := j.Kty
	if j.HardwareBacked && baseType(kty) == kty {
		kty += hsmSuffix
	}
	return v.addKey(ctx, c, importKey, name, func(d *decision, _ object) (newKey, error) {
		ops, err := defaultOps(kty)
		if err != nil {
			return newKey{}, err
		}
		r, err := keyRecord{Kty: kty, Ops: ops}.begin(ch, newAttributes(ch, d.now))
		if err != nil {
			return newKey{}, err
		}
		if r.exchanges() {
			return newKey{}, badValue("key.key_ops",
				"a key that others are wrapped with is made here, so that nobody outside has it")
		}
		unwrap, err := d.wrappingKey(j)
		if err != nil {
			return newKey{}, err
		}
		return newKey{record: r, make: func() (private seal.Plaintext, public PublicKey, err error) {
			seal.Do(func() {
				var m material
				if m, err = j.material(unwrap); err == nil {
					private, public, err = halves(m, kty)
				}
			})
			return private, public, err
		}}, nil
	})
}

// defaultOps are the key_ops of a key of this type that says nothing of them.
func defaultOps(kty string) ([]string, error) {
	shape, err := shapeFor(KeySpec{Kty: kty})
	if err != nil {
		return nil, badProperty("key.kty")
	}
	return shape.ops, nil
}

// material builds the key. unwrap opens what is wrapped, and is nil where nothing is.
func (j *JWK) material(unwrap func() ([]byte, error)) (material, error) {
	if unwrap != nil {
		return j.unwrapped(unwrap)
	}
	switch baseType(j.Kty) {
	case "RSA":
		return importRSA(j)
	case "EC":
		return importEC(j)
	default:
		return importOct(j)
	}
}
