package storage_test

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/hashicorp/raft"

	"keyquorum/storage"
)

// A contents is all that Raft can see of a folder.
type contents struct {
	First, Last uint64
	Log         map[uint64]string // each entry, as text
	Stable      map[string]string
	Snapshots   []uint64 // indexes of those that are listed; their states are whole
	Scrubbed    uint64
}

var stableKeys = []string{"CurrentTerm", "LastVoteTerm", "LastVoteCand"}

// show reads a folder's contents.
func show(s *storage.Store) (c contents, err error) {
	c = contents{Log: map[uint64]string{}, Stable: map[string]string{}, Scrubbed: s.Scrubbed()}
	var err1, err2, err3 error
	c.First, err1 = s.Logs().FirstIndex()
	c.Last, err2 = s.Logs().LastIndex()
	c.Snapshots, err3 = showSnapshots(s)
	if err := errors.Join(err1, err2, err3); err != nil {
		return c, err
	}
	return c, errors.Join(c.showStable(s), c.showLog(s))
}

func (c contents) showStable(s *storage.Store) error {
	for _, key := range stableKeys {
		value, err := s.Stable().Get([]byte(key))
		if err == nil {
			c.Stable[key] = string(value)
		} else if err.Error() != "not found" {
			return err
		}
	}
	return nil
}

// showLog also looks beside the log's ends.
func (c contents) showLog(s *storage.Store) error {
	for i := max(c.First, 1) - 1; i <= c.Last+1; i++ {
		var l raft.Log
		if err := s.Logs().GetLog(i, &l); err == nil {
			c.Log[i] = entryText(&l)
		} else if !errors.Is(err, raft.ErrLogNotFound) {
			return err
		}
	}
	return nil
}

func entryText(l *raft.Log) string {
	return fmt.Sprintf("%d %v %.20q (%d) %q", l.Term, l.Type, l.Data, len(l.Data), l.Extensions)
}

func showSnapshots(s *storage.Store) (indexes []uint64, err error) {
	metas, err := s.Snapshots().List()
	for _, m := range metas {
		_, state, stateErr := readState(s, m.ID)
		if stateErr == nil && string(state) != string(snapshotState(m.Index)) {
			stateErr = fmt.Errorf("snapshot %s is not what was written", m.ID)
		}
		err = errors.Join(err, stateErr)
		indexes = append(indexes, m.Index)
	}
	return indexes, err
}

// String is short: of each entry index and term.
func (c contents) String() string {
	log := ""
	for _, i := range slices.Sorted(maps.Keys(c.Log)) {
		term, _, _ := strings.Cut(c.Log[i], " ")
		log += fmt.Sprintf(" %d@%s", i, term)
	}
	return fmt.Sprintf("log %d to %d:%s, stable %v, snapshots %v, scrubbed to %d",
		c.First, c.Last, log, c.Stable, c.Snapshots, c.Scrubbed)
}

func (c contents) equal(other contents) bool { return reflect.DeepEqual(c, other) }

func (c contents) clone() contents {
	c.Log, c.Stable, c.Snapshots = maps.Clone(c.Log), maps.Clone(c.Stable), slices.Clone(c.Snapshots)
	return c
}

// next is the entry that may follow.
func (c contents) next() *raft.Log {
	if len(c.Snapshots) > 0 {
		return entry(max(c.Last, c.Snapshots[0]) + 1)
	}
	return entry(c.Last + 1)
}

// An operation is something that Raft asks of storage, and what may then be in the folder.
type operation struct {
	what string
	do   func(*storage.Store) error // nil: close the store and open it again
	// steps lead from the contents before to those after. A crash leaves what is before, between or
	// behind them.
	steps []func(*contents)
}

// legal are the contents that a crash may leave while o is under way; the first is before it, the
// last after it.
func (o operation) legal(before contents) []contents {
	all := []contents{before}
	for _, step := range o.steps {
		c := all[len(all)-1].clone()
		step(&c)
		all = append(all, c)
	}
	return all
}

func storing(logs ...*raft.Log) operation {
	return operation{
		what: fmt.Sprintf("store %d to %d", logs[0].Index, logs[len(logs)-1].Index),
		do:   func(s *storage.Store) error { return s.Logs().StoreLogs(logs) },
		steps: []func(*contents){func(c *contents) {
			for _, l := range logs {
				c.Log[l.Index] = entryText(l)
			}
			c.ends()
		}},
	}
}

func deleting(low, high uint64) operation {
	return operation{
		what:  fmt.Sprintf("delete %d to %d", low, high),
		do:    func(s *storage.Store) error { return s.Logs().DeleteRange(low, high) },
		steps: []func(*contents){func(c *contents) { c.delete(low, high) }},
	}
}

func (c *contents) delete(low, high uint64) {
	maps.DeleteFunc(c.Log, func(i uint64, _ string) bool { return low <= i && i <= high })
	c.ends()
}

// ends finds first and last index.
func (c *contents) ends() {
	c.First, c.Last = 0, 0
	if indexes := slices.Sorted(maps.Keys(c.Log)); len(indexes) > 0 {
		c.First, c.Last = indexes[0], indexes[len(indexes)-1]
	}
}

