package node

import (
	"strconv"
	"time"
)

// A Rotation says where the change of one of the cluster's keys stands.
type Rotation struct {
	ID      string    // of the newest key: a number, or the beginning of a hash
	Since   time.Time // zero: not known
	Older   int       // keys that are still good for what they were used for
	Step    string    // what is done now, "" for nothing
	Waiting []Laggard // members that have yet to follow
}

// A Laggard is a member that others wait for, unless it is away.
type Laggard struct {
	NodeID, Label string
	Answers       bool
}

// KeyringRotation describes the keyring. There is nothing to wait for: whoever meets a new term has it already.
func (n *Node) KeyringRotation() (Rotation, error) {
	s, err := n.KeyStatus()
	if err != nil {
		return Rotation{}, err
	}
	return Rotation{ID: strconv.Itoa(int(s.Term)), Since: s.Since, Older: s.Older}, nil
}
