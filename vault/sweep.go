package vault

import (
	"context"
	"strconv"
	"strings"
	"time"

	"keyquorum/audit"
	"keyquorum/fsm"
	"keyquorum/seal"
)

// Some work nobody asks for: time does. Sweep goes once over the state and does what is due,
// through the same decisions as the verbs, each a transaction that is held to what it was based on.
// So two nodes that sweep at once do no harm, what one left half-done another finishes, and a pass
// that comes late does what an earlier one would have done. The node's wall clock decides.
//
// Only live vaults are looked into: in a deleted one nothing changes until it is recovered or
// purged. What is due is known from indexes (index.go), so that a pass costs what there is to do,
// and not what there is.

// A duty is something that time asks for of an object in a live vault.
type duty struct {
	name string // of the usage record, after the collection's: "secrets/purge"
	// due says whether there is something to do. It is asked about what an index names in every pass,
	// and again in the decision that does it, when what it reads becomes conditions. d.vault is set, o
	// has no version.
	due   func(d *decision, o object) (bool, error)
	act   func(d *decision, o object) error // as the act of a verb: it may be called several times
	grows bool                              // it waits while no room is left
	most  int                               // of one vault in a pass, so that it can't keep a pass from the others for long; 0: all
}

// plurals are what usage records call the kinds.
var plurals = map[string]string{secretCollection.kind: "secrets", keyKind: "keys"}

// endRetention purges what can't be recovered any more, purge protection or not, finishes a purge
// that stopped half-way, and removes what is left of a restore a day after its first step: it holds
// the name, and nobody sees it.
var endRetention = duty{
	name: "purge",
	due:  func(d *decision, o object) (bool, error) { return o.head.overdue(d.now), nil },
	act:  (*decision).purge,
}

// A pass takes a small share of a core and of the cluster's writes, however much there is: it looks
// at a few entries of an index and then rests so many times as long as that took; it does one thing
// and rests as long as that took. It keeps nothing that it has decoded.
const (
	sliceHeads = 256
	lookRests  = 9
	dutyRests  = 1
	dutyTime   = 30 * time.Second // for one duty, as for a request
)

// Swept says what a pass has done.
type Swept struct {
	Looked, Done int           // entries of indexes that were due or might be, and duties that were done
	Took         time.Duration // to look: without rests, and without what was done
}

// Sweep does once what time alone asks for: it purges objects and vaults whose retention is over,
// finishes purges that stopped half-way, and drops keys of tokens that are over. It ends early with
// an error when ctx ends, the node is sealed, there is no leader, or a usage record cannot be
// written. Other trouble with a vault or an object, as with a damaged record, is passed over; the
// error tells of the first.
func (v *Vaults) Sweep(ctx context.Context) (Swept, error) {
	p := &pass{v: v, ctx: ctx}
	err := p.passOver(p.tokenKeys())
	if err == nil {
		err = p.everyVault()
	}
	if err == nil {
		err = p.trouble
	}
	return p.swept, err
}

// A pass is one call of Sweep.
type pass struct {
	v       *Vaults
	ctx     context.Context
	swept   Swept
	done    map[*duty]int // in the vault that is looked into
	trouble error         // the first that was passed over
}

// look is a view of now to find duties in. It need not be current: what is found is decided again
// before it is done. None is kept for long, since it keeps old records in memory.
func (p *pass) look() *decision {
	d := &decision{v: p.v}
	d.begin(p.v.cfg.Replica.View())
	return d
}

func (p *pass) everyVault() error {
	for after := ""; ; {
		path, record, ok := p.vaultAfter(after)
		if !ok {
			return nil
		}
		r, err := unkept(p.v, path, record, decodeVault)
		if err == nil {
			err = p.vault(r)
		}
		if err = p.passOver(err); err != nil {
			return err
		}
		after = path
	}
}

func (p *pass) vaultAfter(after string) (string, fsm.Record, bool) {
	for path, record := range p.v.cfg.Replica.View().Scan(vaultNameDir, after) {
		return path, record, true
	}
	return "", fsm.Record{}, false
}

func (p *pass) vault(r *vaultRecord) error {
	if r.State != live {
		return p.deletedVault(r)
	}
	p.done = make(map[*duty]int)
	if err := p.index(r); err != nil {
		return err
	}
	if err := p.through(dueDir(r.ID), p.overdue(r)); err != nil {
		return err
	}
	return p.through(rotatingDir(r.ID), func(name string) (finding, bool) {
		return finding{vault: r, place: place{r.ID, keyKind, name}, duty: &rotateDue}, true
	})
}

// overdue finds whose time has come; they are in its order.
func (p *pass) overdue(r *vaultRecord) func(entry string) (finding, bool) {
	return func(entry string) (finding, bool) {
		at, of, _ := strings.Cut(entry, "/")
		kind, name, _ := strings.Cut(of, "/")
		when, err := strconv.ParseInt(at, 16, 64)
		f := finding{vault: r, place: place{r.ID, kind, name}, duty: &endRetention}
		return f, err == nil && when <= p.v.cfg.Now().Unix()
	}
}

// through goes through a directory of an index, slice by slice, for as long as find goes on.
func (p *pass) through(dir string, find func(entry string) (finding, bool)) error {
	for after, more := "", true; more; {
		found, last, err := p.slice(dir, after, find)
		if err == nil {
			err = p.attendAll(found)
		}
		if err != nil {
			return err
		}
		after, more = last, last != ""
	}
	return nil
}

