// Package latch has a mutex that lets the clock of a synctest bubble go on while somebody waits for
// it: whoever holds it may wait for a disk or a network that is slow on purpose.
package latch

// A Latch is a mutex.
type Latch chan struct{}

// New returns one that nobody holds.
func New() Latch { return make(Latch, 1) }

// Lock waits until nobody else holds the latch, and takes it.
func (l Latch) Lock() { l <- struct{}{} }

// Unlock gives it back.
func (l Latch) Unlock() { <-l }

// TryLock takes the latch if nobody holds it, and says whether it did.
func (l Latch) TryLock() bool {
	select {
	case l <- struct{}{}:
		return true
	default:
		return false
	}
}
