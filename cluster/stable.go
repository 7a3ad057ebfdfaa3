package cluster

import (
	"errors"
	"runtime"

	"github.com/hashicorp/raft"
)

// A lastStable ends Raft's goroutine when its term can't be stored. Raft itself would panic there: the process would end with a dump
// of its goroutines in the place of the sentence that says which disk failed. The store's Failed is closed by then, so the node
// stops; until it has, this member takes part in nothing.
type lastStable struct {
	raft.StableStore
	terms *terms
}

// currentTerm is Raft's key for the term it is in.
const currentTerm = "CurrentTerm"

func (s lastStable) SetUint64(key []byte, value uint64) error {
	if string(key) == currentTerm {
		s.terms.enter(value)
	}
	err := s.StableStore.SetUint64(key, value)
	if err != nil {
		runtime.Goexit()
	}
	return err
}

// newRaft starts Raft. It stores its term when it starts too, so it has a goroutine of its own to end.
func (c *Cluster) newRaft(machine raft.FSM, logs raft.LogStore, stable raft.StableStore) (r *raft.Raft, err error) {
	store := c.Store
	done, err := make(chan struct{}), errors.New("its term can't be stored")
	go func() {
		defer close(done)
		r, err = raft.NewRaft(c.raftConfig(), machine, logs, lastStable{stable, c.transport.terms}, store.Snapshots(), c.transport)
	}()
	<-done
	if err != nil {
		return nil, errors.Join(err, store.Err())
	}
	c.transport.terms.raft.Store(r)
	return r, nil
}
