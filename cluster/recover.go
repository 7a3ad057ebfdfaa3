package cluster

import (
	"bufio"
	"errors"
	"fmt"
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
	Index, Term uint64            // of the newest entry
	Appended    time.Time         // of that entry, by its leader's clock; zero: it is in a snapshot
	CurrentTerm uint64            // that the member was in
	Committed   uint64            // the member knew the log to be committed up to here, at least
	Heard       map[string]uint64 // by node id: what others had told that they had applied
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
	k, err := storedKnown(store.Stable())
	if err != nil {
		return r, err
	}
	r.Committed, r.Heard = k.Committed, make(map[string]uint64, len(k.Heard))
	for _, h := range k.Heard {
		r.Heard[h.Node] = h.Said.Applied
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
	if err == nil && last > r.Index && newest.Index != last {
		err = fmt.Errorf("cluster: the log ends with entry %d, and entry %d is not in it", last,
			newest.Index+1)
	}
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
// snapshot, in a term. Other folders may have been in later ones: ids and keys tell their members
// from this one.
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
