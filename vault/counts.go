package vault

import "sync/atomic"

// Counts are what a node's domain has done since the node was opened: they go on when it is sealed
// and unsealed.
type Counts struct {
	crypto     map[cryptoKind]*cryptoCount // filled by NewCounts and never changed
	unrecorded atomic.Uint64
}

// A cryptoKind is an operation with an algorithm.
type cryptoKind struct {
	algorithm *algorithm
	op        keyOp
}

type cryptoCount struct{ done, refused atomic.Uint64 }

// NewCounts has a counter for whatever the table of algorithms allows, so that counting takes no
// lock.
func NewCounts() *Counts {
	c := &Counts{crypto: map[cryptoKind]*cryptoCount{}}
	for i := range algorithms {
		for _, op := range algorithms[i].ops {
			c.crypto[cryptoKind{&algorithms[i], op}] = new(cryptoCount)
		}
	}
	return c
}

// note counts one use of a key that was found, allowed, and fits the algorithm.
func (c *Counts) note(a *algorithm, op keyOp, err error) {
	count := c.crypto[cryptoKind{a, op}]
	if err == nil {
		count.done.Add(1)
	} else {
		count.refused.Add(1)
	}
}

// A CryptoCount is how often an operation was carried out with an algorithm, a verification that
// found a wrong signature too, and how often it could not be: a digest of the wrong length, a
// ciphertext that does not decrypt.
type CryptoCount struct {
	Operation, Algorithm string // "sign", "ES256"
	Done, Refused        uint64
}

// Crypto has an entry for each operation and algorithm that there is, in the table's order.
func (c *Counts) Crypto() (all []CryptoCount) {
	for i := range algorithms {
		a := &algorithms[i]
		for _, op := range a.ops {
			count := c.crypto[cryptoKind{a, op}]
			all = append(all, CryptoCount{string(op), a.name, count.done.Load(), count.refused.Load()})
		}
	}
	return all
}

// Unrecorded is how many refusals left no usage record, because more came than may be recorded.
func (c *Counts) Unrecorded() uint64 { return c.unrecorded.Load() }
