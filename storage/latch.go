package storage

// A latch is a mutex. Unlike those of package sync it lets the clock of a synctest bubble go on
// while somebody waits for it: whoever holds it may wait for a disk that is slow on purpose
// (Store.Gate).
type latch chan struct{}

func newLatch() latch { return make(latch, 1) }

func (l latch) Lock()   { l <- struct{}{} }
func (l latch) Unlock() { <-l }