func (p *pass) deletedVault(r *vaultRecord) error {
	if !overdue(r.State, r.Purge, p.v.cfg.Now()) {
		return nil
	}
	return p.do(&audit.Entry{Operation: "admin/vaults/purge", Vault: r.Name}, func(d *decision) error {
		if err := d.enterAgain(r); err != nil {
			return err
		}
		if !overdue(d.vault.State, d.vault.Purge, d.now) {
			return errNotDue
		}
		return d.purgeVault()
	})
}

// A finding is a duty that is due.
type finding struct {
	vault *vaultRecord
	place
	duty *duty
}

func (f finding) path() string { return headPath(f.vaultID, f.kind, f.name) }

// slice looks at the next few entries of an index, from after on. last is the one to go on after,
// "" at the end.
func (p *pass) slice(
	dir, after string, find func(entry string) (finding, bool),
) (found []finding, last string, err error) {
	begun := time.Now()
	d := p.look()
	looked := 0
	for entry := range names(d.view, dir, after) {
		f, more := find(entry)
		if !more {
			break
		}
		d.vault = f.vault
		due, err := f.due(d)
		if err != nil {
			if err = p.passOver(err); err != nil {
				return nil, "", err
			}
		}
		if due {
			found = append(found, f)
		}
		if looked++; looked == sliceHeads {
			last = entry
			break
		}
	}
	took := time.Since(begun)
	p.swept.Looked, p.swept.Took = p.swept.Looked+looked, p.swept.Took+took
	return found, last, p.rest(lookRests * took)
}

// due says whether what an index names is due.
func (f finding) due(d *decision) (bool, error) {
	record, there := d.view.Get(f.path())
	if !there {
		return false, nil
	}
	h, err := unkept(d.v, f.path(), record, decodeHead)
	if err != nil {
		return false, err
	}
	return f.duty.due(d, object{path: f.path(), head: h})
}

func (p *pass) attendAll(found []finding) error {
	for _, f := range found {
		if f.duty.most > 0 && p.done[f.duty] == f.duty.most ||
			f.duty.grows && p.v.cfg.Replica.NoRoom() != nil {
			continue
		}
		p.done[f.duty]++
		e := &audit.Entry{Operation: plurals[f.kind] + "/" + f.duty.name, Vault: f.vault.Name,
			Object: f.name}
		if err := p.passOver(p.do(e, f.attend)); err != nil {
			return err
		}
	}
	return nil
}

// attend decides what was found, if it is still due.
func (f finding) attend(d *decision) error {
	if err := d.enterAgain(f.vault); err != nil {
		return err
	}
	h, ok, err := load(d, d.v.heads, f.path())
	if err != nil {
		return err
	}
	o := object{path: f.path(), head: h}
	if ok {
		ok, err = f.duty.due(d, o)
	}
	switch {
	case err != nil:
		return err
	case !ok:
		return errNotDue
	}
	return f.duty.act(d, o)
}

// enterAgain enters the vault that was found as r, if it is still that one.
func (d *decision) enterAgain(r *vaultRecord) error {
	if err := d.enter(r.Name, r.State == live); err != nil {
		return err
	}
	if d.vault.ID != r.ID {
		return errNotDue
	}
	return nil
}

// errNotDue is a NotFound, as whatever else another may have left: to a duty of several steps that
// is the end it wanted.
var errNotDue = notFound("NotDue", "There is nothing to do any more.")

// do carries one duty out. There is no answer that could be held back where its usage record cannot
// be written. So a record goes before it, which says that it begins (status 202), and without that
// nothing is done. The second says how it ended. Both have one id.
func (p *pass) do(e *audit.Entry, act func(*decision) error) error {
	begun := time.Now()
	e.Time, e.RequestID, e.Node, e.Plane, e.Status = p.v.cfg.Now(), newUUID(), p.v.cfg.Node, "node",
		202
	if p.v.write(e) != nil {
		return internal("UsageRecordFailed",
			"The usage record could not be written, so nothing was done.")
	}
	ctx, cancel := context.WithTimeout(p.ctx, dutyTime)
	defer cancel()
	d, err := p.settle(ctx, act)
	e.Time, e.Duration, e.Version = p.v.cfg.Now(), time.Since(begun), d.version
	if err = p.v.record(e, d.committed, err); err != nil {
		return err
	}
	p.swept.Done++
	return p.rest(dutyRests * e.Duration)
}

// settle carries out what was begun, whether there is room left or not: a duty that can wait for
// room is not begun.
func (p *pass) settle(ctx context.Context, act func(*decision) error) (*decision, error) {
	return p.v.settle(ctx, false, true, func(d *decision) error {
		d.relieves = true
		return act(d)
	})
}

// passOver gives back what ends the pass: no duty could be done. What went wrong with one vault or
// object must not keep those behind it.
func (p *pass) passOver(err error) error {
	if err == nil || p.ctx.Err() != nil {
		return p.ctx.Err()
	}
	e := refusal(err)
	switch e.Inner {
	case "Sealed", "NoLeader", "NotServing", "UsageRecordFailed": // nothing else could be done either
		return e
	case errContended.Inner: // others were there first
		return nil
	}
	if e.Kind == NotFound {
		return nil
	}
	if p.trouble == nil {
		p.trouble = e
	}
	return nil
}

// rest leaves the machine to others for a time.
func (p *pass) rest(long time.Duration) error {
	if p.v.closed.Load() {
		return seal.ErrSealed
	}
	if err := p.ctx.Err(); err != nil { // whatever the timer says
		return err
	}
	t := time.NewTimer(max(long, time.Millisecond))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-p.ctx.Done():
		return p.ctx.Err()
	}
}
