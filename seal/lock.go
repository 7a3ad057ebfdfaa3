package seal

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

const (
	lockMagic     = "KQLK"
	formatVersion = 1 // of lock and record
	lockHead      = len(lockMagic) + 1 + 16 + 8 + 1 + 1
	shareHashSize = sha256.Size
)

// ErrLock says that bytes are no lock, or one of a version that this program does not know.
var ErrLock = errors.New("seal: not a lock")

// A Lock is what a seal record says of its shares, without what they open. Strangers may have it:
// it tells whether a share is right, and nothing of what the share is. It is a value, as [Record]
// is.
type Lock struct {
	ClusterID  [16]byte
	Shares     int    // shares that were made, 1 to 255
	Threshold  int    // shares that open
	Generation uint64 // 1 for the shares made at init, one more with each rekey

	shareHashes string // of each share, in the order of their ids from 1
}

// Encode returns the one encoding of l (docs/formats-seal.md).
func (l Lock) Encode() []byte { return l.appendTo([]byte(lockMagic)) }

// DecodeLock reads what Encode wrote. Its errors are ErrLock with what is wrong.
func DecodeLock(b []byte) (Lock, error) {
	l, _, err := decodeLock(b, lockMagic, 0, ErrLock)
	return l, err
}

// appendTo appends all of l but the magic, which a lock and a record have each its own.
func (l Lock) appendTo(b []byte) []byte {
	b = append(b, formatVersion)
	b = append(b, l.ClusterID[:]...)
	b = binary.BigEndian.AppendUint64(b, l.Generation)
	b = append(b, byte(l.Shares), byte(l.Threshold))
	return append(b, l.shareHashes...)
}

// decodeLock reads a magic, a lock, and the tail of that many bytes behind it. What is wrong it
// says under the name of what was to be decoded.
func decodeLock(b []byte, magic string, tail int, name error) (l Lock, rest []byte, err error) {
	if len(b) < lockHead || string(b[:len(magic)]) != magic {
		return Lock{}, nil, name
	}
	if v := b[len(magic)]; v != formatVersion {
		return Lock{}, nil, fmt.Errorf("%w of version %d; this program knows version %d", name, v,
			formatVersion)
	}
	l = decodeHead(b[len(magic)+1:])
	if CheckSplit(l.Shares, l.Threshold) != nil || l.Generation == 0 {
		return Lock{}, nil, fmt.Errorf("%w: threshold %d of %d shares, generation %d",
			name, l.Threshold, l.Shares, l.Generation)
	}
	hashes := lockHead + l.Shares*shareHashSize
	if len(b) != hashes+tail {
		return Lock{}, nil, fmt.Errorf("%w: %d bytes where %d belong", name, len(b), hashes+tail)
	}
	l.shareHashes = string(b[lockHead:hashes])
	return l, b[hashes:], nil
}

func decodeHead(b []byte) Lock {
	return Lock{
		ClusterID:  [16]byte(b[:16]),
		Generation: binary.BigEndian.Uint64(b[16:24]),
		Shares:     int(b[24]),
		Threshold:  int(b[25]),
	}
}

// issued says whether raw, of shareSize bytes, is the share that was made with its id.
func (l Lock) issued(raw []byte) bool {
	at := (int(raw[0]) - 1) * shareHashSize
	if at < 0 || at+shareHashSize > len(l.shareHashes) {
		return false
	}
	return l.shareHashes[at:at+shareHashSize] == l.hashShare(raw)
}

// hashShare commits to a share, bound to cluster and generation. A share is 252 random bits, so its
// hash hides it from whoever may search with whatever machine. It runs inside Do.
func (l Lock) hashShare(raw []byte) string {
	b := append([]byte(labelShare), l.context()...)
	sum := sha256.Sum256(append(b, raw...))
	return string(sum[:])
}

// context is what everything that comes of the shares is bound to.
func (l Lock) context() []byte {
	return binary.BigEndian.AppendUint64(l.ClusterID[:], l.Generation)
}

// CheckSplit returns ErrSplit where there can't be n shares of which t open. It refuses 1 of many:
// each share would be the key itself, in many hands.
func CheckSplit(n, t int) error {
	if n < 1 || n > maxShares || t < 1 || t > n || (t == 1 && n > 1) {
		return ErrSplit
	}
	return nil
}
