package identity

import (
	"errors"

	"keyquorum/cluster/wire"
	"keyquorum/fsm"
)

// PathNodes holds NodeKeys, in the clear.
const PathNodes = "sys/nodes"

// NodeKeys say which node keys there are to be.
type NodeKeys struct {
	_           struct{} `cbor:",toarray"`
	Generation  uint64
	Authorities [][]byte // certificates that are trusted, newest first: that one certifies
}

const nodeKeysVersion = 1

// Encode is what PathNodes holds.
func (k NodeKeys) Encode() ([]byte, error) {
	b, err := wire.Encode(k)
	return append([]byte{nodeKeysVersion}, b...), err
}

// NodeKeysOf reads PathNodes.
func NodeKeysOf(view fsm.View) (k NodeKeys, err error) {
	r, _ := view.Get(PathNodes)
	return decodeNodeKeys(r.Value)
}

func decodeNodeKeys(b []byte) (k NodeKeys, err error) {
	if len(b) == 0 || b[0] != nodeKeysVersion ||
		wire.Decode(b[1:], &k) != nil || len(k.Authorities) == 0 {
		return NodeKeys{}, errors.New("identity: the record of node keys is missing, or not readable")
	}
	return k, nil
}

// Behind are the members that have yet to get a key of the wanted generation.
func (k NodeKeys) Behind(members fsm.Members) (ids []string) {
	for _, m := range members {
		if m.Generation < k.Generation {
			ids = append(ids, m.ID)
		}
	}
	return ids
}
