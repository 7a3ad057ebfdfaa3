package fsm

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
)

// A sum is a homomorphic hash of a set of elements (LtHash: 1024 lanes of 16 bits, added modulo
// 2^16): adding and taking away elements in any order gives the same sum as hashing the set from
// scratch, and finding two sets with one sum is a short-vector problem even for who chooses the
// elements. An element is expanded to its 2048 bytes by AES-256-CTR under its SHA-256, from a zero
// counter: as good as a random function below 2^64 blocks, and five times faster here than SHAKE128
// (DESIGN.md).
type sum struct {
	lanes [256]uint64 // four lanes to a word, the first one lowest
	pad   [2048]byte  // scratch
}

// highBits are the topmost bits of the lanes of a word: carries and borrows stop there.
const highBits = 0x8000_8000_8000_8000

func (s *sum) add(element []byte) {
	s.expand(element)
	for i, x := range s.lanes {
		y := binary.LittleEndian.Uint64(s.pad[8*i:])
		s.lanes[i] = ((x &^ highBits) + (y &^ highBits)) ^ ((x ^ y) & highBits)
	}
}

func (s *sum) subtract(element []byte) {
	s.expand(element)
	for i, x := range s.lanes {
		y := binary.LittleEndian.Uint64(s.pad[8*i:])
		s.lanes[i] = ((x | highBits) - (y &^ highBits)) ^ ((x ^ ^y) & highBits)
	}
}

func (s *sum) expand(element []byte) {
	key := sha256.Sum256(element)
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // a key of 32 bytes is always taken
	}
	var counter [aes.BlockSize]byte
	clear(s.pad[:])
	cipher.NewCTR(block, counter[:]).XORKeyStream(s.pad[:], s.pad[:])
}

// digestLabel keeps this hash apart from every other SHA-256.
const digestLabel = "keyquorum state digest v1\n"

// digest hashes the sum and what is not an element.
func (s *sum) digest(index, generation uint64) [32]byte {
	var b [len(digestLabel) + 16 + 2048]byte
	n := copy(b[:], digestLabel)
	binary.BigEndian.PutUint64(b[n:], index)
	binary.BigEndian.PutUint64(b[n+8:], generation)
	for i, x := range s.lanes {
		binary.LittleEndian.PutUint64(b[n+16+8*i:], x)
	}
	return sha256.Sum256(b[:])
}
