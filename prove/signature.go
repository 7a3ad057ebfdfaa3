package prove

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"math/big"
)

// A signature is what a version of a key made of a digest.
type signature struct {
	kid           string // the version's URL
	version       int32  // the id of the write that made the version; 0 while no answer has shown it
	digest, value string
}

// A point is a P-256 public key, its coordinates as a JSON Web Key spells them (RFC 7518 section
// 6.2.1).
type point struct{ x, y string }

// keep keeps a signature, so that some node is asked to verify it.
func (o *object) keep(s *signature) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.signature = s
}

// keyOf is the public key of the version that a write made, zero if no answer has shown it.
func (o *object) keyOf(write int32) point {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.made {
		if m.write == write {
			return m.key
		}
	}
	return point{}
}

// resolved is the history of an object with what all answers together show of its signatures.
func (r *Run) resolved(o *object) []*operation {
	ops := o.history()
	for i, op := range ops {
		if op.reply.signed != nil {
			better := *op
			better.reply = r.signedBy(o, op.reply.signed)
			ops[i] = &better
		}
	}
	return ops
}

// signedBy says which version made a signature, once it is clear that its key did. The cluster is
// not asked: a node that signs with a key that is none of the version's verifies with it, too.
func (r *Run) signedBy(o *object, s *signature) reply {
	write := r.writeOf(s.kid)
	if write == 0 {
		return reply{word: done, version: somebody}
	}
	if key := o.keyOf(write); key != (point{}) && !key.verifies(s) {
		return reply{word: strange, note: "the signature is none of the key of write " + ordinal(write)}
	}
	return reply{word: done, version: write}
}

// verifies says whether a signature is the key's (ES256, RFC 7518 section 3.4).
func (p point) verifies(s *signature) bool {
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(),
		append(append([]byte{4}, decoded(p.x)...), decoded(p.y)...))
	value := decoded(s.value)
	if err != nil || len(value) != 64 {
		return false
	}
	return ecdsa.Verify(key, decoded(s.digest), new(big.Int).SetBytes(value[:32]),
		new(big.Int).SetBytes(value[32:]))
}

// decoded is what base64url without padding spells, nil if it is none.
func decoded(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return nil
	}
	return b
}
