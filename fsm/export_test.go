package fsm

import "errors"

// ComputedDigest returns the digest that a snapshot should have carried, when that is all that Restore found wrong.
func ComputedDigest(err error) (computed [32]byte, ok bool) {
	var e digestError
	ok = errors.As(err, &e)
	return e.computed, ok
}

// Directories is how many directories the state remembers.
func Directories(v View) int { return v.state.directories.Len() }

// Gates is how many indexes are waited for.
func Gates(f *FSM) int { return len(f.waiters.next) }
