package seal

import (
	"crypto/rand"
	"encoding/binary"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

// Init makes a new root key and splits its key-encryption key into n shares (33 bytes each), any t of which open it.
// It returns ErrSplit when n and t don't go together. The caller hands the shares out and zeroes them.
func Init(clusterID [16]byte, n, t int) (record Record, shares []Plaintext, root *Root, err error) {
	if err := checkSplit(n, t); err != nil {
		return Record{}, nil, nil, err
	}
	Do(func() {
		root = newRoot(clusterID, randomKey())
		record, shares, err = split(root, Record{ClusterID: clusterID, Shares: n, Threshold: t, Generation: 1})
	})
	if err != nil {
		return Record{}, nil, nil, err
	}
	return record, shares, root, nil
}

// split draws a scalar, shares it out, and completes r with a hash of each share and the root key
// wrapped under the scalar.
func split(root *Root, r Record) (Record, []Plaintext, error) {
	scalar := group.Ristretto255.RandomNonZeroScalar(rand.Reader)
	sharing := secretsharing.New(rand.Reader, uint(r.Threshold-1), scalar)
	shares := make([]Plaintext, r.Shares)
	for i := range shares {
		id := byte(i + 1)
		share, err := encodeShare(id, sharing.ShareWithID(shareID(id)))
		if err != nil {
			return Record{}, nil, err
		}
		shares[i] = share
		r.shareHashes += r.hashShare(share)
	}
	wrap, err := kekBox(scalar, r)
	if err != nil {
		return Record{}, nil, err
	}
	sealed, err := wrap.seal(nil, root.key[:], r.header())
	if err != nil {
		return Record{}, nil, err
	}
	r.wrappedRoot = string(sealed)
	return r, shares, nil
}

// kekBox derives the key-encryption key, bound to cluster and generation, from the shared scalar.
func kekBox(scalar group.Scalar, r Record) (*box, error) {
	b, err := scalar.MarshalBinary()
	if err != nil {
		return nil, err
	}
	kek, err := derive(b, labelKEK, r.ClusterID[:], binary.BigEndian.AppendUint64(nil, r.Generation))
	if err != nil {
		return nil, err
	}
	return newBox(kek, labelRoot)
}

func randomKey() *[keySize]byte {
	key := new([keySize]byte)
	_, _ = rand.Read(key[:]) // never fails: crypto/rand stops the program instead
	return key
}
