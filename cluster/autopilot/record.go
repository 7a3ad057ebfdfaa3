// Package autopilot judges how the members of a cluster are, in the words of Raft's autopilot as
// operators of Vault and OpenBao know it: who is healthy and since when, who may have its vote, and
// who is dead. It is plain data: no clock, no lock, no goroutine, no I/O. Package cluster looks at
// the members, and changes what there is to change by the path of every other change.
package autopilot

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"keyquorum/cluster/wire"
)

// Path holds a Record, in the clear. A cluster that was told nothing has none.
const Path = "sys/autopilot"

const recordVersion = 1

// A Record is what the cluster was told.
type Record struct {
	_      struct{} `cbor:",toarray"`
	Config Config
	// Held are the ids, ascending, of members whose vote was taken away: they don't get it back by
	// themselves.
	Held []string
}

// Config is what operators set.
type Config struct {
	_             struct{} `cbor:",toarray"`
	CleanUp       bool     // remove dead members
	LastContact   time.Duration
	DeadAfter     time.Duration
	MaxTrailing   uint64        // entries
	MinQuorum     uint64        // voters, below which no dead one is removed
	Stabilization time.Duration // for which a member is healthy before it gets its vote
}

// Default is Vault's.
func Default() Config {
	return Config{
		LastContact: 10 * time.Second, DeadAfter: 24 * time.Hour, MaxTrailing: 1000, MinQuorum: 3,
		Stabilization: 10 * time.Second,
	}
}

// Bounds of a Config. Members check in several times a second, so a second's silence says something.
const (
	leastContact = time.Second
	leastDead    = time.Minute
	leastQuorum  = 3 // where the dead are removed
	mostQuorum   = 256
	longest      = 10 * 365 * 24 * time.Hour
)

// Check says what is wrong with a Config, in the names that operators know.
func (c Config) Check() error {
	switch {
	case c.LastContact < leastContact || c.LastContact > longest:
		return fmt.Errorf("last_contact_threshold must be at least %s, and less than ten years",
			leastContact)
	case c.DeadAfter < leastDead || c.DeadAfter > longest:
		return fmt.Errorf("dead_server_last_contact_threshold must be at least %s, "+
			"and less than ten years", leastDead)
	case c.DeadAfter < c.LastContact:
		return errors.New("dead_server_last_contact_threshold must not be less than " +
			"last_contact_threshold")
	case c.Stabilization < 0 || c.Stabilization > longest:
		return errors.New("server_stabilization_time must not be negative, and less than ten years")
	case c.MaxTrailing == 0:
		return errors.New("max_trailing_logs must be at least 1")
	case c.MinQuorum > mostQuorum:
		return fmt.Errorf("min_quorum must be %d at most", mostQuorum)
	case c.CleanUp && c.MinQuorum < leastQuorum:
		return fmt.Errorf("min_quorum must be set when cleanup_dead_servers is, and at least %d",
			leastQuorum)
	}
	return nil
}

// Encode is what Path holds.
func (r Record) Encode() ([]byte, error) {
	b, err := wire.Encode(r)
	return append([]byte{recordVersion}, b...), err
}

// Decode reads what Path holds. An empty value is that of a cluster that was told nothing.
func Decode(b []byte) (r Record, err error) {
	if len(b) == 0 {
		return Record{Config: Default()}, nil
	}
	if b[0] != recordVersion || wire.Decode(b[1:], &r) != nil {
		return Record{}, errors.New("autopilot: the record of its configuration is not readable")
	}
	return r, r.Config.Check()
}

// Holds says whether a member is kept without a vote.
func (r Record) Holds(id string) bool { return slices.Contains(r.Held, id) }

// Hold is the record with a member kept without a vote, or not any more. Who is no member any more
// is forgotten.
func (r Record) Hold(id string, held bool, isMember func(id string) bool) Record {
	list := slices.DeleteFunc(slices.Clone(r.Held), func(other string) bool {
		return other == id || !isMember(other)
	})
	if held {
		list = append(list, id)
		slices.Sort(list)
	}
	r.Held = list
	return r
}

// Equal says whether two records say the same.
func (r Record) Equal(other Record) bool {
	return r.Config == other.Config && slices.Equal(r.Held, other.Held)
}
