package fsm

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// apply takes one log entry, with its check if it is a command, and returns the Outcome of a
// command, nil for a configuration. An entry that the state has seen already changes nothing, nor
// does one that nobody signed. An error leaves the draft as it was, and means that this node must
// stop: the others either understand the entry, or stop at it too.
func (d *draft) apply(l *raft.Log, c *check) (any, error) {
	switch l.Type {
	case raft.LogCommand:
		if c.fatal != nil {
			return nil, fmt.Errorf("fsm: log entry %d, a transaction: %w", l.Index, c.fatal)
		}
		return d.command(l, c), nil
	case raft.LogConfiguration:
		d.reconfigure(l)
		return nil, nil
	}
	return nil, fmt.Errorf("fsm: log entry %d has type %v, which no state machine is sent", l.Index,
		l.Type)
}

// command returns the first outcome of the transaction's id, or decides it at its index. The zero
// Outcome means that the entry was applied before the state was saved and its outcome is forgotten:
// nobody waits for it.
func (d *draft) command(l *raft.Log, c *check) (o Outcome) {
	before := d.index
	if l.Index > before {
		d.advance(l.Index)
		defer func() {
			d.digest = d.sum.digest(d.index, d.generation)
			d.remember(l, o, c)
		}()
	}
	decided := false
	if c.refused == nil {
		o, decided = d.outcome(c.txn.ID)
	}
	if decided || l.Index <= before {
		return o
	}
	o, err := d.judge(l.Index, before, c)
	switch o.Kind {
	case Refused:
		d.refused = err
		d.refuse(l.Index)
	case Retired, Foreign:
	case Applied:
		touched, graves := d.write(l.Index, c.txn.Writes)
		switch c.txn.Verb {
		case Recover:
			d.generation++
		case Restore:
			d.restore(l.Index, c.txn.restoration())
		}
		d.decide(c.txn.ID, o, touched, graves)
		if c.txn.Verb == Reseal {
			d.erased(l.Index) // the older shares open what stood there
		}
	default:
		d.decide(c.txn.ID, o, nil, nil)
	}
	return o
}

// reconfigure takes a configuration of Raft's if the members are what it says. Raft itself follows
// another one too: whoever sees that serves nobody (cluster).
func (d *draft) reconfigure(l *raft.Log) {
	if l.Index <= d.index {
		return
	}
	d.advance(l.Index)
	c, err := DecodeConfiguration(l.Data)
	if err == nil && !d.free && !d.members.Matches(c) {
		err = fmt.Errorf("%w: a configuration that nobody signed", errRule)
	}
	o := Outcome{Kind: Applied, Index: l.Index}
	if err != nil {
		o.Kind, d.refused = Refused, err
		d.refuse(l.Index)
	} else {
		d.configure(c, l.Index)
	}
	d.digest = d.sum.digest(d.index, d.generation)
	d.remember(l, o, nil)
}

// judge decides a transaction at index against the state after the entry `before`. The error is
// why it is refused.
func (d *draft) judge(index, before uint64, c *check) (Outcome, error) {
	o, t := Outcome{Kind: Applied, Index: index}, c.txn
	switch {
	case c.refused != nil:
		return Outcome{Kind: Refused, Index: index}, c.refused
	case c.retired:
		o.Kind = Retired
	case t.Generation != d.generation, d.outlived(t):
		o.Kind = WrongGeneration
	case tooOld(index, t):
		o.Kind = TooOld
	case !d.saw(t):
		o.Kind = Foreign
	default:
		for _, c := range t.Conditions {
			if at, holds := d.holds(c, t.Base, before); !holds {
				return Outcome{Kind: Conflict, Index: index, Path: c.Path, At: at}, nil
			}
		}
		return d.allow(o, before, c)
	}
	return o, nil
}

// saw says whether the signer has seen a state that this one was. One who has seen another decided
// on what is not so here, though every record that he looked at may have the index that he knows.
func (d *draft) saw(t Txn) bool {
	own, ok := d.past.Get(t.Base)
	return d.free || ok && own == t.Digest
}

// allow holds a transaction against the rules of its verb.
func (d *draft) allow(o Outcome, before uint64, c *check) (Outcome, error) {
	var err error
	t := c.txn
	switch t.Verb {
	case Found:
		if _, err = DecodeMembers(t.value(PathMembers)); err == nil && before != 0 {
			err = fmt.Errorf("%w: there is a state already", errRule)
		}
	case Rotate:
		err = d.allowSuccessor(t)
	case Recover:
		if err = d.allowSuccessor(t); err == nil {
			err = d.allowRecovery(t, c.kept)
		}
	case Restore:
		if err = d.allowRestoration(t); err == nil && !d.wholly(t.restoration()) {
			return Outcome{Kind: Conflict, Index: o.Index, Path: PathRestored, At: before}, nil
		}
	case Change:
		if !d.members.Matches(d.configuration) {
			return Outcome{Kind: Conflict, Index: o.Index, Path: PathMembers, At: before}, nil
		}
		err = d.allowChange(t)
	}
	if err != nil {
		o.Kind = Refused
	}
	return o, err
}

