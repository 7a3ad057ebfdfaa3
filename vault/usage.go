package vault

import (
	"strconv"
	"sync"
	"time"

	"keyquorum/audit"
)

// RecordOperation writes a usage record for an operation of the operator plane that node carries
// out (seal, step-down, raft …). detail is what it made so, if anything, in words of this program:
// the log takes 512 bytes of it. err is what it will answer, nil for success.
func (v *Vaults) RecordOperation(o Operator, operation, object, detail string, err error) error {
	e := v.operatorEntry(o, operation, object)
	e.Detail = detail
	_ = setOutcome(e, err)
	return v.write(e)
}

// RecordBeginning writes one before such an operation is done, for what must not be done, or shown,
// where no record of it can be written. Another one says how it ended.
func (v *Vaults) RecordBeginning(o Operator, operation, detail string) error {
	e := v.operatorEntry(o, operation, "")
	e.Detail, e.Status = clip(detail), 202
	return v.write(e)
}

// An Unkeyed is such an operation on a node that has no keys, and so no Vaults: its founding, its
// joining, the shares that it is given.
type Unkeyed struct {
	Request                   Request
	Operation, Object, Detail string
	Begins                    bool // it is recorded before it is done
	Err                       error
}

// Record writes the usage record, on the node called node.
func (u Unkeyed) Record(log *audit.Log, node string, now time.Time) error {
	e := entry(node, now, u.Request, u.Operation)
	e.Plane, e.Object, e.Detail = "operator", clip(u.Object), clip(u.Detail)
	if _ = setOutcome(e, u.Err); u.Begins {
		e.Status = 202
	}
	return log.Write(e)
}

// RecordRefusal writes a usage record for a request of the application plane that was refused
// before a verb was called (no or bad token, malformed body, too many requests). Unauthenticated
// and throttled ones are rate-bounded. id is nil when there is none.
func (v *Vaults) RecordRefusal(r Request, id *Identity, operation, vaultName string,
	refusal *Error) error {
	e := v.entry(r, operation)
	e.Plane, e.Vault = "app", clip(vaultName)
	if id != nil {
		e.OID, e.AppID = id.OID, id.AppID
	}
	_ = setOutcome(e, refusal)
	if refusal.Kind == Throttled && !v.spare(&v.throttled, e) || id == nil &&
		!v.spare(&v.refusals, e) {
		return nil
	}
	return v.write(e)
}

func (v *Vaults) recordUse(c Caller, w verb, t target, d *decision, err error) error {
	e := v.entry(c.Request, w.operation)
	e.Plane, e.OID, e.AppID = "app", c.Identity.OID, c.Identity.AppID
	e.Vault, e.Object, e.Version = clip(c.Vault), clip(fold(t.name)),
		clip(t.version) // whoever looks for an object finds all its spellings
	if d.version != "" {
		e.Version = d.version
	}
	e.With = d.with
	return v.record(e, d.committed, err)
}

func (v *Vaults) entry(r Request, operation string) *audit.Entry {
	return entry(v.cfg.Node, v.cfg.Now(), r, operation)
}

func entry(node string, now time.Time, r Request, operation string) *audit.Entry {
	e := &audit.Entry{
		Time: now, RequestID: r.ID, Node: node, Remote: r.Remote, Via: r.Via, Operation: operation,
		ClientRequest: r.ClientRequest,
	}
	if !r.Start.IsZero() {
		e.Duration = time.Since(r.Start)
	}
	return e
}

func (v *Vaults) operatorEntry(o Operator, operation, object string) *audit.Entry {
	e := v.entry(o.Request, operation)
	e.Plane, e.Accessor, e.Object = "operator", o.Accessor, clip(object)
	return e
}

// record completes the usage record with the outcome, writes it, and returns what has to be
// answered: err in the domain's words, or the failure to write (I10). sent says that a transaction
// had left this node.
func (v *Vaults) record(e *audit.Entry, sent bool, err error) error {
	answer := setOutcome(e, err)
	if v.write(e) != nil {
		answer = internal("UsageRecordFailed", "The usage record could not be written.")
		if sent {
			answer.Message += mayHaveHappened
		}
	}
	if answer == nil {
		return nil // not a nil *Error in an error
	}
	return answer
}

// recordBounded is record for whoever could not say who they are.
func (v *Vaults) recordBounded(e *audit.Entry, err error) error {
	if answer := setOutcome(e, err); answer != nil && !v.spare(&v.refusals, e) {
		return answer
	}
	return v.record(e, false, err)
}

func setOutcome(e *audit.Entry, err error) *Error {
	if err == nil {
		e.Status = 200
		return nil
	}
	r := refusal(err)
	e.Status, e.Code = r.status(), r.usageCode()
	return r
}

func (v *Vaults) write(e *audit.Entry) error { return v.cfg.Audit.Write(e) }

// spare says whether there is room for the record of an unauthenticated or throttled refusal.
// Neither strangers nor an application that runs wild must be able to fill the disk, so what comes
// faster is counted, and the count gets a record of its own as soon as there is room again.
func (v *Vaults) spare(bound *refusalBound, e *audit.Entry) bool {
	room, unwritten := bound.take(time.Now())
	if !room {
		v.cfg.Counts.unrecorded.Add(1)
	}
	if room && unwritten > 0 {
		_ = v.write(&audit.Entry{Time: e.Time, Node: e.Node, Plane: e.Plane,
			Operation: "refusals/unwritten", Object: strconv.Itoa(unwritten), Status: e.Status})
	}
	return room
}

// Refusals of strangers that are recorded, and of whoever is throttled, each for itself: so many at
// once, so many a second in the long run.
const (
	refusalBurst = 200
	refusalRate  = 20
)

// A refusalBound is a bucket of refusalBurst tokens that fills at refusalRate a second.
type refusalBound struct {
	mu        sync.Mutex
	spent     float64
	last      time.Time
	unwritten int
}

// take reports whether one more may be written, and how many were not since the last that was.
func (b *refusalBound) take(now time.Time) (room bool, unwritten int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.spent = max(0, b.spent-now.Sub(b.last).Seconds()*refusalRate)
	b.last = now
	if b.spent > refusalBurst-1 {
		b.unwritten++
		return false, 0
	}
	b.spent++
	unwritten, b.unwritten = b.unwritten, 0
	return true, unwritten
}

// clip bounds what a caller chose before it goes into a usage record.
func clip(s string) string { return s[:min(len(s), 128)] }
