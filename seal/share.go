package seal

import (
	"errors"

	"github.com/cloudflare/circl/group"
	"github.com/cloudflare/circl/secretsharing"
)

const (
	scalarSize = 32
	shareSize  = 1 + scalarSize
	maxShares  = 255 // the id is one byte, and never zero
)

// Share errors, told apart so that the holder knows what is wrong. Progress survives each.
var (
	ErrShareLength    = errors.New("seal: a share is 33 bytes")
	ErrShareMalformed = errors.New("seal: not a share") // id zero, scalar not canonical
	ErrShareForeign   = errors.New("seal: share does not belong to this cluster's current key")
	ErrShareDuplicate = errors.New("seal: share was given already")
	// ErrShareMissing is returned by Ceremony.Open below the threshold.
	ErrShareMissing = errors.New("seal: more shares are needed")
)

// parseShare reads id ‖ scalar: one byte from 1 to 255 and a canonical little-endian scalar (RFC
// 9496 section 4.4).
func parseShare(raw []byte) (secretsharing.Share, error) {
	if len(raw) != shareSize {
		return secretsharing.Share{}, ErrShareLength
	}
	value := group.Ristretto255.NewScalar()
	if err := value.UnmarshalBinary(raw[1:]); err != nil || raw[0] == 0 {
		return secretsharing.Share{}, ErrShareMalformed
	}
	return secretsharing.Share{ID: shareID(raw[0]), Value: value}, nil
}

func encodeShare(id byte, s secretsharing.Share) (Plaintext, error) {
	value, err := s.Value.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return append(Plaintext{id}, value...), nil
}

func shareID(id byte) group.Scalar { return group.Ristretto255.NewScalar().SetUint64(uint64(id)) }
