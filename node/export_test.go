package node

import (
	"time"

	"keyquorum/cluster"
)

// Prove is the MAC of a joiner that was given this unsealed node's shares.
func (n *Node) Prove(serverID string, nonce, csr []byte, address string) []byte {
	mac, err := joinProof{n.keys.Load().root, n.member.Load().identity.ClusterID, serverID,
		nonce}.answer(csr, address)
	if err != nil {
		panic(err)
	}
	return mac
}

// Nonces makes and checks challenges.
type Nonces struct{ inner nonces }

func NewNonces() *Nonces { return &Nonces{newNonces()} }

func (n *Nonces) Make(serverID string, now time.Time) []byte { return n.inner.make(serverID, now) }

func (n *Nonces) Valid(serverID string, nonce []byte, now time.Time) bool {
	return n.inner.valid(serverID, nonce, now)
}

// HandRootKey answers a member's request that was signed by this node, with the key of a term.
func (n *Node) HandRootKey(signedFor, from string, term uint32, r cluster.RootKeyRequest) ([]byte,
	error) {
	message, err := r.Message(signedFor)
	if err == nil {
		r.KeyTerm = term
		r.Signature, err = n.keys.Load().keyring.SignUnder(term, message)
	}
	if err != nil {
		panic(err)
	}
	return n.handRootKey(from, r)
}
