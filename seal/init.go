package seal

import (
	"crypto/rand"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

// Init makes a new root key and splits its key-encryption key into n shares (33 bytes each), any t
// of which open it. It returns ErrSplit when n and t don't go together. The caller hands the shares
// out and zeroes them.
func Init(clusterID [16]byte, n, t int) (record Record, shares []Plaintext, root *Root, err error) {
	return newShares(Lock{ClusterID: clusterID, Shares: n, Threshold: t, Generation: 1})
}

// newShares makes a root key and the shares of l.
func newShares(l Lock) (record Record, shares []Plaintext, root *Root, err error) {
	if err := CheckSplit(l.Shares, l.Threshold); err != nil {
		return Record{}, nil, nil, err
	}
	Do(func() { record, shares, root, err = split(l, randomKey()) })
	if err != nil {
		return Record{}, nil, nil, err
	}
	return record, shares, root, nil
}

// split draws a scalar, shares it out, completes l with a hash of each share, and wraps key.
func split(l Lock, key *[keySize]byte) (Record, []Plaintext, *Root, error) {
	scalar := group.Ristretto255.RandomNonZeroScalar(rand.Reader)
	sharing := secretsharing.New(rand.Reader, uint(l.Threshold-1), scalar)
	shares := make([]Plaintext, l.Shares)
	for i := range shares {
		id := byte(i + 1)
		share, err := encodeShare(id, sharing.ShareWithID(shareID(id)))
		if err != nil {
			return Record{}, nil, nil, err
		}
		shares[i] = share
		l.shareHashes += l.hashShare(share)
	}
	o, err := newOpener(l, scalar)
	if err != nil {
		return Record{}, nil, nil, err
	}
	defer forget(&o.kek)
	r, err := o.wrap(key)
	if err != nil {
		return Record{}, nil, nil, err
	}
	return r, shares, newRoot(l, key, o.join), nil
}

func randomKey() *[keySize]byte {
	key := new([keySize]byte)
	_, _ = rand.Read(key[:]) // never fails: crypto/rand stops the program instead
	return key
}
