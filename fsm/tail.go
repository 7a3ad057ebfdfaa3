package fsm

import (
	"errors"
	"fmt"

	"github.com/hashicorp/raft"
)

// errUnvouched: a lying member, or a damaged disk, may have made it up.
var errUnvouched = errors.New("no unsealed member vouched for the state in it")

// beginTail makes the state that was read the candidate: an entry of the tail has to vouch for it.
// The state before anything needs nobody's word.
func (d *draft) beginTail(anchor Line) error {
	if d.free {
		d.vouched = d.freeze()
	}
	d.assured = assurance{}
	if !d.line.Agrees(anchor) {
		return fmt.Errorf("%w: it is another cluster's", errRule)
	}
	if d.free || d.vouched.digest == d.digest {
		return nil
	}
	d.vouched, d.candidate = nil, d.freeze()
	return nil
}

// tailBatch is how many entries are read, and checked beside each other, before they are applied.
const tailBatch = 256

// tail reads the entries behind the vouched state, up to and with the last tag, and applies them.
func (r *snapshotReader) tail(d *draft, c *checker) error {
	for {
		var batch []tailEntry
		last := false
		for len(batch) < tailBatch && !last {
			e, err := r.tailEntry()
			if err != nil {
				return err
			}
			if last = e.kind == tagLast; !last {
				batch = append(batch, e)
			}
		}
		r.counts[tagLast] += uint64(len(batch))
		if err := d.replay(batch, c); err != nil {
			return err
		}
		if last {
			return nil
		}
	}
}

func (r *snapshotReader) tailEntry() (e tailEntry, err error) {
	e.kind = r.byte()
	switch e.kind {
	case tagLast:
		return e, r.err
	case tagRefused, tagCommand, tagServers:
		e.index = r.uint64()
	default:
		if r.err == nil {
			err = fmt.Errorf("%q where an entry should be", e.kind)
		}
		return e, errors.Join(r.err, err)
	}
	if e.kind != tagRefused {
		e.data = r.bytes(r.uint32(), MaxTxnBytes)
	}
	return e, r.err
}

// replay applies entries of a tail.
func (d *draft) replay(batch []tailEntry, c *checker) error {
	logs := make([]*raft.Log, len(batch))
	for i, e := range batch {
		logs[i] = &raft.Log{Index: e.index, Type: raft.LogConfiguration, Data: e.data}
		if e.kind == tagCommand {
			logs[i].Type = raft.LogCommand
		}
	}
	checked := c.all(logs, d.line)
	for i, l := range logs {
		if l.Index <= d.index {
			return fmt.Errorf("entry %d after entry %d", l.Index, d.index)
		}
		if batch[i].kind == tagRefused {
			d.skip(l)
			continue
		}
		var made *check
		if l.Type == raft.LogCommand {
			made = c.take(checked[i], l.Data, d.line).ofSnapshot()
		}
		refused := d.account.refused
		if _, err := d.apply(l, made); err != nil {
			return err
		}
		if d.account.refused != refused {
			return fmt.Errorf("entry %d: %w", l.Index, d.refused)
		}
	}
	return nil
}

// skip does what an entry did that was refused.
func (d *draft) skip(l *raft.Log) {
	d.advance(l.Index)
	d.refuse(l.Index)
	d.digest = d.sum.digest(d.index, d.generation)
	d.remember(l, Outcome{Kind: Refused, Index: l.Index}, nil)
}
