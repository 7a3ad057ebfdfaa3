package vault

import (
	"cmp"
	"context"
	"errors"
	"strings"

	"keyquorum/cluster"
	"keyquorum/fsm"
	"keyquorum/seal"
	"keyquorum/vault/access"
)

// A verb is an operation of the application plane as the funnel sees it.
type verb struct {
	operation string        // of the usage record: "secrets/get"
	action    access.Action // that the caller must be allowed
	writes    bool          // decides into a transaction
	unnamed   bool          // asks about a collection, not about one object
	secret    bool          // uses a private key
	any       access.Set    // not empty: one of these is enough, whatever action says
	removes   bool          // in steps: that there is nothing left after the first is what it wanted
	relieves  bool          // it frees room, and is done where none is left
}

// A target is the object that a verb is about, as the caller spelt it. Version "" is the latest.
type target struct{ name, version string }

// perform is the one door of the application plane: view, allowed?, act, usage record, return. act
// decides from d alone, may be called several times, and leaves what it wants written in d; only
// what its last call returned is answered.
func perform[T any](ctx context.Context, v *Vaults, c Caller, w verb, t target,
	act func(d *decision) (T, error)) (T, error) {
	var result T
	turn := v.turnFor(c, w)
	defer turn.give()
	decide := func(d *decision) (err error) {
		d.turn = turn
		d.mustFind, d.relieves = true, w.relieves // its vault, whatever the verb
		if err = d.admit(c, w, t); err != nil {
			return err
		}
		d.mustFind = !w.removes
		result, err = act(d)
		return err
	}
	d, err := v.settleInLine(ctx, c.Fenced, w.writes, w.line(c, t), decide)
	if errors.Is(err, errNoTurn) {
		if err = turn.wait(ctx); err == nil {
			d, err = v.settle(ctx, c.Fenced, w.writes, decide)
		}
	}
	if err = v.recordUse(c, w, t, d, err); err == nil && d.late() {
		err = errStalled
	}
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// line names the line of writers that a request joins; "" where it names no object.
func (w verb) line(c Caller, t target) string {
	if !w.writes || t.name == "" {
		return ""
	}
	collection, _, _ := strings.Cut(w.operation, "/")
	return c.Vault + "/" + collection + "/" + fold(t.name)
}

// errStalled is answered in the place of what was drawn too long ago: an answer from before a right
// was revoked must not leave long after (I4). Its usage record stands. What has changed the state
// stays done, and is answered.
var errStalled = unavailable("Stalled",
	"The node stood still for longer than an answer may take to leave.")

func (d *decision) late() bool { return !d.committed && !d.v.cfg.Replica.Fresh(d.look) }

// An adminVerb is an operation of the administration API.
type adminVerb struct {
	operation string // of the usage record: "admin/vaults/create"
	writes    bool
	removes   bool // as a verb's; its vault is one of the things that it may remove
}

// performAdmin is the door of the administration API: as perform, with the operator's token in the
// place of principal and access.
func performAdmin[T any](ctx context.Context, v *Vaults, o Operator, w adminVerb, vaultName,
	object string, act func(d *decision) (T, error)) (T, error) {
	var result T
	var line string
	if w.writes {
		line = "admin/" + fold(cmp.Or(vaultName, object))
	}
	d, err := v.settleInLine(ctx, o.Fenced, w.writes, line, func(d *decision) (err error) {
		d.mustFind = !w.removes
		d.operator = true
		if err = d.admitOperator(o); err != nil {
			return err
		}
		result, err = act(d)
		return err
	})
	if errors.Is(err, errContended) { // tools of operators expect a conflict (decision 11)
		err = conflict("Contended", "Others kept changing the same records.")
	}
	e := v.operatorEntry(o, w.operation, object)
	e.Vault, e.Version, e.Detail = clip(vaultName), clip(d.version), d.detail
	if d.subject != nil {
		e.SubjectOID, e.SubjectAppID = d.subject.OID, d.subject.ClientID
	}
	if err = v.record(e, d.committed, err); err == nil && d.late() {
		err = errStalled
	}
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// maxAttempts bounds how often a write that met another is decided again (decision 11). Writers of
// one object meet other nodes only: of three that go on writing each wins every third time.
const maxAttempts = 64

var errContended = unavailable("Contended", "Others kept changing the same records.")

// settleInLine settles a write when the writers before it on this node have settled theirs.
func (v *Vaults) settleInLine(
	ctx context.Context, fenced, writes bool, line string, decide func(*decision) error,
) (*decision, error) {
	if line != "" {
		leave, err := v.lines.join(ctx, line)
		if err != nil {
			return &decision{v: v}, err
		}
		defer leave()
	}
	return v.settle(ctx, fenced, writes, decide)
}

// settle carries a request from a view to its outcome and returns the last decision. The error is
// nil, an *Error, or one that refusal understands.
func (v *Vaults) settle(ctx context.Context, fenced, writes bool,
	decide func(*decision) error) (*decision, error) {
	if !writes {
		return v.current(ctx, &decision{v: v, fenced: fenced}, decide)
	}
	d := &decision{}
	for attempts := 0; attempts < maxAttempts; {
		var more bool
		var err error
		begun := d.committed // a step before this one was applied
		d, more, err = v.attempt(ctx, &decision{v: v, fenced: fenced, writes: true, committed: begun},
			decide)
		if err != nil && begun {
			err = d.halfway(err)
		}
		if err != nil || !more {
			return d, err
		}
		if !d.again {
			attempts++
		}
	}
	if d.committed {
		return d, d.halfway(errContended)
	}
	return d, errContended
}

// halfway is what a request of several steps answers when one after the first failed: something has
// happened, and whoever asks again has the rest done. Who removes and finds nothing left has what
// it wanted: another has done the rest.
func (d *decision) halfway(err error) error {
	e := refusal(err)
	if e.Kind == NotFound && !d.mustFind {
		return nil
	}
	return unavailable("OutcomeUnknown", "The work was begun and stopped half-way: "+e.Message+
		mayHaveHappened+" Ask again to have the rest done.")
}

// current decides on a view that holds everything acknowledged before now, and returns when every
// later reader sees what it decided on.
func (v *Vaults) current(ctx context.Context, d *decision, decide func(*decision) error) (*decision,
	error) {
	if v.closed.Load() {
		return d, seal.ErrSealed
	}
	var err error
	look, failed := v.cfg.Replica.Read(ctx, d.fenced, func(view fsm.View) {
		d.begin(view)
		err = decide(d)
	})
	d.look = look
	switch {
	case failed != nil:
		return d, failed
	case v.closed.Load():
		return d, seal.ErrSealed // what was opened before may not be answered after
	}
	return d, err
}

// attempt decides and commits once. more says that it has to be decided again.
func (v *Vaults) attempt(ctx context.Context, d *decision,
	decide func(*decision) error) (_ *decision, more bool, err error) {
	if v.closed.Load() {
		return d, false, seal.ErrSealed
	}
	d.begin(v.cfg.Replica.View())
	if err = decide(d); err != nil || len(d.txn.Writes) == 0 {
		// A refusal, and finding nothing to do, are reads: no transaction proves them, so they are drawn
		// from a current view.
		d, err = v.current(ctx, &decision{v: v, fenced: d.fenced, writes: true, committed: d.committed}, decide)
		if err != nil || len(d.txn.Writes) == 0 {
			return d, false, err
		}
	}
	if !d.relieves {
		if err := v.cfg.Replica.NoRoom(); err != nil {
			return d, false, err
		}
	}
	return v.commit(ctx, d)
}

func (v *Vaults) commit(ctx context.Context, d *decision) (_ *decision, more bool, err error) {
	outcome, err := v.cfg.Replica.Commit(ctx, d.txn)
	if err != nil {
		d.committed = !errors.Is(err, seal.ErrSealed) &&
			!errors.Is(err, cluster.ErrSealed) // else it was not even signed
		return d, false, err
	}
	switch outcome.Kind {
	case fsm.Applied:
		d.committed = true
		return d, d.again, nil
	case fsm.Conflict:
		d.again = false
		return d, true, v.cfg.Replica.Wait(ctx, outcome.At)
	default: // TooOld, WrongGeneration: the cluster says that it was not applied, and the next view is newer
		d.again = false
		return d, true, nil
	}
}

func (d *decision) begin(view fsm.View) {
	d.view, d.now = view, d.v.cfg.Now()
	if d.writes {
		d.txn = view.Begin(fsm.Ordinary)
	}
}