func (d *draft) allowSuccessor(t Txn) error {
	next, err := DecodeLine(t.value(PathKeys))
	if err == nil && !next.extends(d.line) {
		err = fmt.Errorf("%w: the transaction keys are not the old ones and one more", errRule)
	}
	return err
}

// allowRecovery: one member, which is none of before, and a mark for each of before. It begins the
// folder of a new cluster, so that no log ever holds one.
func (d *draft) allowRecovery(t Txn, kept bool) error {
	next, err := DecodeMembers(t.value(PathMembers))
	if err != nil {
		return err
	}
	if !kept {
		return fmt.Errorf("%w: a recovery in a log", errRule)
	}
	if len(next) != 1 || len(t.Writes) != 3+len(d.members) {
		return fmt.Errorf("%w: a recovery leaves one member, and removes all others", errRule)
	}
	for _, s := range d.members {
		if t.value(RemovedDir+s.ID) == nil {
			return fmt.Errorf("%w: member %s is not removed", errRule, s.ID)
		}
	}
	if _, dead := d.records.Get(RemovedDir + next[0].ID); dead ||
		t.value(RemovedDir+next[0].ID) != nil {
		return fmt.Errorf("%w: %s was removed for ever", errRule, next[0].ID)
	}
	return nil
}

// allowChange: one member at a time, a removed id never again, and a mark exactly for who goes.
func (d *draft) allowChange(t Txn) error {
	next, err := DecodeMembers(t.value(PathMembers))
	if err != nil {
		return err
	}
	removed, err := d.members.change(next)
	if err != nil {
		return err
	}
	marked := t.value(RemovedDir+removed) != nil
	if (removed != "") != marked || len(t.Writes) == 2 && !marked {
		return fmt.Errorf("%w: who is removed is not who is marked", errRule)
	}
	for _, s := range next {
		if _, dead := d.records.Get(RemovedDir + s.ID); dead {
			return fmt.Errorf("%w: %s was removed for ever", errRule, s.ID)
		}
	}
	return nil
}

// tooOld reports whether ids or directories may have been forgotten since t looked. A base that is
// not in the past is no view of this log: it is refused in the same way, which promises nothing.
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

// holds reports whether c is true, and if not, an index at which whoever asked can see that: that
// of the change, or `before`, the state's own, for a record that is gone.
func (d *draft) holds(c Condition, base, before uint64) (at uint64, holds bool) {
	if c.Kind == DirUnchanged {
		dir, _ := d.directories.Get(c.Path)
		at = max(dir.below, d.restored)
		return at, at <= c.Index
	}
	r, found := d.records.Get(c.Path)
	switch {
	case !found && c.Kind == Absent:
		// Who has not seen the deletion would put something of an older logical version there.
		deleted, _ := d.graves.Get(c.Path)
		return deleted, deleted <= base
	case !found:
		return before, false
	case c.Kind == Absent:
		return r.Mod, false
	}
	return r.Mod, r.Mod == c.Index
}

// write makes the changes and returns the directories that they touched and the graves that they
// dug.
func (d *draft) write(index uint64, writes []Write) (touched, graves []string) {
	for _, w := range writes {
		if w.Delete {
			d.remove(w.Path, index)
			graves = append(graves, w.Path)
			touched = d.touch(touched, w.Path, index)
		} else if d.put(w.Path, &Record{Value: w.Value, Logical: w.Logical, Mod: index}) {
			touched = d.touch(touched, w.Path, index)
		}
		d.notice(w, index)
	}
	return touched, graves
}

// notice keeps what the state machine itself reads. The bytes were decoded before.
func (d *draft) notice(w Write, index uint64) {
	switch w.Path {
	case PathKeys:
		d.line, _ = DecodeLine(w.Value)
	case PathMembers:
		d.members, _ = DecodeMembers(w.Value)
	case PathRestored:
		d.restored = index
	}
}

// DecodeConfiguration reads a configuration entry. It turns the library's panic into an error, and
// refuses what an element can't hold.
func DecodeConfiguration(b []byte) (c raft.Configuration, err error) {
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
