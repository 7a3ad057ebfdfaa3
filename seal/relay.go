package seal

import (
	"bytes"
	"crypto/hpke"
	"encoding/binary"
	"errors"
)

// errRelay: what came is not a share that was sealed for this request.
var errRelay = errors.New("seal: not a share that was relayed for this request")

// A ShareRequest is how a sealed member takes one unseal share from another member, which its
// holder gave there. As in a [Handover], the key is made for this one request and is nowhere but in
// this memory. Who may ask is the caller's to see to.
type ShareRequest struct {
	unprintable

	info    []byte
	private hpke.PrivateKey // made inside Do
}

// NewShareRequest is a request by the member of an id, for a share of a lock.
func NewShareRequest(l Lock, nodeID string) (r *ShareRequest, err error) {
	r = &ShareRequest{info: l.relayInfo(nodeID)}
	Do(func() { r.private, err = handoverKEM().GenerateKey() })
	return r, err
}

// Public is what the member that has the share gets.
func (r *ShareRequest) Public() []byte { return r.private.PublicKey().Bytes() }

// Share opens what [Lock.SealShare] made for this request. Whether it is a share of the lock only a
// [Ceremony] says: anybody can seal for a public key.
func (r *ShareRequest) Share(sealed []byte) (share Plaintext, err error) {
	Do(func() {
		share, err = hpke.Open(r.private, hpke.HKDFSHA256(), hpke.AES256GCM(), r.info, sealed)
		if err != nil || len(share) != shareSize {
			share, err = nil, errRelay
		}
	})
	return share, err
}

// SealShare seals a share for the member of an id that made the public key of a request.
func (l Lock) SealShare(nodeID string, public []byte, share Plaintext) (sealed []byte, err error) {
	to, err := handoverKEM().NewPublicKey(public)
	if err != nil {
		return nil, errRelay
	}
	Do(func() {
		sealed, err = hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(), l.relayInfo(nodeID), share)
	})
	return bytes.Clone(sealed), err // outside Do: it is no secret
}

// relayInfo binds what travels to the shares and to who gets it. The id comes last, and alone has
// no fixed length.
func (l Lock) relayInfo(nodeID string) []byte {
	info := append([]byte(labelRelay), l.ClusterID[:]...)
	return append(binary.BigEndian.AppendUint64(info, l.Generation), nodeID...)
}