func setting(key, value string) operation {
	return operation{
		what:  "set " + key,
		do:    func(s *storage.Store) error { return s.Stable().Set([]byte(key), []byte(value)) },
		steps: []func(*contents){func(c *contents) { c.Stable[key] = value }},
	}
}

// snapshotting is a snapshot that this node takes itself: its log holds the last entry.
func snapshotting(index uint64) operation {
	return operation{
		what: fmt.Sprintf("snapshot %d", index),
		do: func(s *storage.Store) error {
			var last raft.Log
			if err := s.Logs().GetLog(index, &last); err != nil {
				return err
			}
			_, err := takeSnapshotAt(s, index, last.Term, snapshotState(index))
			return err
		},
		steps: []func(*contents){func(c *contents) { c.place(index) }},
	}
}

// installing is a snapshot that a leader sends: the log does not hold its last entry. What it holds
// below goes too, in the same step: a process that opens the folder between the two sees to it.
func installing(index, term uint64) operation {
	return operation{
		what: fmt.Sprintf("install %d", index),
		do: func(s *storage.Store) error {
			_, err := takeSnapshotAt(s, index, term, snapshotState(index))
			return err
		},
		steps: []func(*contents){func(c *contents) {
			c.place(index)
			c.delete(0, index)
		}},
	}
}

func (c *contents) place(snapshot uint64) {
	c.Snapshots = append([]uint64{snapshot}, c.Snapshots[:min(1, len(c.Snapshots))]...)
}

// scrubbing is seen by what it keeps: nothing of that changes.
func scrubbing(index uint64) operation {
	return operation{
		what: fmt.Sprintf("scrub to %d", index),
		do:   func(s *storage.Store) error { return s.Scrub(index) },
		steps: []func(*contents){
			func(c *contents) { c.Snapshots = c.Snapshots[:min(1, len(c.Snapshots))] },
			func(c *contents) { c.Scrubbed = index },
		},
	}
}

// scrubbingWhile does another operation when a step of the scrub is about to be done. What that one
// leaves is acknowledged before the scrub is.
func scrubbingWhile(index uint64, op, path string, o operation) operation {
	scrub := scrubbing(index)
	steps := slices.Concat(scrub.steps[:1], o.steps)
	return operation{
		what: scrub.what + " and " + o.what,
		do: func(s *storage.Store) error {
			meanwhile = func(step fileStep, dir string) error {
				if step.Op != op || step.Path != path {
					return nil
				}
				meanwhile = nil
				return errors.Join(o.do(s), noteIn(dir, traceNote{Passed: len(steps)}))
			}
			err := scrub.do(s)
			if meanwhile != nil {
				err = errors.Join(err, fmt.Errorf("there was no step %s %s", op, path))
			}
			return err
		},
		steps: append(steps, scrub.steps[1]),
	}
}

// meanwhile, if set, is called before each step of the file layer.
var meanwhile func(step fileStep, dir string) error

// of gives entries another term and data: those of another leader.
func of(term uint64, logs []*raft.Log) []*raft.Log {
	for _, l := range logs {
		l.Term, l.Data = term, fmt.Appendf(nil, "of term %d", term)
	}
	return logs
}

// large gives entries n bytes of data.
func large(n int, logs []*raft.Log) []*raft.Log {
	for _, l := range logs {
		l.Data = append(l.Data, make([]byte, n)...)
	}
	return logs
}

// workload is a member's life in short.
var workload = []operation{
	setting("CurrentTerm", "1"),
	storing(entries(1, 1)...),
	storing(entries(2, 2)...),
	setting("CurrentTerm", "2"),
	setting("LastVoteTerm", "2"),
	setting("LastVoteCand", "n2"),
	storing(entries(3, 20)...),
	storing(large(9000, entries(21, 22))...), // a page with its overflow
	storing(entries(23, 60)...),
	deleting(41, 60), // a tail in conflict with the new leader's
	scrubbing(1),     // before there is any snapshot
	setting("CurrentTerm", "3"),
	storing(of(3, entries(41, 50))...),
	snapshotting(30),
	deleting(1, 20),                                 // compaction
	storing(large(7000, of(3, entries(51, 56)))...), // the file grows
	snapshotting(45),
	deleting(21, 40),
	scrubbingWhile(40, "create", "scrubbed.json.tmp", storing(of(3, entries(57, 58))...)),
	scrubbingWhile(41, "write", "raft.db.tmp", deleting(57, 58)),
	snapshotting(55),
	{what: "open again"},
	setting("LastVoteTerm", "3"),
	setting("LastVoteCand", "n3"),
	storing(of(3, entries(57, 57))...),
	installing(5000, 4), // far ahead of this log
	storing(of(4, entries(5001, 5010))...),
	deleting(5009, 5010),
	storing(of(5, entries(5009, 5020))...),
	snapshotting(5008),
	deleting(5001, 5008),
	installing(5015, 6), // among entries that nobody took
	deleting(5016, 5020),
	storing(of(6, entries(5016, 5018))...),
	snapshotting(5018),   // the oldest is removed
	deleting(5016, 5018), // the whole log
	scrubbing(5018),
	storing(of(6, entries(5019, 5021))...),
}
