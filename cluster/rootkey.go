package cluster

import (
	"context"

	"keyquorum/cluster/wire"
)

// The root key of new shares goes from an unsealed member to another, sealed for a key that the
// asker made. Who may ask, and what is in the answer, is the node's to know: this carries it.

// A RootKeyRequest asks for the root key of a generation of shares.
type RootKeyRequest struct {
	_          struct{} `cbor:",toarray"`
	Generation uint64
	Public     []byte // HPKE, of the asker, for this request
	KeyTerm    uint32 // of the transaction key that signs: only who is unsealed has one
	Signature  []byte // Ed25519 over Message
}

const rootKeyLabel = "keyquorum root key v1\n"

// Message is what the member of an id signs to ask.
func (r RootKeyRequest) Message(nodeID string) ([]byte, error) {
	r.KeyTerm, r.Signature = 0, nil
	b, err := wire.Encode(r)
	return append([]byte(rootKeyLabel+nodeID+"\n"), b...), err
}

type rootKeyAnswer struct {
	_      struct{} `cbor:",toarray"`
	Sealed []byte
	Late   bool // the transaction key that signed the request has a successor
}

// AskRootKey asks the other members, one after the other, until take takes what one answers. Late
// says that the asker has missed a change of the keyring.
func (c *Cluster) AskRootKey(
	ctx context.Context, r RootKeyRequest, take func(sealed []byte, late bool) bool,
) error {
	_, err := askAny(ctx, c, "/v1/root-key", r,
		func(a rootKeyAnswer) bool { return take(a.Sealed, a.Late) })
	return err
}

func (c *Cluster) serveRootKey(
	_ context.Context, from string, r RootKeyRequest,
) (rootKeyAnswer, error) {
	if c.HandRootKey == nil {
		return rootKeyAnswer{}, errCantTell
	}
	sealed, late, err := c.HandRootKey(from, r)
	if err != nil {
		return rootKeyAnswer{}, errCantTell // another may, and a stranger learns nothing
	}
	return rootKeyAnswer{Sealed: sealed, Late: late}, nil
}
