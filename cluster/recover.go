package cluster

import (
	"bufio"
	"errors"
	"time"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
	"keyquorum/storage"
)

// What is left of a cluster that has lost its majority is in the folders of members. Whatever is in
// a log may have been acknowledged, so all of it counts: an entry that was not is one whose client
// was told that nobody knows.

// A Remnant is what a folder holds, when no member is asked.
type Remnant struct {
	FSM         *fsm.FSM
	Index, Term uint64    // of the newest entry
	Appended    time.Time // when the leader had that entry, by its clock; zero: it is in a snapshot
	CurrentTerm uint64    // that the member was in
}

// Replay reads a folder: its newest snapshot, and the log behind it. trust is what the folder's
// member trusts.
func Replay(store *storage.Store, trust Trust) (r Remnant, err error) {
	var fatal error
	r.FSM = fsm.New(fsm.Options{
		Anchor: trust.Line, Place: trust.Place, OnFatal: func(err error) { fatal = err },
	})
	if r.CurrentTerm, err = store.Stable().GetUint64(keyTerm); err != nil {
		return r, err
	}
	if r.Index, r.Term = store.NewestSnapshot(); r.Index > 0 {
		if err := restoreNewest(store, r.FSM); err != nil {
			return r, err
		}
	}
	first, err := store.Logs().FirstIndex()
	if err != nil {
		return r, err
	}
	last, err := store.Logs().LastIndex()
	if err != nil {
		return r, err
	}
	newest, err := replay(store.Logs(), max(first, r.FSM.View().Index()+1), last,
		func(entries []*raft.Log) { r.FSM.ApplyBatch(entries) })
	if newest.Index > r.Index {
		r.Index, r.Term, r.Appended = newest.Index, newest.Term, newest.AppendedAt
	}
	if err = errors.Join(err, fatal); err == nil && len(r.FSM.View().Members()) == 0 {
		err = errors.New("cluster: nothing in the folder was signed by the cluster that it trusts")
	}
	return r, err
}

func restoreNewest(store *storage.Store, f *fsm.FSM) error {
	list, err := store.Snapshots().List()
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return errors.New("cluster: the newest snapshot is gone")
	}
	_, state, err := store.Snapshots().Open(list[0].ID)
	if err != nil {
		return err
	}
	defer state.Close()
	return f.Restore(state)
}

// FoundFrom fills the store of the one member of a cluster that goes on from a state: with its
// snapshot, in a term above all that the cluster before was in.
func FoundFrom(store *storage.Store, f *fsm.FSM, term uint64) error {
	view := f.View()
	configuration, at := view.Configuration()
	if !view.Members().Matches(configuration) {
		return errors.New("cluster: the members of the state are not its configuration")
	}
	if err := store.Stable().SetUint64(keyTerm, term); err != nil {
		return err
	}
	sink, err := store.Snapshots().Create(raft.SnapshotVersionMax, view.Index(), term, configuration,
		at,
		nil)
	if err != nil {
		return err
	}
	out := bufio.NewWriterSize(sink, 64<<10)
	if err := errors.Join(view.WriteSnapshot(out), out.Flush()); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}
