package prove

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
)

// A made is a version that answers have shown.
type made struct {
	write int32
	id    string
	key   point // zero until an answer has shown it, and with secrets
}

// learn notes which write made a version, and says so if another answer has said otherwise. id is
// the version's URL.
func (r *Run) learn(o *object, id string, write int32, key point) error {
	if write <= 0 {
		return fmt.Errorf("version %s is without the tag that it was made with", id)
	}
	r.mu.Lock()
	known := r.writes[id]
	r.writes[id] = write
	r.mu.Unlock()
	if known != 0 && known != write {
		return fmt.Errorf("version %s is of write %d, and of write %d in another answer", id, write,
			known)
	}
	return o.learn(made{write, id[strings.LastIndexByte(id, '/')+1:], key})
}

func (o *object) learn(m made) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.made, func(known made) bool { return known.write == m.write })
	if i < 0 {
		o.made = append(o.made, m)
		return nil
	}
	known := &o.made[i]
	switch {
	case known.id != m.id:
		return fmt.Errorf("write %d made version %s, and version %s", m.write, known.id, m.id)
	case m.key == point{}:
	case known.key == point{}:
		known.key = m.key
	case known.key != m.key:
		return fmt.Errorf("the version of write %d has another public key than in another answer",
			m.write)
	}
	return nil
}

// writeOf is the write that made a version, 0 if that is not known.
func (r *Run) writeOf(id string) int32 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writes[id]
}

func (o *object) versionID(write int32) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	i := slices.IndexFunc(o.made, func(m made) bool { return m.write == write })
	return o.made[i].id
}

// someVersion is the latest as often as one that a write is known to have made, purged ones among
// them.
func (o *object) someVersion(rng *rand.Rand) int32 {
	if len(o.made) == 0 || rng.IntN(2) == 0 {
		return 0
	}
	return o.made[rng.IntN(len(o.made))].write
}
