package raftfix

import (
	"errors"
	"runtime"

	"github.com/hashicorp/raft"
)

// A lastStable ends Raft's goroutine when its term can't be stored. Raft itself would panic there:
// the process would end with a dump of its goroutines in the place of the sentence that says which
// disk failed. The store says so to the member, which stops; until it has, its Raft takes part in
// nothing.
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

// Start starts Raft on this transport, once. It stores its term when it starts too, so it has a
// goroutine of its own to end.
func (t *Transport) Start(config *raft.Config, machine raft.FSM, logs raft.LogStore,
	stable raft.StableStore, snapshots raft.SnapshotStore) (r *raft.Raft, err error) {
	done, err := make(chan struct{}), errors.New("raftfix: its term can't be stored")
	go func() {
		defer close(done)
		r, err = raft.NewRaft(config, machine, logs, lastStable{stable, &t.terms}, snapshots, t)
	}()
	<-done
	if err != nil {
		return nil, err
	}
	t.terms.raft.Store(r)
	t.config.Go(t.keepSpares)
	return r, nil
}
