package fsm

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// Recover applies a signed transaction of that verb, and the configuration that follows from it, to
// a state that no cluster goes on from: from a file, or from the folder of a member whose cluster
// has lost its majority. The two entries come behind the newest one and are in no log, so the FSM is
// good for a snapshot, with which the new cluster begins; after an error it is good for nothing. The
// error says which rule is broken.
func (f *FSM) Recover(signed []byte) error {
	index, d := f.View().Index()+1, f.draft
	c := checkEntry(signed, d.line, d.anchor).ofSnapshot()
	if c.refused == nil && c.txn.Verb != Recover {
		return fmt.Errorf("fsm: a transaction of verb %d recovers nothing", c.txn.Verb)
	}
	result, err := d.apply(&raft.Log{Index: index, Type: raft.LogCommand, Data: signed}, c)
	if err != nil {
		return err
	}
	if o := result.(Outcome); o.Kind != Applied {
		return fmt.Errorf("fsm: the recovery is not applied: %w", d.why(o))
	}
	d.reconfigure(&raft.Log{Index: index + 1, Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(d.members.Configuration())})
	f.history.restart(&d.state)
	f.publish()
	return nil
}

// why says in words what an outcome is that is not applied.
func (d *draft) why(o Outcome) error {
	if o.Kind == Refused {
		return d.refused
	}
	return fmt.Errorf("outcome %d at %q", o.Kind, o.Path)
}
