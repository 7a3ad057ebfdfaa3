package testcluster

import (
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"keyquorum/fsm"
)

// take works out what stood and what stands.
func (l *Loot) take() (err error) {
	m, err := l.machine()
	if err != nil {
		return err
	}
	l.now, l.digestAt = m.View(), m.DigestAt
	for _, snapshot := range slices.Backward(l.Snapshots) {
		s, err := decodeState(snapshot.State)
		if err != nil {
			return err
		}
		l.Old = append(l.Old, s.records...)
		for _, e := range s.tail {
			if e.kind == tailCommand {
				l.command(e.index, e.data)
			}
		}
	}
	for _, e := range l.Entries {
		if e.Type == raft.LogCommand {
			l.command(e.Index, e.Data)
		}
	}
	slices.SortStableFunc(l.Old, func(a, b Record) int { return int(int64(a.Mod) - int64(b.Mod)) })
	return nil
}

// command takes one that may have been applied.
func (l *Loot) command(index uint64, data []byte) {
	t, err := decodeTxn(data)
	if err != nil || !signedIn(data, l.line()) {
		return // somebody was here before
	}
	for _, w := range t.Writes {
		if !w.Delete {
			l.Old = append(l.Old, Record{w.Path, w.Logical, index, w.Value})
		}
	}
}

// Dated is a transaction with the digest that the state had at its base, where that is known.
func (l Loot) Dated(t Txn) Txn {
	t.Digest, _ = l.digestAt(t.Base)
	return t
}

// line is that of the transaction keys, as far as he knows it.
func (l Loot) line() fsm.Line {
	if line := l.now.Line(); len(line) > len(l.trust.Line) {
		return line
	}
	return l.trust.Line
}

// Now is the record that stands at path.
func (l Loot) Now(path string) (Record, bool) {
	r, ok := l.now.Get(path)
	return Record{path, r.Logical, r.Mod, r.Value}, ok
}

// Paths are those below prefix at which something stood, in order, once each.
func (l Loot) Paths(prefix string) (paths []string) {
	for _, r := range l.Old {
		if strings.HasPrefix(r.Path, prefix) {
			paths = append(paths, r.Path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// First is the oldest version of what stood at path.
func (l Loot) First(path string) (Record, bool) {
	i := slices.IndexFunc(l.Old, func(r Record) bool { return r.Path == path })
	if i < 0 {
		return Record{}, false
	}
	return l.Old[i], true
}

// Last is the newest entry.
func (l Loot) Last() raft.Log {
	if len(l.Entries) == 0 {
		return raft.Log{}
	}
	return l.Entries[len(l.Entries)-1]
}

// Signed are the entries of the log that an unsealed member signed, oldest first.
func (l Loot) Signed() (all [][]byte) {
	line := l.line()
	for _, e := range l.Entries {
		if e.Type == raft.LogCommand && signedIn(e.Data, line) {
			all = append(all, e.Data)
		}
	}
	return all
}

// Changes are those that changed the members, and who these were then, oldest first.
func (l Loot) Changes() (entries [][]byte, members []fsm.Members) {
	for _, data := range l.Signed() {
		t, err := decodeTxn(data)
		if err != nil || t.Verb != verbChange {
			continue
		}
		for _, w := range t.Writes {
			if m, err := fsm.DecodeMembers(w.Value); err == nil && w.Path == PathMembers {
				entries, members = append(entries, data), append(members, m)
			}
		}
	}
	return entries, members
}

// signed is one of them; dice says which of n.
func (l Loot) signed(dice func(n int) int) ([]byte, bool) {
	all := l.Signed()
	if len(all) == 0 {
		return nil, false
	}
	return all[dice(len(all))], true
}

// Entry is the entry at an index.
func (l Loot) Entry(index uint64) (raft.Log, bool) {
	i := slices.IndexFunc(l.Entries, func(e raft.Log) bool { return e.Index == index })
	if i < 0 {
		return raft.Log{}, false
	}
	return l.Entries[i], true
}

// held is what the product's state machine makes of the newest snapshot and the log behind it.
func (l Loot) held() (fsm.View, error) {
	m, err := l.machine()
	return m.View(), err
}

func (l Loot) machine() (*fsm.FSM, error) {
	var snapshot []byte
	var from uint64
	if len(l.Snapshots) > 0 {
		snapshot, from = l.Snapshots[0].State, l.Snapshots[0].Meta.Index
	}
	behind := slices.IndexFunc(l.Entries, func(e raft.Log) bool { return e.Index > from })
	if behind < 0 {
		behind = len(l.Entries)
	}
	return machine(l.trust.Line, snapshot, l.Entries[behind:])
}

// Kept is a true snapshot of what the folder makes.
func (l Loot) Kept() ([]byte, error) {
	m, err := l.machine()
	if err != nil {
		return nil, err
	}
	return kept(m)
}

// Forget makes of a snapshot one of a later index, as if nothing that counts had followed.
func (l Loot) Forget(snapshot []byte, until uint64) ([]byte, error) {
	m, err := machine(l.trust.Line, snapshot, nil)
	for index := m.View().Index() + 1; index <= until && err == nil; index++ {
		m.Apply(&raft.Log{Index: index, Term: 1, Type: raft.LogCommand, Data: []byte("nothing")})
	}
	if err != nil {
		return nil, err
	}
	return kept(m)
}

// Records are all records that node i holds, by path: what the product's state machine makes of a
// copy of its folder.
func (c *Cluster) Records(i int) map[string]fsm.Record {
	c.t.Helper()
	loot, err := c.copyMember(i)
	c.must(err)
	view, err := loot.held()
	c.must(err)
	all := map[string]fsm.Record{}
	for path, r := range view.Scan("", "") {
		all[path] = r
	}
	return all
}

// members are the ids of the servers in the newest configuration.
func (l Loot) members() (ids []string) {
	var newest raft.Configuration
	if len(l.Snapshots) > 0 {
		newest = l.Snapshots[0].Meta.Configuration
	}
	for _, e := range l.Entries {
		if e.Type == raft.LogConfiguration {
			newest = decodeConfiguration(e.Data)
		}
	}
	for _, s := range newest.Servers {
		ids = append(ids, string(s.ID))
	}
	return ids
}
