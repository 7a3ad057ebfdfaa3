// Package schedule keeps snapshots of a cluster by a schedule: when one is due, under which name it
// is kept, which older ones go, and when one that failed is tried again. Where they are kept is a
// Store: a Folder, or what package s3 below has.
//
// Time is cut into intervals of the same length from the zero time on, UTC: those of 6 hours begin
// at 0, 6, 12 and 18 o'clock. Each interval has one snapshot, which is due when it begins and has
// that time in its name. So whoever leads sees by the names alone whether there is something to do.
// A new leader needs to be told nothing, two that lead for a moment can't keep two, and a node whose
// clock was wrong keeps no later leader from its work.
//
// A cluster that was recovered, or has gone back to a snapshot, has another History, which stands in
// the names too. So the one of before is none of the interval's, is not written over, and a new one
// is taken at once.
package schedule

import (
	"context"
	"errors"
	"io"
	"time"
)

// Least is the shortest interval.
const Least = time.Minute

// A Plan says how often a snapshot is due, where it is kept, and for how long. One without stores
// is no schedule.
type Plan struct {
	Every   time.Duration // at least Least
	Keep    int           // how many of the newest stay; 0: not by number
	KeepFor time.Duration // for how long one stays; 0: not by age
	Stores  []Store
}

// A Store keeps snapshots by their names. Each method ends with its context, as far as the system
// below it lets it.
type Store interface {
	// Kind is one word for metrics, and String says to people where it is.
	Kind() string
	String() string

	// List names the snapshots of all clusters that are there, in no order.
	List(ctx context.Context) ([]Kept, error)

	// Put keeps what write writes, as a whole or not at all: it is on stable storage, and check has
	// read it back from there, before it counts. It first removes what is left of earlier calls for
	// that cluster that did not end. The error is ErrThere where the name is taken.
	Put(ctx context.Context, name Name, write func(io.Writer) error,
		check func(io.Reader) error) (bytes int64, err error)

	// Get writes a snapshot to w.
	Get(ctx context.Context, name Name, w io.Writer) error

	// Remove is done where the snapshot is gone already.
	Remove(ctx context.Context, name Name) error
}

// ErrThere: a snapshot of that name is kept already.
var ErrThere = errors.New("schedule: that snapshot is kept already")

// Kept is a snapshot in a store.
type Kept struct {
	Name
	Bytes int64
}
