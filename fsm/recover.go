package fsm

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// Recover applies a signed transaction of that verb, the configuration that follows from it, and a
// checkpoint, to a state that no cluster goes on from: from a file, or from the folder of a member
// whose cluster has lost its majority. The checkpoint is signed under the successor of the
// transaction key, by who is shown the state with that key: members take no snapshot that nobody
// with the newest key has seen.
//
// The three entries come behind the newest one and are in no log, so the FSM is good for a
// snapshot, with which the new cluster begins. After an error it is good for nothing. The error
// says which rule is broken.
func (f *FSM) Recover(signed []byte, checkpoint func(View) ([]byte, error)) error {
	d := f.draft
	if err := f.add(signed, Recover); err != nil {
		return err
	}
	d.reconfigure(&raft.Log{Index: d.index + 1, Type: raft.LogConfiguration,
		Data: raft.EncodeConfiguration(d.members.Configuration())})
	f.history.restart(&d.state)
	f.publish()
	signed, err := checkpoint(f.View())
	if err != nil {
		return err
	}
	if err := f.add(signed, Checkpoint); err != nil {
		return err
	}
	f.history.restart(&d.state)
	f.publish()
	return nil
}

// add applies a transaction of a verb behind the newest entry.
func (f *FSM) add(signed []byte, verb Verb) error {
	d := f.draft
	c := checkEntry(signed, d.line, d.anchor).ofSnapshot()
	if c.refused == nil && c.txn.Verb != verb {
		return fmt.Errorf("fsm: a transaction of verb %d where one of verb %d should be", c.txn.Verb,
			verb)
	}
	result, err := d.apply(&raft.Log{Index: d.index + 1, Type: raft.LogCommand, Data: signed}, c)
	if err != nil {
		return err
	}
	if o := result.(Outcome); o.Kind != Applied {
		return fmt.Errorf("fsm: the recovery is not applied: %w", d.why(o))
	}
	return nil
}

// why says in words what an outcome is that is not applied.
func (d *draft) why(o Outcome) error {
	if o.Kind == Refused {
		return d.refused
	}
	return fmt.Errorf("outcome %d at %q", o.Kind, o.Path)
}
