package node

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
)

// A joinKey makes MACs under the key that shares give: the member's seal.Root, the joiner's
// seal.Opener.
type joinKey interface {
	JoinMAC(parts ...[]byte) ([]byte, error)
}

// A joinProof is what both sides of one join can compute because both were given shares. It is
// bound to the cluster, the joiner and one nonce. Each side proves itself: the answer that the
// joiner was given shares, the admission that it comes from the cluster and not from somebody with
// a certificate for its name (decision 17).
type joinProof struct {
	key                 joinKey
	clusterID, serverID string
	nonce               []byte
}

// answer is the joiner's proof, over what it asks for.
func (p joinProof) answer(csr []byte, clusterAddr string) ([]byte, error) {
	hash := sha256.Sum256(csr)
	return p.mac("answer", hash[:], []byte(clusterAddr))
}

// admission is the cluster's proof, over what it gives.
func (p joinProof) admission(a Admission) ([]byte, error) {
	return p.mac("admission", a.Certificate, a.CA, a.GossipKey, a.SealRecord, a.Trust)
}

// mask turns the gossip keys, one after the other, into what travels, and back: nobody who reads
// the connection learns them.
func (p joinProof) mask(gossipKeys []byte) ([]byte, error) {
	keys, err := splitGossip(gossipKeys) // of the mask's size, as it happens
	if err != nil || len(keys) > maxGossipKeys {
		return nil, errors.New("node: join: the gossip keys have a wrong length")
	}
	var masked []byte
	for i, key := range keys {
		mask, err := p.mac("gossip key", []byte{byte(i)})
		if err != nil {
			return nil, err
		}
		subtle.XORBytes(mask, key, mask)
		masked = append(masked, mask...)
	}
	return masked, nil
}

// accept checks an admission and returns the gossip keys, one after the other.
func (p joinProof) accept(a Admission) (gossipKeys []byte, err error) {
	want, err := p.admission(a)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal(want, a.Proof) {
		return nil, errors.New("node: join: the admission does not come from a node that was given this cluster's shares")
	}
	return p.mask(a.GossipKey)
}

// mac has a label first, so that no proof of one kind is one of another.
func (p joinProof) mac(label string, parts ...[]byte) ([]byte, error) {
	bound := [][]byte{[]byte(label), []byte(p.clusterID), []byte(p.serverID), p.nonce}
	return p.key.JoinMAC(append(bound, parts...)...)
}
