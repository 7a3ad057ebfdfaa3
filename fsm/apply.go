package fsm

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// apply takes one log entry and returns the Outcome of a command, nil for a configuration. An entry that the state has
// seen already changes nothing. An error leaves the draft as it was, and means that this node must stop: the others
// either understand the entry, or stop at it too.
func (d *draft) apply(l *raft.Log) (any, error) {
	switch l.Type {
	case raft.LogCommand:
		t, err := decodeTxn(l.Data)
		if err != nil {
			return nil, fmt.Errorf("fsm: log entry %d, a transaction: %w", l.Index, err)
		}
		return d.command(l.Index, t), nil
	case raft.LogConfiguration:
		c, err := decodeConfiguration(l.Data)
		if err != nil {
			return nil, fmt.Errorf("fsm: log entry %d, a configuration: %w", l.Index, err)
		}
		d.reconfigure(l.Index, c)
		return nil, nil
	}
	return nil, fmt.Errorf("fsm: log entry %d has type %v, which no state machine is sent", l.Index, l.Type)
}

// command returns the first outcome of the transaction's id, or decides it at index. The zero Outcome means that the
// entry was applied before the state was saved and its outcome is forgotten: nobody waits for it.
func (d *draft) command(index uint64, t Txn) Outcome {
	before := d.index
	if index > before {
		d.index = index
		d.forget()
	}
	o, decided := d.outcome(t.ID)
	if !decided && index > before {
		o = d.judge(index, before, t)
		var touched []string
		if o.Kind == Applied {
			touched = d.write(index, t.Writes)
		}
		d.decide(t.ID, o, touched)
	}
	d.digest = d.sum.digest(d.index, d.generation)
	return o
}

func (d *draft) reconfigure(index uint64, c raft.Configuration) {
	if index <= d.index {
		return
	}
	d.index = index
	d.forget()
	d.configure(c, index)
	d.digest = d.sum.digest(d.index, d.generation)
}

// judge decides a transaction at index against the state after the entry `before`.
func (d *draft) judge(index, before uint64, t Txn) Outcome {
	o := Outcome{Kind: Applied, Index: index}
	switch {
	case t.Generation != d.generation:
		o.Kind = WrongGeneration
	case tooOld(index, t):
		o.Kind = TooOld
	default:
		for _, c := range t.Conditions {
			if at, holds := d.holds(c, before); !holds {
				o.Kind, o.Path, o.At = Conflict, c.Path, at
				break
			}
		}
	}
	return o
}

// tooOld reports whether ids or directories may have been forgotten since t looked. A base that is not in the past is
// no view of this log: it is refused in the same way, which promises nothing.
func tooOld(index uint64, t Txn) bool {
	if t.Base >= index || index-t.Base > IDWindow {
		return true
	}
	for _, c := range t.Conditions {
		if c.Kind == DirUnchanged && index-c.Index > IDWindow { // Index <= Base
			return true
		}
	}
	return false
}

// holds reports whether c is true, and if not, an index at which whoever asked can see that: that of the change, or
// `before`, the state's own, for a record that is gone.
func (d *draft) holds(c Condition, before uint64) (at uint64, holds bool) {
	if c.Kind == DirUnchanged {
		dir, _ := d.directories.Get(c.Path)
		return dir.below, dir.below <= c.Index
	}
	r, found := d.records.Get(c.Path)
	switch {
	case !found:
		return before, c.Kind == Absent
	case c.Kind == Absent:
		return r.Mod, false
	}
	return r.Mod, r.Mod == c.Index
}

// write makes the changes and returns the directories that they touched.
func (d *draft) write(index uint64, writes []Write) (touched []string) {
	for _, w := range writes {
		if w.Delete {
			d.remove(w.Path)
			touched = d.touch(touched, w.Path, index)
		} else if d.put(w.Path, &Record{Value: w.Value, Logical: w.Logical, Mod: index}) {
			touched = d.touch(touched, w.Path, index)
		}
	}
	return touched
}

// decodeConfiguration turns the library's panic into an error, and refuses what an element can't hold.
func decodeConfiguration(b []byte) (c raft.Configuration, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%v", p)
		}
	}()
	c = raft.DecodeConfiguration(b)
	return c, validConfiguration(c)
}

// maxServers and maxServerField (bytes) are far above any cluster.
const (
	maxServers     = 1024
	maxServerField = 1024
)

func validConfiguration(c raft.Configuration) error {
	if len(c.Servers) > maxServers {
		return fmt.Errorf("%d servers are more than %d", len(c.Servers), maxServers)
	}
	for _, s := range c.Servers {
		if s.Suffrage < raft.Voter || s.Suffrage > raft.Staging {
			return fmt.Errorf("server %q has unknown suffrage %d", s.ID, s.Suffrage)
		}
		if len(s.ID) > maxServerField || len(s.Address) > maxServerField {
			return fmt.Errorf("a server has an id or address of more than %d bytes", maxServerField)
		}
	}
	return nil
}
