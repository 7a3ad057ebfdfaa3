package seal

import (
	"errors"
	"math"
)

// errGeneration: a root key of the same cluster, and not of a later generation.
var errGeneration = errors.New("seal: not a newer generation of this cluster's root key")

// Rekey makes another root key for the cluster of old, in new shares (33 bytes each) of the next
// generation, as [Init] does for a new cluster. Nothing of one generation opens anything of the
// other: they have neither a scalar nor a root key in common.
func Rekey(old Lock, n, t int) (record Record, shares []Plaintext, root *Root, err error) {
	if old.Generation == math.MaxUint64 {
		return Record{}, nil, nil, ErrRecord
	}
	return newShares(Lock{ClusterID: old.ClusterID, Shares: n, Threshold: t,
		Generation: old.Generation + 1})
}

// Collects says whether the shares of l are those that this ceremony takes.
func (c *Ceremony) Collects(l Lock) bool { return c.record.Lock == l }

// Generation is that of the shares which gave the root key; 0 once closed.
func (r *Root) Generation() uint64 {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if r.key == nil {
		return 0
	}
	return r.generation
}

// Adopt has r be the root key of a later generation from now on: newer, which stays the caller's.
// Calls under way end first, and the older keys are overwritten.
func (r *Root) Adopt(newer *Root) error {
	if r == newer || r.clusterID != newer.clusterID {
		return errGeneration
	}
	newer.mu.RLock()
	defer newer.mu.RUnlock()
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case r.key == nil || newer.key == nil:
		return ErrSealed
	case newer.generation <= r.generation:
		return errGeneration
	}
	Do(func() {
		key, join := *newer.key, *newer.join
		forget(&r.key)
		forget(&r.join)
		r.key, r.join, r.generation = &key, &join, newer.generation
	})
	return nil
}
