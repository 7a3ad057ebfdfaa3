package cluster

import (
	"runtime"

	"github.com/hashicorp/raft"
)

// A lastStable ends Raft's goroutine when its term can't be stored. Raft itself would panic there: the process would end with a dump
// of its goroutines in the place of the sentence that says which disk failed. The store's Failed is closed by then, so the node
// stops; until it has, this member takes part in nothing.
type lastStable struct{ raft.StableStore }

func (s lastStable) SetUint64(key []byte, value uint64) error {
	err := s.StableStore.SetUint64(key, value)
	if err != nil {
		runtime.Goexit()
	}
	return err
}
