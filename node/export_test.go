package node

import (
	"context"
	"time"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
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
	sealed, _, err := n.handRootKey(from, r)
	return sealed, err
}

// View is the state that this node has.
func (n *Node) View() fsm.View { return n.member.Load().cluster.View() }

// RotateOn makes the transaction of a rotation of the keyring, on a view.
func (n *Node) RotateOn(view fsm.View) error {
	_, err := n.keys.Load().rotation(view, fsm.Rotate, false)
	return err
}

// LapseRekey lets the hour of the rekey at this node pass.
func (n *Node) LapseRekey() {
	k := n.keys.Load()
	k.ceremonies.mu.Lock()
	r := k.ceremonies.rekey
	k.ceremonies.mu.Unlock()
	n.lapseRekey(k, r)
}

// FollowSeal follows the state's seal record where the folder has had another, and returns what the
// folder should have then.
func (n *Node) FollowSeal(ctx context.Context, before seal.Record) (after seal.Record, err error) {
	m := n.member.Load()
	m.mirror.Store(&before)
	err = n.followSeal(ctx, m)
	return *m.mirror.Load(), err
}

// EncryptShown encrypts what an init shows.
func EncryptShown(shares []seal.Plaintext, token seal.Plaintext, to InitRecipients) error {
	g := genesis{shares: shares, token: token}
	return g.encryptFor(to)
}

// CommitSealed seals something, does something else, and then commits it.
func (n *Node) CommitSealed(ctx context.Context, between func()) (fsm.Outcome, error) {
	m, k := n.member.Load(), n.keys.Load()
	view := m.cluster.View()
	txn := view.Begin(fsm.Ordinary)
	if err := putSealed(&txn, view, k.keyring, "test", keyringSince{}); err != nil {
		return fsm.Outcome{}, err
	}
	between()
	return m.cluster.Commit(ctx, txn)
}

// RotateWhenDue is what a leader does.
func (n *Node) RotateWhenDue(ctx context.Context) error {
	return n.rotateWhenDue(ctx, n.member.Load(), n.keys.Load())
}

// PostShare has a share wait for a member.
func (n *Node) PostShare(nodeID string, lock seal.Lock, share seal.Plaintext) [16]byte {
	return n.relays.post(waitingShare{nodeID, lock, share})
}

// HandShare answers a member that fetches a share.
func (n *Node) HandShare(from string, r cluster.ShareFetch) ([]byte, error) {
	return n.handShare(from, r)
}
