package seal

import (
	"crypto/hpke"
	"encoding/binary"
	"errors"
	"slices"
)

// errHandover: what came is not the root key that was asked for.
var errHandover = errors.New("seal: not a root key that was handed over for this request")

// A Handover is how an unsealed member takes the root key of a later generation from another one.
// It has a key of its own that nothing else is opened with and that is nowhere but in this memory:
// so whoever recorded what travelled, and gets hold of any key or share later, has nothing of it.
// Who may ask is the caller's to see to.
type Handover struct {
	unprintable

	clusterID  [16]byte
	generation uint64
	private    hpke.PrivateKey // made inside Do
}

// handedBytes is the plaintext: root key 32 ‖ join key 32.
const handedBytes = 2 * keySize

// handoverKEM is a hybrid, so that a record of today is no use to a quantum computer either.
func handoverKEM() hpke.KEM { return hpke.MLKEM768X25519() }

// NewHandover is a request for the root key of a generation.
func NewHandover(clusterID [16]byte, generation uint64) (h *Handover, err error) {
	h = &Handover{clusterID: clusterID, generation: generation}
	Do(func() { h.private, err = handoverKEM().GenerateKey() })
	return h, err
}

// Public is what the member that is asked gets.
func (h *Handover) Public() []byte { return h.private.PublicKey().Bytes() }

// Root opens what [Root.HandOver] made for this request. That it is the cluster's root key shows
// when it unwraps the cluster's keyring, and in nothing else: anybody can seal for a public key.
func (h *Handover) Root(sealed []byte) (root *Root, err error) {
	Do(func() { root, err = h.open(sealed) })
	return root, err
}

func (h *Handover) open(sealed []byte) (*Root, error) {
	plain, err := hpke.Open(h.private, hpke.HKDFSHA256(), hpke.AES256GCM(),
		handoverInfo(h.clusterID, h.generation), sealed)
	if err != nil || len(plain) != handedBytes {
		return nil, errHandover
	}
	key, join := [keySize]byte(plain), [keySize]byte(plain[keySize:])
	clear(plain)
	return newRoot(Lock{ClusterID: h.clusterID, Generation: h.generation}, &key, &join), nil
}

// HandOver seals the root key and the join key for whoever made the public key of a request. The
// generation must be the one that was asked for.
func (r *Root) HandOver(generation uint64, public []byte) (sealed []byte, err error) {
	to, err := handoverKEM().NewPublicKey(public)
	if err != nil {
		return nil, errHandover
	}
	err = r.use(func(key []byte) error {
		if r.generation != generation {
			return errGeneration
		}
		plain := slices.Concat(key, r.join[:])
		defer clear(plain)
		sealed, err = hpke.Seal(to, hpke.HKDFSHA256(), hpke.AES256GCM(),
			handoverInfo(r.clusterID, generation), plain)
		return err
	})
	return sealed, err
}

func handoverInfo(clusterID [16]byte, generation uint64) []byte {
	info := append([]byte(labelHandover), clusterID[:]...)
	return binary.BigEndian.AppendUint64(info, generation)
}
